package decode

import (
	"math/bits"
	"sync"

	"github.com/apache/arrow-go/v18/arrow/memory"
)

// pool is the allocator of the batches' buffers. A buffer whose last holder
// releases it comes back here and serves the next batch; one that is still held
// does not, so that a retained batch keeps its rows. Holders may release from
// any goroutine, also after the stream has ended.
type pool struct {
	mem memory.Allocator

	mu     sync.Mutex
	free   [48][][]byte // by power of two of their capacity
	closed bool
}

// minBuffer is the capacity of the smallest buffer, one cache line.
const minBuffer = 64

// Allocate gives a buffer of that length with a capacity of a power of two. Its
// bytes are not cleared.
func (p *pool) Allocate(size int) []byte {
	class := bits.Len(uint(max(size, minBuffer) - 1))
	p.mu.Lock()
	if last := len(p.free[class]) - 1; last >= 0 {
		b := p.free[class][last]
		p.free[class] = p.free[class][:last]
		p.mu.Unlock()
		return b[:size]
	}
	p.mu.Unlock()
	b := p.mem.Allocate(1 << class)
	return b[:size:len(b)]
}

// Reallocate is part of memory.Allocator.
func (p *pool) Reallocate(size int, b []byte) []byte {
	if size <= cap(b) {
		return b[:size]
	}
	next := p.Allocate(size)
	copy(next, b)
	p.Free(b)
	return next
}

// Free takes a buffer back. It is called by Arrow when a buffer's last holder
// releases it.
func (p *pool) Free(b []byte) {
	if cap(b) == 0 {
		return
	}
	b = b[:cap(b)]
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		p.mem.Free(b)
		return
	}
	class := bits.Len(uint(len(b) - 1))
	p.free[class] = append(p.free[class], b)
	p.mu.Unlock()
}

// close frees what is not held; what is held is freed when it is released.
func (p *pool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for class := range p.free {
		for _, b := range p.free[class] {
			p.mem.Free(b)
		}
		p.free[class] = nil
	}
}
