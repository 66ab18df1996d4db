package parquet

import (
	"bytes"
	"errors"
	"io"

	pq "github.com/parquet-go/parquet-go"
)

// Mentions says whether a file may hold one of some byte strings in its texts and
// fixed-size binaries. Texts are compared in lower case, which the strings must be in
// already. It reads dictionaries in place of rows where it can, and may say yes for a
// string that stands across two values or in a dictionary alone; it never says no
// for one that is there.
func Mentions(r io.ReaderAt, size int64, texts, binaries [][]byte) (bool, error) {
	file, err := openFile(r, size)
	if err != nil {
		return false, err
	}
	for _, group := range file.RowGroups() {
		for _, chunk := range group.ColumnChunks() {
			kind := chunk.Type().Kind()
			if kind != pq.ByteArray && kind != pq.FixedLenByteArray {
				continue
			}
			found, err := chunkMentions(chunk, kind, texts, binaries)
			if found || err != nil {
				return found, err
			}
		}
	}
	return false, nil
}

func chunkMentions(chunk pq.ColumnChunk, kind pq.Kind, texts, binaries [][]byte) (found bool, err error) {
	pages := chunk.Pages()
	defer func() { err = errors.Join(err, pages.Close()) }()
	known := false // whether the chunk's dictionary was looked at
	for {
		page, err := pages.ReadPage()
		if errors.Is(err, io.EOF) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
		if d := page.Dictionary(); d != nil {
			if known {
				continue
			}
			known, page = true, d.Page()
		}
		data := page.Data()
		if kind == pq.FixedLenByteArray {
			body, _ := data.FixedLenByteArray()
			if containsAny(body, binaries) {
				return true, nil
			}
			continue
		}
		body, _ := data.ByteArray()
		if containsAny(bytes.ToLower(body), texts) {
			return true, nil
		}
	}
}

func containsAny(body []byte, wanted [][]byte) bool {
	for _, w := range wanted {
		if bytes.Contains(body, w) {
			return true
		}
	}
	return false
}
