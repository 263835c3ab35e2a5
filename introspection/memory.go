package introspection

import (
	"container/list"
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"sync"
	"time"
)

// key stands for a question: a hash of the token and of whom is asked, as whom.
type key [sha256.Size]byte

// keyOf hashes texts so that no two lists give the same input: lengths come before
// what they count.
func keyOf(texts ...string) (k key) {
	h := sha256.New()
	for _, text := range texts {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(text)))
		h.Write(length[:])
		h.Write([]byte(text))
	}
	h.Sum(k[:0])
	return k
}

// setBack is by how much a clock can be set back without what is remembered being
// forgotten.
const setBack = time.Minute

// span is when something is remembered.
type span struct{ stored, until int64 } // Unix nanoseconds

func (s span) holds(now time.Time) bool {
	at := now.UnixNano()
	return at < s.until && at >= s.stored-int64(setBack)
}

// active remembers positive answers, or without their claims that they were
// positive, bounded in bytes.
type active struct {
	max int

	mu    sync.Mutex
	size  int
	order *list.List // of *remembered; most recently used first
	byKey map[key]*list.Element
}

type remembered struct {
	key    key
	claims []byte
	span
}

// entrySize is about what an entry takes beside its claims.
const entrySize = 256

func newActive(max int) *active {
	return &active{max: max, order: list.New(), byKey: make(map[key]*list.Element)}
}

// get returns claims that the caller owns, or nil.
func (a *active) get(k key, now time.Time) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	e := a.find(k, now)
	if e == nil {
		return nil
	}
	a.order.MoveToFront(e)
	return slices.Clone(e.Value.(*remembered).claims)
}

// has reports whether there is an answer; that is no use of it.
func (a *active) has(k key, now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.find(k, now) != nil
}

// find returns what is remembered, or nil. It forgets what has ended.
func (a *active) find(k key, now time.Time) *list.Element {
	e := a.byKey[k]
	if e != nil && !e.Value.(*remembered).holds(now) {
		a.remove(e)
		return nil
	}
	return e
}

func (a *active) drop(k key) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.byKey[k]; e != nil {
		a.remove(e)
	}
}

func (a *active) put(k key, claims []byte, s span) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if e := a.byKey[k]; e != nil {
		a.remove(e)
	}
	if len(claims)+entrySize > a.max {
		return
	}
	a.byKey[k] = a.order.PushFront(&remembered{k, slices.Clone(claims), s})
	for a.size += len(claims) + entrySize; a.size > a.max; {
		a.remove(a.order.Back())
	}
}

func (a *active) remove(e *list.Element) {
	r := a.order.Remove(e).(*remembered)
	delete(a.byKey, r.key)
	a.size -= len(r.claims) + entrySize
}

// inactive remembers negative answers, bounded in number. All are remembered for
// the same time, so the oldest is the first to end.
type inactive struct {
	max int

	mu    sync.Mutex
	ring  []key // oldest at next, once it is full
	next  int
	byKey map[key]denial
}

// denial is a negative answer, and where in the ring it is.
type denial struct {
	span
	place int
}

func newInactive(max int) *inactive { return &inactive{max: max, byKey: make(map[key]denial)} }

func (i *inactive) has(k key, now time.Time) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	d, ok := i.byKey[k]
	return ok && d.holds(now)
}

func (i *inactive) put(k key, s span) {
	i.mu.Lock()
	defer i.mu.Unlock()
	place := len(i.ring)
	if place < i.max {
		i.ring = append(i.ring, k)
	} else {
		place = i.next
		i.next = (i.next + 1) % i.max
		if old := i.ring[place]; i.byKey[old].place == place {
			delete(i.byKey, old)
		}
		i.ring[place] = k
	}
	i.byKey[k] = denial{s, place}
}
