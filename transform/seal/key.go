package seal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"strings"
	"sync"
)

// keyBytes is the length of a key.
const keyBytes = 32

// Key seals and reveals. It may be used by several goroutines.
type Key struct {
	id      string
	domains map[domain]*cipherOf
	pages   *cipherOf
	code    *base32.Encoding // of sealed values
}

// ParseKey reads a key of 64 hexadecimal digits. Its errors quote nothing of it.
func ParseKey(text string) (*Key, error) {
	raw, err := hex.DecodeString(strings.TrimSpace(text))
	if err != nil || len(raw) != keyBytes {
		return nil, errors.New("it is not 64 hexadecimal digits; `openssl rand -hex 32` makes a key")
	}
	return newKey(raw)
}

func newKey(raw []byte) (*Key, error) {
	id, err := hkdf.Key(sha256.New, raw, nil, "seatlake key id 1", 8)
	if err != nil {
		return nil, fmt.Errorf("id of the key: %w", err)
	}
	k := &Key{id: hex.EncodeToString(id), domains: map[domain]*cipherOf{}, code: base32.NewEncoding(alphabet).WithPadding(base32.NoPadding)}
	for _, d := range domains() {
		if k.domains[d], err = newCipher(raw, "seatlake column 1 "+string(d)); err != nil {
			return nil, err
		}
	}
	k.pages, err = newCipher(raw, "seatlake page 1")
	return k, err
}

// ID tells keys apart and nothing of the key: 16 hexadecimal digits. A lake records
// that of its key.
func (k *Key) ID() string { return k.id }

// ivBytes is the length of a synthetic IV, which authenticates the text as well.
const ivBytes = aes.BlockSize

// cipherOf encrypts deterministically: equal texts give equal bytes.
type cipherOf struct {
	block   cipher.Block
	workers sync.Pool // of *worker, keyed
}

// worker is what one seal at a time needs.
type worker struct {
	mac     hash.Hash
	sum     [sha256.Size]byte
	counter [aes.BlockSize]byte
	stream  [aes.BlockSize]byte
	text    []byte // padded
	sealed  []byte
}

func newCipher(key []byte, purpose string) (*cipherOf, error) {
	derived, err := hkdf.Key(sha256.New, key, nil, purpose, 2*keyBytes)
	if err != nil {
		return nil, fmt.Errorf("key for %s: %w", purpose, err)
	}
	block, err := aes.NewCipher(derived[:keyBytes])
	if err != nil {
		return nil, fmt.Errorf("key for %s: %w", purpose, err)
	}
	macKey := derived[keyBytes:]
	c := &cipherOf{block: block}
	c.workers.New = func() any { return &worker{mac: hmac.New(sha256.New, macKey)} }
	return c, nil
}

// seal appends the IV and the encrypted text to dst.
func (c *cipherOf) seal(dst, text []byte) []byte {
	w := c.workers.Get().(*worker)
	defer c.workers.Put(w)
	return c.sealWith(w, dst, text)
}

func (c *cipherOf) sealWith(w *worker, dst, text []byte) []byte {
	at := len(dst)
	dst = append(dst, w.iv(text)...)
	dst = append(dst, text...)
	c.xor(w, dst[at:at+ivBytes], dst[at+ivBytes:])
	return dst
}

// errNotSealed says that bytes were not sealed with the key, or were changed since.
var errNotSealed = errors.New("it was not sealed with this key, or was changed since")

// open gives the text of what seal made.
func (c *cipherOf) open(sealed []byte) ([]byte, error) {
	if len(sealed) < ivBytes {
		return nil, errNotSealed
	}
	w := c.workers.Get().(*worker)
	defer c.workers.Put(w)
	text := bytes.Clone(sealed[ivBytes:])
	c.xor(w, sealed[:ivBytes], text)
	if !hmac.Equal(w.iv(text), sealed[:ivBytes]) {
		return nil, errNotSealed
	}
	return text, nil
}

// iv is the synthetic IV of a text, until the worker's next one.
func (w *worker) iv(text []byte) []byte {
	w.mac.Reset()
	w.mac.Write(text)
	return w.mac.Sum(w.sum[:0])[:ivBytes]
}

// short is the length of texts for which setting up cipher.NewCTR takes longer than
// counting here does.
const short = 256

// xor encrypts or decrypts in place by CTR.
func (c *cipherOf) xor(w *worker, iv, text []byte) {
	if len(text) > short {
		cipher.NewCTR(c.block, iv).XORKeyStream(text, text)
		return
	}
	copy(w.counter[:], iv)
	for len(text) > 0 {
		c.block.Encrypt(w.stream[:], w.counter[:])
		text = text[subtle.XORBytes(text, text, w.stream[:]):]
		for i := len(w.counter) - 1; i >= 0; i-- {
			if w.counter[i]++; w.counter[i] != 0 {
				break
			}
		}
	}
}
