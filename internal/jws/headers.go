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

// NewHeaders returns a memory for at most max headers.
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
	if h == nil || h.get(header.Segment) != nil {
		return
	}
	if h.count.Add(1) > h.max {
		h.m.Clear()
		h.count.Store(1)
	}
	h.m.Store(header.Segment, header)
}

// Len returns how many headers are remembered.
func (h *Headers) Len() int {
	n := 0
	h.m.Range(func(any, any) bool { n++; return true })
	return n
}
