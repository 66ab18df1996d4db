package graph

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"seatlake/pipeline"
)

var (
	// errNoSpool is the kind of an error that the spool's disk makes. The server has
	// no part in it, so that asking again mends nothing.
	errNoSpool = errors.New("spool a report")

	// errTooLong says that a body is longer than it may be.
	errTooLong = errors.New("too long")
)

// spool writes a report to a temporary file as it comes: its first bytes, which
// have been read, and the rest. No file is left when there is an error.
func (c *Client) spool(first []byte, rest io.Reader, most int64) (*pipeline.Spool, error) {
	f, err := os.CreateTemp(c.config.SpoolDir, "report-") // 0600
	if err != nil {
		return nil, noSpool(err)
	}
	w := &spoolWriter{f: f, sum: sha256.New()}
	_, err = io.Copy(w, io.LimitReader(io.MultiReader(bytes.NewReader(first), rest), most+1))
	if err == nil && w.size > most {
		err = errTooLong
	}
	if closed := f.Close(); err == nil && closed != nil {
		err = noSpool(closed)
	}
	if err != nil {
		os.Remove(f.Name())
		return nil, err
	}
	return &pipeline.Spool{Path: f.Name(), Size: w.size, SHA256: hex.EncodeToString(w.sum.Sum(nil)), Temporary: true}, nil
}

// spoolWriter is a file being written, and the hash of what was written.
type spoolWriter struct {
	f    *os.File
	sum  hash.Hash
	size int64
}

func (w *spoolWriter) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	w.sum.Write(p[:n])
	w.size += int64(n)
	if err != nil {
		err = noSpool(err)
	}
	return n, err
}

// noSpool names the file, which err does, and the cure.
func noSpool(err error) error {
	return fmt.Errorf("%w: %w (a report of many users needs some hundred MB there: make room, let the user that runs seatlake write, and run again)", errNoSpool, err)
}
