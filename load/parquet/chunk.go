package parquet

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"unsafe"

	"github.com/apache/arrow-go/v18/arrow/bitutil"
	"github.com/klauspost/compress/zstd"
	"github.com/parquet-go/parquet-go/encoding/delta"
	"github.com/parquet-go/parquet-go/encoding/thrift"
	"github.com/parquet-go/parquet-go/format"

	"seatlake/schemas"
)

// maxBound is the longest text kept as a minimum or maximum. A column with a
// longer one goes without: a bound is exact or absent, as readers answer
// min() and max() from it.
const maxBound = 1024

// chunkEncoder turns a leaf into the pages of a column chunk. Its buffers are
// reused from chunk to chunk.
type chunkEncoder struct {
	zstd   *zstd.Encoder
	thrift thrift.Encoder

	header     bytes.Buffer
	out        []byte // the chunk
	body       []byte // the data page: levels and values
	entries    []byte // the dictionary page
	packed     []byte // values by the encoding packages, which do not append
	compressed []byte // a page
	int32s     []int32

	found dictionary // a dictionary for a leaf that declares none
	ids   []int32
}

func newChunkEncoder(z *zstd.Encoder) chunkEncoder {
	return chunkEncoder{zstd: z}
}

// encode returns the chunk's pages, valid until the next call, and what the
// footer says of it. offset is where the chunk will stand in the file.
func (e *chunkEncoder) encode(l *leaf, offset int64) ([]byte, format.ColumnMetaData, error) {
	meta := format.ColumnMetaData{
		Type:         l.physical,
		PathInSchema: l.path,
		NumValues:    int64(l.n),
		Codec:        format.Zstd,
		Statistics:   format.Statistics{NullCount: int64(l.nulls())},
	}
	dict, ids, err := e.dictionaryOf(l)
	if err != nil {
		return nil, meta, err
	}
	body := e.levels(l)
	var encoding format.Encoding
	if dict != nil {
		encoding = format.RLEDictionary
		width := e.width(ids, dict.n)
		body = append(body, byte(width))
		body = appendHybrid(body, ids, width)
		bound(&dict.values, &meta.Statistics)
		meta.Encoding = []format.Encoding{format.Plain, format.RLE, format.RLEDictionary}
	} else {
		v := &l.values
		if l.declared {
			v = &l.dictionary.values // each occurs once, so these are the column
		}
		if body, encoding, err = e.plain(body, v); err != nil {
			return nil, meta, err
		}
		bound(v, &meta.Statistics)
		meta.Encoding = []format.Encoding{format.RLE, encoding}
	}
	e.body = body

	e.out = e.out[:0]
	if dict != nil {
		meta.DictionaryPageOffset = offset
		h := format.PageHeader{Type: format.DictionaryPage}
		h.DictionaryPageHeader = thrift.New(format.DictionaryPageHeader{NumValues: int32(dict.n), Encoding: format.Plain})
		if err := e.page(&h, e.dictionaryPage(&dict.values), &meta); err != nil {
			return nil, meta, err
		}
	}
	meta.DataPageOffset = offset + int64(len(e.out))
	h := format.PageHeader{Type: format.DataPage}
	h.DataPageHeader = thrift.New(format.DataPageHeader{
		NumValues:               int32(l.n),
		Encoding:                encoding,
		DefinitionLevelEncoding: format.RLE,
		RepetitionLevelEncoding: format.RLE,
	})
	if err := e.page(&h, body, &meta); err != nil {
		return nil, meta, err
	}
	return e.out, meta, nil
}

// levels starts a data page: repetition and definition levels, each after its
// length.
func (e *chunkEncoder) levels(l *leaf) []byte {
	body := e.body[:0]
	if l.list != nil {
		body = binary.LittleEndian.AppendUint32(body, uint32(len(l.list.levels)))
		body = append(body, l.list.levels...)
	}
	if l.maxDef == 0 {
		return body
	}
	start := len(body)
	body = append(body, 0, 0, 0, 0)
	if len(l.levels) == 0 {
		body = binary.AppendUvarint(body, uint64(l.n)<<1)
		body = append(body, l.maxDef)
	} else {
		body = appendHybrid(body, l.levels, bits.Len8(l.maxDef))
	}
	binary.LittleEndian.PutUint32(body[start:], uint32(len(body)-start-4))
	return body
}

// dictionaryOf is the leaf's dictionary and the place in it of each value: the
// declared one, or one made of values that repeat. It is nil when no value of a
// declared one occurs twice, when at least half of undeclared ones are distinct,
// and when integers take less room without.
func (e *chunkEncoder) dictionaryOf(l *leaf) (*dictionary, []int32, error) {
	if l.declared {
		if l.dictionary.n == len(l.ids) {
			return nil, nil, nil
		}
		return &l.dictionary, l.ids, nil
	}
	v := &l.values
	if v.kind == schemas.Bool || v.n < 2 {
		return nil, nil, nil
	}
	e.found.reset()
	e.found.kind = v.kind
	e.found.reserve(v.n/2 + 1)
	e.ids = e.ids[:0]
	for i := range v.n {
		e.ids = append(e.ids, e.found.add(v, i))
		if 2*e.found.n >= v.n {
			return nil, nil, nil
		}
	}
	if len(v.ints) > 0 && e.found.n > v.n/16 {
		// A dictionary of so many integers saves little but for their places;
		// suppose that its entries cost as much as any of the values.
		_, cost, err := e.sample(v)
		if err != nil {
			return nil, nil, err
		}
		places := v.n * bits.Len(uint(e.found.n-1)) / 8
		if places*sampleSize >= (v.n-e.found.n)*cost {
			return nil, nil, nil
		}
	}
	return &e.found, e.ids, nil
}

// sampleSize is how many values are compressed in two ways to find the better.
const sampleSize = 2048

// width is the bits in which each place in a dictionary of n values is stored: as
// few as hold them, or whole bytes where those compress better. Places of skewed
// frequency or in sequences that recur do, as zstd sees bytes.
func (e *chunkEncoder) width(ids []int32, n int) int {
	least := bits.Len(uint(n - 1))
	whole := (least + 7) &^ 7
	if least == whole || least < 3 {
		return least // fewer than three bits a place never grew smaller by more of them
	}
	// The sample lies in the middle: a column's first values may be new ones only.
	const places = 2 * sampleSize
	from := max(0, (len(ids)-places)/2)
	first := ids[from:min(from+places, len(ids))]
	e.packed = appendHybrid(e.packed[:0], first, least)
	few := e.compressedSize(e.packed)
	e.packed = appendHybrid(e.packed[:0], first, whole)
	if e.compressedSize(e.packed) < few {
		return whole
	}
	return least
}

func (e *chunkEncoder) compressedSize(b []byte) int {
	e.compressed = e.zstd.EncodeAll(b, e.compressed[:0])
	return len(e.compressed)
}

// plain appends values without a dictionary: text with all lengths in front or
// each before its value, integers as such or as differences, as compresses
// better.
func (e *chunkEncoder) plain(body []byte, v *values) ([]byte, format.Encoding, error) {
	switch v.kind {
	case schemas.String:
		lengthsFirst, err := e.sampleText(v)
		if err != nil {
			return nil, 0, err
		}
		if !lengthsFirst {
			return appendTexts(body, v, v.n), format.Plain, nil
		}
		if err := e.lengthsFirst(v, v.n); err != nil {
			return nil, 0, err
		}
		return append(body, e.packed...), format.DeltaLengthByteArray, nil
	case schemas.UUID, schemas.Bool:
		return append(body, v.data...), format.Plain, nil
	case schemas.Float64:
		return appendInts(body, v), format.Plain, nil
	}
	asDifferences, _, err := e.sample(v)
	if err != nil {
		return nil, 0, err
	}
	if !asDifferences {
		return appendInts(body, v), format.Plain, nil
	}
	if err := e.differences(v); err != nil {
		return nil, 0, err
	}
	return append(body, e.packed...), format.DeltaBinaryPacked, nil
}

// sampleText says whether text compresses better with its lengths in front. Texts
// are longer than other values, so fewer tell.
func (e *chunkEncoder) sampleText(v *values) (bool, error) {
	n := min(v.n, sampleSize/4)
	if err := e.lengthsFirst(v, n); err != nil {
		return false, err
	}
	inFront := e.compressedSize(e.packed)
	e.entries = appendTexts(e.entries[:0], v, n)
	return inFront <= e.compressedSize(e.entries), nil
}

// lengthsFirst sets packed to the first n texts in DELTA_LENGTH_BYTE_ARRAY
// encoding.
func (e *chunkEncoder) lengthsFirst(v *values, n int) (err error) {
	offsets := []uint32{0} // the encoding has a header even without values
	if n > 0 {
		offsets = v.offsets[:n+1]
	}
	e.packed, err = new(delta.LengthByteArrayEncoding).EncodeByteArray(e.packed[:0], v.data[:offsets[n]], offsets)
	if err != nil {
		return fmt.Errorf("encode texts: %w", err)
	}
	return nil
}

// appendTexts appends the first n texts in PLAIN encoding.
func appendTexts(dst []byte, v *values, n int) []byte {
	for i := range n {
		b := v.bytes(i)
		dst = binary.LittleEndian.AppendUint32(dst, uint32(len(b)))
		dst = append(dst, b...)
	}
	return dst
}

// sample says whether integers compress better as differences, and to how many
// bytes sampleSize of them do.
func (e *chunkEncoder) sample(v *values) (asDifferences bool, cost int, err error) {
	first := values{kind: v.kind, n: min(v.n, sampleSize)}
	first.ints = v.ints[:first.n]
	if first.n == 0 {
		return false, 0, nil
	}
	if err := e.differences(&first); err != nil {
		return false, 0, err
	}
	differences := e.compressedSize(e.packed)
	e.entries = appendInts(e.entries[:0], &first)
	plain := e.compressedSize(e.entries)
	return differences <= plain, min(differences, plain) * sampleSize / first.n, nil
}

// differences sets packed to the integers in DELTA_BINARY_PACKED encoding.
func (e *chunkEncoder) differences(v *values) (err error) {
	if v.narrow() {
		e.int32s = e.int32s[:0]
		for _, x := range v.ints {
			e.int32s = append(e.int32s, int32(x))
		}
		e.packed, err = new(delta.BinaryPackedEncoding).EncodeInt32(e.packed[:0], e.int32s)
	} else {
		e.packed, err = new(delta.BinaryPackedEncoding).EncodeInt64(e.packed[:0], v.ints)
	}
	if err != nil {
		return fmt.Errorf("encode differences: %w", err)
	}
	return nil
}

// dictionaryPage is the values in PLAIN encoding.
func (e *chunkEncoder) dictionaryPage(v *values) []byte {
	e.entries = e.entries[:0]
	switch v.kind {
	case schemas.String:
		e.entries = appendTexts(e.entries, v, v.n)
	case schemas.UUID:
		e.entries = append(e.entries, v.data...)
	default:
		e.entries = appendInts(e.entries, v)
	}
	return e.entries
}

// appendInts appends integers, or the bits of doubles, in PLAIN encoding.
func appendInts(dst []byte, v *values) []byte {
	if v.narrow() {
		for _, x := range v.ints {
			dst = binary.LittleEndian.AppendUint32(dst, uint32(x))
		}
		return dst
	}
	for _, x := range v.ints {
		dst = binary.LittleEndian.AppendUint64(dst, uint64(x))
	}
	return dst
}

// page appends a header and the compressed body that it announces. Pages that
// do not shrink are compressed too, as readers expect one codec in all of a
// file's chunks of a column.
func (e *chunkEncoder) page(h *format.PageHeader, body []byte, meta *format.ColumnMetaData) error {
	if len(body) > math.MaxInt32 {
		return errors.New("a page exceeds 2 GiB: write smaller batches")
	}
	e.compressed = e.zstd.EncodeAll(body, e.compressed[:0])
	h.UncompressedPageSize = int32(len(body))
	h.CompressedPageSize = int32(len(e.compressed))
	e.header.Reset()
	e.thrift.Reset(new(thrift.CompactProtocol).NewWriter(&e.header))
	if err := e.thrift.Encode(h); err != nil {
		return fmt.Errorf("page header: %w", err)
	}
	e.out = append(e.out, e.header.Bytes()...)
	e.out = append(e.out, e.compressed...)
	meta.TotalUncompressedSize += int64(e.header.Len() + len(body))
	meta.TotalCompressedSize += int64(e.header.Len() + len(e.compressed))
	return nil
}

// bound states the least and the greatest of the values, in the order of their
// type: text and UUIDs by unsigned bytes, false before true, numbers by size.
func bound(v *values, s *format.Statistics) {
	if v.n == 0 {
		return
	}
	switch v.kind {
	case schemas.String, schemas.UUID:
		least, greatest := v.bytes(0), v.bytes(0)
		for i := 1; i < v.n; i++ {
			b := v.bytes(i)
			if bytes.Compare(b, least) < 0 {
				least = b
			} else if bytes.Compare(b, greatest) > 0 {
				greatest = b
			}
		}
		if max(len(least), len(greatest)) <= maxBound {
			s.MinValue, s.MaxValue = bytes.Clone(least), bytes.Clone(greatest)
		}
	case schemas.Bool:
		ones := bitutil.CountSetBits(v.data, 0, v.n)
		s.MinValue, s.MaxValue = []byte{0}, []byte{1}
		if ones == v.n {
			s.MinValue[0] = 1
		}
		if ones == 0 {
			s.MaxValue[0] = 0
		}
	case schemas.Float64:
		boundFloats(v.ints, s)
	case schemas.Int32, schemas.Date:
		s.MinValue = binary.LittleEndian.AppendUint32(nil, uint32(slices.Min(v.ints)))
		s.MaxValue = binary.LittleEndian.AppendUint32(nil, uint32(slices.Max(v.ints)))
	default:
		s.MinValue = binary.LittleEndian.AppendUint64(nil, uint64(slices.Min(v.ints)))
		s.MaxValue = binary.LittleEndian.AppendUint64(nil, uint64(slices.Max(v.ints)))
	}
}

// boundFloats leaves out the bounds where a NaN would lie outside them, and
// lets a zero bound include both zeros.
func boundFloats(ints []int64, s *format.Statistics) {
	floats := unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(ints))), len(ints))
	least, greatest := slices.Min(floats), slices.Max(floats)
	if math.IsNaN(least) {
		return
	}
	if least == 0 {
		least = math.Copysign(0, -1)
	}
	if greatest == 0 {
		greatest = 0
	}
	s.MinValue = binary.LittleEndian.AppendUint64(nil, math.Float64bits(least))
	s.MaxValue = binary.LittleEndian.AppendUint64(nil, math.Float64bits(greatest))
}
