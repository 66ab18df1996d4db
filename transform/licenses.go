package transform

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"seatlake/pipeline"
	"seatlake/schemas"
)

// Entitlements says what a SKU consists of: by what the tenant was told of its
// own SKUs, else by the product catalogue.
type Entitlements interface {
	// Plans is the service plans of a SKU, in any order; none for a SKU that
	// nobody knows. It is asked once for each SKU, after the stream has begun.
	Plans(sku [16]byte) []Plan
}

// Plan is a service plan of a SKU.
type Plan struct {
	ID       [16]byte
	Services []schemas.Service // that it entitles: none, one or more
}

// Licenses makes the rows of graph_user_licenses, without the columns that Stamp
// adds, of users: user x SKU x service.
//
// A SKU in assigned_licenses holds a seat. A SKU that stands only in
// license_assignment_states is kept, without a seat, if one of its assignments
// failed: by its state, or by its error. Each SKU gives a row for each service
// that its plans entitle, plans switched off for the user left out, in the order
// of schemas.Services, or one row with a null service. Where Graph lists a
// SKU twice for a user, a plan is off if all entries switch it off.
//
// How and since when a SKU is assigned is told by its working assignments
// (Active and ActiveWithError), by all of them if none works. Rows are in
// Graph's order: of users, then assigned licences, then failed ones.
//
// It keeps one entry for each SKU between batches. A user without an id, or a
// licence without a SKU, is an error.
func Licenses(e Entitlements) pipeline.Transform {
	return func(in pipeline.Stream) (pipeline.Stream, error) {
		at, err := positions(in.Schema, schemas.GraphUsers, "id", "assigned_licenses", "license_assignment_states")
		if err != nil {
			return pipeline.Stream{}, fmt.Errorf("licenses: %w", err)
		}
		l := &licenses{entitlements: e, known: map[[16]byte]*entitlement{}, schema: unstamped(schemas.GraphUserLicenses)}
		return pipeline.Map(in, l.schema, func(batch arrow.RecordBatch) (arrow.RecordBatch, error) {
			users := readUsers(batch, at)
			out, err := l.batch(users)
			if err != nil {
				return nil, fmt.Errorf("licenses: %w", err)
			}
			return out, nil
		}), nil
	}
}

// licenses is the transform between batches.
type licenses struct {
	entitlements Entitlements
	schema       *arrow.Schema
	known        map[[16]byte]*entitlement
	rows         int // of the batch before, as a guess at the next
}

// entitlement is a SKU's plans, by id.
type entitlement struct {
	plans []entitledPlan
	all   serviceSet // of all plans
}

type entitledPlan struct {
	id       [16]byte
	services serviceSet
}

// serviceSet is a set of services, by their position in schemas.Services.
type serviceSet uint16

func (l *licenses) entitlement(sku [16]byte) *entitlement {
	if e := l.known[sku]; e != nil {
		return e
	}
	all := schemas.Services()
	e := &entitlement{}
	for _, p := range l.entitlements.Plans(sku) {
		plan := entitledPlan{id: p.ID}
		for _, s := range p.Services {
			if i := slices.Index(all, s); i >= 0 {
				plan.services |= 1 << i
			}
		}
		e.plans = append(e.plans, plan)
	}
	slices.SortStableFunc(e.plans, func(a, b entitledPlan) int { return bytes.Compare(a.id[:], b.id[:]) })
	e.plans = slices.CompactFunc(e.plans, func(a, b entitledPlan) bool { return a.id == b.id })
	for _, p := range e.plans {
		e.all |= p.services
	}
	l.known[sku] = e
	return e
}

func (l *licenses) batch(u *usersBatch) (arrow.RecordBatch, error) {
	b := newLicenseBatch(l, u)
	for row := range u.rows {
		if u.id.IsNull(row) {
			return nil, fmt.Errorf("row %d of the batch has no id", row)
		}
		if err := b.user(row); err != nil {
			return nil, fmt.Errorf("user %x: %w", u.id.Value(row), err)
		}
	}
	columns := b.columns()
	defer release(columns)
	l.rows = len(b.sku.values)
	return array.NewRecordBatch(l.schema, columns, int64(l.rows)), nil
}

// licenseBatch makes the licences of one batch of users. Whatever depends on an
// id alone is looked up once for each value of the batch's dictionaries.
type licenseBatch struct {
	*usersBatch
	parent *licenses

	// SKUs of the batch, over both dictionaries.
	skus      values[[16]byte]
	ofHeld    []int32 // position in skus of heldSKU's values
	ofState   []int32 // position in skus of stateSKU's values
	entitled  []*entitlement
	verdicts  map[string]verdict
	key       []byte
	stateKind []stateKind // of stateName's values
	errorIs   []bool      // of stateError's values: whether it says there is an error
	groups    []int32     // number of stateGroup's values in the output, -1 before first use

	// The user at hand.
	entries  []entry
	entryOf  []int32 // of each SKU, in entries; valid if its entry says so
	disabled []int32 // plan positions of all entries
	chain    []int32 // next state of the same entry, from the user's first state
	scratch  []int32 // groups of the entry at hand

	// The rows made.
	userID     []byte
	sku        column[int32]
	skuNumber  []int32 // number of each SKU in the output, -1 before first use
	skuOut     [][16]byte
	service    column[int32]
	seat       bitmap
	assignedBy column[int32]
	groupList  []int32 // offsets
	groupValid bitmap
	group      column[int32]
	groupOut   [][16]byte
	groupMark  []int // entry that listed the group last
	since      column[arrow.Timestamp]
	state      column[int32]
	failure    column[int32]
	enabledN   column[int32]
	disabledN  column[int32]
	offList    []int32 // offsets
	offValid   bitmap
	off        column[int32]
	offOut     values[[16]byte]
	serial     int // of entries
}

// entry is one SKU of the user at hand.
type entry struct {
	sku        int32
	held       bool
	failed     bool    // some assignment of it failed
	seenPlans  bool    // disabled is set
	off        []int32 // plans switched off, as positions in one dictionary
	head, tail int32   // its states, as a chain; -1 for none
}

// verdict is what is left of a SKU without some plans.
type verdict struct {
	services serviceSet
	enabled  int32
	off      []int32 // the plans it is without, in offOut, by id
}

// stateKind is what the name of an assignment state means; greater is worse.
type stateKind int8

const (
	stateActive stateKind = iota + 1
	stateOther            // a name that is not known
	stateDisabled
	stateActiveWithError
	stateFailed
)

func kindOf(state string) stateKind {
	switch state {
	case "Active":
		return stateActive
	case "Disabled":
		return stateDisabled
	case "ActiveWithError":
		return stateActiveWithError
	case "Error":
		return stateFailed
	default:
		return stateOther
	}
}

// works says that the assignment gives the licence.
func (k stateKind) works() bool { return k == stateActive || k == stateActiveWithError }

// The ways of assignment, as positions in assignedByNames.
const (
	byDirect = iota
	byGroup
	byBoth
)

func assignedByNames() []string { return []string{"direct", "group", "both"} }

func newLicenseBatch(l *licenses, u *usersBatch) *licenseBatch {
	guess := max(l.rows+l.rows/16, u.rows)
	b := &licenseBatch{
		usersBatch: u,
		parent:     l,
		verdicts:   map[string]verdict{},
		userID:     make([]byte, 0, 16*guess),
		sku:        makeColumn[int32](guess),
		service:    makeColumn[int32](guess),
		assignedBy: makeColumn[int32](guess),
		groupList:  make([]int32, 1, guess+1),
		offList:    make([]int32, 1, guess+1),
		since:      makeColumn[arrow.Timestamp](guess),
		state:      makeColumn[int32](guess),
		failure:    makeColumn[int32](guess),
		enabledN:   makeColumn[int32](guess),
		disabledN:  makeColumn[int32](guess),
		groups:     slices.Repeat([]int32{-1}, len(u.stateGroup.values)),
		groupMark:  make([]int, len(u.stateGroup.values)),
	}
	b.ofHeld, b.ofState = b.number(u.heldSKU.values), b.number(u.stateSKU.values)
	for _, id := range b.skus.seen {
		b.entitled = append(b.entitled, l.entitlement(id))
	}
	b.entryOf = make([]int32, len(b.entitled))
	b.skuNumber = slices.Repeat([]int32{-1}, len(b.entitled))
	for _, name := range u.stateName.values {
		b.stateKind = append(b.stateKind, kindOf(name))
	}
	for _, name := range u.stateError.values {
		b.errorIs = append(b.errorIs, name != "" && !strings.EqualFold(name, "None"))
	}
	return b
}

func (b *licenseBatch) number(ids [][16]byte) []int32 {
	out := make([]int32, len(ids))
	for i, id := range ids {
		out[i] = b.skus.index(id)
	}
	return out
}

// user adds the rows of one user.
func (b *licenseBatch) user(row int) error {
	b.entries, b.disabled, b.chain = b.entries[:0], b.disabled[:0], b.chain[:0]
	if !b.held.IsNull(row) {
		from, to := b.held.ValueOffsets(row)
		for i := int(from); i < int(to); i++ {
			if b.heldEntry.IsNull(i) {
				continue
			}
			at := b.heldSKU.at(i)
			if at < 0 {
				return errors.New("an assigned licence has no SKU")
			}
			e := b.entry(b.ofHeld[at])
			e.held = true
			b.switchOff(e, &b.heldDisabled, i)
		}
	}
	first := int32(0)
	if !b.states.IsNull(row) {
		from, to := b.states.ValueOffsets(row)
		first = int32(from)
		for i := int(from); i < int(to); i++ {
			b.chain = append(b.chain, -1)
			if b.stateEntry.IsNull(i) {
				continue
			}
			at := b.stateSKU.at(i)
			if at < 0 {
				return errors.New("an assignment state has no SKU")
			}
			e := b.entry(b.ofState[at])
			b.link(e, int32(i)-first)
			e.failed = e.failed || b.fails(i)
			if !e.held {
				b.switchOff(e, &b.stateDisabled, i)
			}
		}
	}
	for i := range b.entries {
		if e := &b.entries[i]; e.held || e.failed {
			b.emit(row, e, first)
		}
	}
	return nil
}

// entry is the user's entry for a SKU.
func (b *licenseBatch) entry(sku int32) *entry {
	if i := int(b.entryOf[sku]); i < len(b.entries) && b.entries[i].sku == sku {
		return &b.entries[i]
	}
	b.entryOf[sku] = int32(len(b.entries))
	b.entries = append(b.entries, entry{sku: sku, head: -1, tail: -1})
	return &b.entries[len(b.entries)-1]
}

// link appends a state to an entry's chain.
func (b *licenseBatch) link(e *entry, state int32) {
	if e.head < 0 {
		e.head = state
	} else {
		b.chain[e.tail] = state
	}
	e.tail = state
}

// fails says that an assignment is one that failed.
func (b *licenseBatch) fails(i int) bool {
	if at := b.stateName.at(i); at >= 0 && (b.stateKind[at] == stateFailed || b.stateKind[at] == stateActiveWithError) {
		return true
	}
	at := b.stateError.at(i)
	return at >= 0 && b.errorIs[at]
}

// switchOff notes the plans that one listing of a SKU switches off. Of several
// listings it keeps what all of them switch off.
func (b *licenseBatch) switchOff(e *entry, lists *planLists, i int) {
	start := len(b.disabled)
	b.disabled = lists.appendTo(b.disabled, i)
	off := b.disabled[start:len(b.disabled):len(b.disabled)]
	if !e.seenPlans {
		e.seenPlans, e.off = true, off
		return
	}
	slices.Sort(off)
	e.off = slices.DeleteFunc(e.off, func(plan int32) bool {
		_, both := slices.BinarySearch(off, plan)
		return !both
	})
}

// emit adds the rows of one entry. first is the position of the user's first
// state.
func (b *licenseBatch) emit(row int, e *entry, first int32) {
	b.serial++
	a := b.assignment(e, first)
	plans := &b.stateDisabled.plans
	if e.held {
		plans = &b.heldDisabled.plans
	}
	v := b.verdict(e, plans)
	if b.skuNumber[e.sku] < 0 {
		b.skuNumber[e.sku] = int32(len(b.skuOut))
		b.skuOut = append(b.skuOut, b.skus.seen[e.sku])
	}
	for services := v.services; ; {
		b.userID = append(b.userID, b.id.Value(row)...)
		b.sku.append(b.skuNumber[e.sku])
		if services == 0 {
			b.service.appendNull()
		} else {
			b.service.append(int32(bits.TrailingZeros16(uint16(services))))
		}
		b.seat.append(e.held)
		appendIndex(&b.assignedBy, a.by)
		for _, g := range a.groups {
			b.group.append(g)
		}
		b.groupList = append(b.groupList, int32(len(b.group.values)))
		b.groupValid.append(a.by >= 0)
		if a.dated {
			b.since.append(a.since)
		} else {
			b.since.appendNull()
		}
		appendIndex(&b.state, a.state)
		appendIndex(&b.failure, a.failure)
		b.enabledN.append(v.enabled)
		b.disabledN.append(int32(len(v.off)))
		for _, plan := range v.off {
			b.off.append(plan)
		}
		b.offList = append(b.offList, int32(len(b.off.values)))
		b.offValid.append(true)
		if services &= services - 1; services == 0 {
			return
		}
	}
}

// assignment is what an entry's states say together.
type assignment struct {
	by      int32 // in assignedByNames, -1 without states
	groups  []int32
	since   arrow.Timestamp
	dated   bool  // since is set
	state   int32 // in stateName's values, -1 without
	failure int32 // in stateError's values, -1 for none
}

func (b *licenseBatch) assignment(e *entry, first int32) assignment {
	a := assignment{by: -1, state: -1, failure: -1}
	var works bool
	for s := e.head; s >= 0; s = b.chain[s] {
		i := int(first + s)
		if at := b.stateName.at(i); at >= 0 {
			works = works || b.stateKind[at].works()
			if a.state < 0 || b.stateKind[at] > b.stateKind[a.state] {
				a.state = at
			}
		}
		if at := b.stateError.at(i); a.failure < 0 && at >= 0 && b.errorIs[at] {
			a.failure = at
		}
	}
	var direct, group bool
	a.groups = b.scratch[:0]
	for s := e.head; s >= 0; s = b.chain[s] {
		i := int(first + s)
		if at := b.stateName.at(i); works && (at < 0 || !b.stateKind[at].works()) {
			continue
		}
		if at := b.stateGroup.at(i); at < 0 {
			direct = true
		} else {
			group = true
			if b.groupMark[at] != b.serial {
				b.groupMark[at] = b.serial
				if b.groups[at] < 0 {
					b.groups[at] = int32(len(b.groupOut))
					b.groupOut = append(b.groupOut, b.stateGroup.values[at])
				}
				a.groups = append(a.groups, b.groups[at])
			}
		}
		if b.stateUpdated.IsValid(i) {
			if at := b.stateUpdated.Value(i); !a.dated || at < a.since {
				a.since, a.dated = at, true
			}
		}
	}
	b.scratch = a.groups
	switch {
	case direct && group:
		a.by = byBoth
	case direct:
		a.by = byDirect
	case group:
		a.by = byGroup
	}
	return a
}

// verdict counts the plans of an entry's SKU and finds the services that are
// left. Few combinations of switched-off plans occur, so that each is judged
// once a batch.
func (b *licenseBatch) verdict(e *entry, plans *dictColumn[[16]byte]) verdict {
	known := b.entitled[e.sku]
	if len(e.off) == 0 {
		return verdict{services: known.all, enabled: int32(len(known.plans))}
	}
	b.key = binary.LittleEndian.AppendUint32(b.key[:0], uint32(e.sku))
	b.key = append(b.key, 0)
	if e.held {
		b.key[4] = 1 // positions are in the other dictionary
	}
	for _, plan := range e.off {
		b.key = binary.LittleEndian.AppendUint32(b.key, uint32(plan))
	}
	if v, ok := b.verdicts[string(b.key)]; ok {
		return v
	}
	v := b.without(known, e.off, plans.values)
	b.verdicts[string(b.key)] = v
	return v
}

// without judges a SKU some of whose plans, in ids, are switched off. A plan that nobody
// knew the SKU to have counts as switched off all the same: Graph accepts none
// that is not the SKU's.
func (b *licenseBatch) without(e *entitlement, off []int32, ids [][16]byte) verdict {
	gone := make([][16]byte, len(off))
	for i, plan := range off {
		gone[i] = ids[plan]
	}
	slices.SortFunc(gone, func(a, b [16]byte) int { return bytes.Compare(a[:], b[:]) })
	gone = slices.Compact(gone)
	v := verdict{off: make([]int32, len(gone))}
	for i, plan := range gone {
		v.off[i] = b.offOut.index(plan)
	}
	for _, p := range e.plans {
		for len(gone) > 0 && bytes.Compare(gone[0][:], p.id[:]) < 0 {
			gone = gone[1:]
		}
		if len(gone) > 0 && gone[0] == p.id {
			continue
		}
		v.enabled++
		v.services |= p.services
	}
	return v
}

// columns hands the rows over, in the order of the table.
func (b *licenseBatch) columns() []arrow.Array {
	services := make([]string, 0, len(schemas.Services()))
	for _, s := range schemas.Services() {
		services = append(services, string(s))
	}
	typeOf := func(name string) arrow.DataType {
		return b.parent.schema.Field(b.parent.schema.FieldIndices(name)[0]).Type
	}
	return []arrow.Array{
		uuids(b.userID),
		dictionary(&b.sku, uuids(uuidBytes(b.skuOut))),
		dictionary(&b.service, texts(services)),
		booleans(b.seat.values(), nil, b.seat.n, 0),
		dictionary(&b.assignedBy, texts(assignedByNames())),
		list(typeOf("assigned_by_groups"), b.groupList, &b.groupValid, dictionary(&b.group, uuids(uuidBytes(b.groupOut)))),
		b.since.array(timestampType()),
		dictionary(&b.state, texts(b.stateName.values)),
		dictionary(&b.failure, texts(b.stateError.values)),
		b.enabledN.array(arrow.PrimitiveTypes.Int32),
		b.disabledN.array(arrow.PrimitiveTypes.Int32),
		list(typeOf("disabled_plan_ids"), b.offList, &b.offValid, dictionary(&b.off, uuids(uuidBytes(b.offOut.seen)))),
	}
}
