package jws

import (
	"sync"
	"sync/atomic"
)

// Headers remembers parsed headers by their base64url text. An issuer signs
// all its tokens with a handful of headers, so most parses are saved. Only
// headers of verified tokens are to be remembered: then no client can fill it.
// Safe for concurrent use; reading takes no lock.
type Headers struct {
	max   int64
	count atomic.Int64
	m     sync.Map // string -> *Header
}

// NewHeaders returns a memory for at most max headers. A header counts once for
// each KiB that it has begun, so that long ones take no more memory than many.
func NewHeaders(max int) *Headers { return &Headers{max: int64(max)} }

func (h *Headers) get(segment string) *Header {
	if h == nil {
		return nil
	}
	if v, ok := h.m.Load(segment); ok {
		return v.(*Header)
	}
	return nil
}

// Remember keeps the header of a verified token. When the memory is full it
// starts anew: what is in use comes back at once.
func (h *Headers) Remember(header *Header) {
	if h == nil || header.remembered || h.get(header.Segment) != nil {
		return
	}
	header.remembered = true // before others can read it
	weight := Weight(header.Segment)
	if h.count.Add(weight) > h.max {
		h.m.Clear()
		h.count.Store(weight)
	}
	h.m.Store(header.Segment, header)
}

// Weight is how much a remembered header counts.
func Weight(segment string) int64 { return 1 + int64(len(segment)>>10) }

// Len returns how many headers are remembered.
func (h *Headers) Len() int {
	n := 0
	h.m.Range(func(any, any) bool { n++; return true })
	return n
}
