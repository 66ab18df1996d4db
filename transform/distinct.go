package transform

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"seatlake/pipeline"
)

// DistinctOptions tune Distinct.
type DistinctOptions struct {
	// Scope names a timestamp column. Rows of different UTC days then count as
	// different without comparison, and the days that the stream has left
	// behind are forgotten once more than Budget keys are held. Empty compares
	// all rows and forgets nothing.
	Scope string

	// Budget is how many keys are held before days are sealed; 0 means
	// 500,000, about 11 MB. The current day and its neighbours are never
	// sealed, however many keys they have.
	Budget int

	// Dropped is told how many rows of a batch were left out, when any were.
	// May be nil.
	Dropped func(rows int)
}

// Distinct drops rows whose key, a UUID column, was seen before: pages overlap
// when Graph repeats itself. It is exact: it holds every key in 20 to 27 bytes.
//
// With a Scope, a row of a day that was sealed is an error. The source promises
// the newest first; a stream that jumps back over more than a day, with more
// keys than the budget between, has broken that promise and could repeat rows
// unnoticed.
func Distinct(key string, o DistinctOptions) pipeline.Transform {
	if o.Budget <= 0 {
		o.Budget = 500_000
	}
	return func(in pipeline.Stream) (pipeline.Stream, error) {
		d := &distinct{DistinctOptions: o, key: key, scopeAt: -1, days: map[arrow.Date32]*keySet{}, sealed: map[arrow.Date32]bool{}}
		var err error
		if d.keyAt, err = position(in.Schema, key, uuidType()); err != nil {
			return pipeline.Stream{}, fmt.Errorf("distinct: %w", err)
		}
		if o.Scope != "" {
			if d.scopeAt, err = position(in.Schema, o.Scope, timestampType()); err != nil {
				return pipeline.Stream{}, fmt.Errorf("distinct: %w", err)
			}
		}
		return pipeline.Map(in, in.Schema, d.batch), nil
	}
}

type distinct struct {
	DistinctOptions
	key            string
	keyAt, scopeAt int
	days           map[arrow.Date32]*keySet
	sealed         map[arrow.Date32]bool
	held           int // keys over all days
}

func (d *distinct) batch(batch arrow.RecordBatch) (arrow.RecordBatch, error) {
	keys := batch.Column(d.keyAt).(*array.FixedSizeBinary)
	var at *array.Timestamp
	if d.scopeAt >= 0 {
		at = batch.Column(d.scopeAt).(*array.Timestamp)
	}
	var (
		kept runs
		day  arrow.Date32
		set  *keySet
	)
	for i := range keys.Len() {
		if keys.IsNull(i) {
			return nil, fmt.Errorf("distinct: row %d of the batch has no %s", i, d.key)
		}
		if at != nil && at.IsNull(i) {
			return nil, fmt.Errorf("distinct: row %d of the batch has no %s", i, d.Scope)
		}
		var today arrow.Date32
		if at != nil {
			today = dayOf(at.Value(i))
		}
		if set == nil || today != day {
			var err error
			if set, err = d.open(today); err != nil {
				return nil, err
			}
			day = today
		}
		if set.add(uuidAt(keys, i)) {
			kept.add(i)
			if d.held++; at != nil && d.held > d.Budget && len(d.days) > 1 {
				d.seal(day)
			}
		}
	}
	if dropped := keys.Len() - kept.rows; dropped > 0 && d.Dropped != nil {
		d.Dropped(dropped)
	}
	return kept.of(batch)
}

// open is the set of a day.
func (d *distinct) open(day arrow.Date32) (*keySet, error) {
	if set := d.days[day]; set != nil {
		return set, nil
	}
	if d.sealed[day] {
		return nil, fmt.Errorf("distinct: a row of %s came after the stream had left that day behind: the newest-first order is broken; run again, or ask for a shorter window",
			day.ToTime().Format(time.DateOnly))
	}
	set := &keySet{}
	d.days[day] = set
	return set, nil
}

// seal forgets the days farthest from the current one until the budget holds
// again or only neighbours are left.
func (d *distinct) seal(current arrow.Date32) {
	for d.held > d.Budget {
		far, distance := arrow.Date32(0), arrow.Date32(1)
		for day := range d.days {
			if away := max(day-current, current-day); away > distance || away == distance && distance > 1 && day > far {
				far, distance = day, away
			}
		}
		if distance == 1 {
			return
		}
		d.held -= d.days[far].len()
		delete(d.days, far)
		d.sealed[far] = true
	}
}

// keySet is a set of 16-byte keys. It grows shard by shard, so that no more than a
// shard is held twice at a time.
type keySet struct {
	shards  [256]shard // by the first byte of the hash
	used    int        // keys in the shards
	hasZero bool       // the zero key, which no shard can hold
}

// shard is a set by open addressing with linear probing. An all-zero slot is free.
type shard struct {
	slots [][16]byte
	used  int
}

func (s *keySet) len() int {
	if s.hasZero {
		return s.used + 1
	}
	return s.used
}

// add says whether the key is new.
func (s *keySet) add(key [16]byte) bool {
	if key == ([16]byte{}) {
		added := !s.hasZero
		s.hasZero = true
		return added
	}
	hash := hashKey(key)
	if !s.shards[hash>>56].add(key, hash<<8) {
		return false
	}
	s.used++
	return true
}

// add says whether the key is new. The hash's upper bits tell its slot.
func (s *shard) add(key [16]byte, hash uint64) bool {
	if len(s.slots) == 0 {
		s.slots = make([][16]byte, 8)
	}
	i := s.find(key, hash)
	if s.slots[i] == key {
		return false
	}
	if 5*(s.used+1) > 4*len(s.slots) { // four fifths are full
		s.grow()
		i = s.find(key, hash)
	}
	s.slots[i] = key
	s.used++
	return true
}

// find is the slot that holds the key, or the free one where it belongs.
func (s *shard) find(key [16]byte, hash uint64) int {
	at, _ := bits.Mul64(hash, uint64(len(s.slots))) // hash, scaled to the slots
	for i := int(at); ; {
		if s.slots[i] == key || s.slots[i] == ([16]byte{}) {
			return i
		}
		if i++; i == len(s.slots) {
			i = 0
		}
	}
}

// grow makes the shard a third larger: doubling would leave the shards, which fill
// alike, more than half empty at a time.
func (s *shard) grow() {
	old := s.slots
	s.slots = make([][16]byte, len(old)+max(8, len(old)/3))
	for _, key := range old {
		if key != ([16]byte{}) {
			s.slots[s.find(key, hashKey(key)<<8)] = key
		}
	}
}

// hashKey mixes both halves by a wide product, because not every id is random.
func hashKey(key [16]byte) uint64 {
	a := binary.LittleEndian.Uint64(key[:8]) ^ 0x9e3779b97f4a7c15
	b := binary.LittleEndian.Uint64(key[8:]) ^ 0xd6e8feb86659fd93
	hi, lo := bits.Mul64(a, b)
	return hi ^ lo ^ bits.RotateLeft64(a, 32)
}
