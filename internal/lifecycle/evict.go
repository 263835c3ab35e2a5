package lifecycle

import "sync"

const (
	// entryCost is what an entry takes beside its documents, in bytes: itself,
	// the description of its source, and its place in the store.
	entryCost = 1 << 10
	// maxSteps bounds how far the hand moves for one eviction.
	maxSteps = 128
)

// room bounds the memory of the entries that are not pinned. Entries whose keys
// have verified nothing yet are strangers: they go first, the oldest first, so
// that tokens that nobody signed drive out no issuer in use. Entries in use are
// kept by SIEVE with a short memory of how often: a hand goes from the oldest to
// the newest, takes one use off each entry that has any left, and drops the
// first that has none. Both cost a constant time.
type room struct {
	mu        sync.Mutex
	maxBytes  int64
	maxCount  int
	bytes     int64
	strangers list
	proven    list
	hand      *Entry
}

// place is where an entry is in a room.
type place struct {
	in         *list
	prev, next *Entry
	bytes      int64
}

// list is a queue of entries; the oldest is the tail.
type list struct {
	head, tail *Entry
	len        int
}

func (r *room) init(p *Policy) { r.maxBytes, r.maxCount = p.MaxBytes, p.MaxIssuers }

// account notes how much an entry takes now, puts it into the room if it is not
// there, and drops others until all fit.
func (s *Store) account(e *Entry) {
	if e.pinned {
		return
	}
	bytes := e.size()
	r := &s.room
	var live []string
	r.mu.Lock()
	if e.place.in == nil {
		e.place.bytes = 0
		r.strangers.push(e)
		s.entries.LoadOrStore(e.key, e)
	}
	r.bytes += bytes - e.place.bytes
	e.place.bytes = bytes
	for r.bytes > r.maxBytes || r.maxCount > 0 && r.strangers.len+r.proven.len > r.maxCount {
		victim, wasUsed := r.victim(e)
		if victim == nil {
			break
		}
		s.entries.CompareAndDelete(victim.key, victim)
		v := victim.view.Swap(nil)
		if wasUsed && v.servable(s.now(), len(victim.docs)) {
			live = append(live, victim.key.Issuer)
		}
	}
	r.mu.Unlock()
	for _, issuer := range live {
		s.observe(Event{Kind: EventEvicted, Issuer: issuer})
	}
}

// size estimates the memory that an entry takes.
func (e *Entry) size() int64 {
	bytes := int64(entryCost)
	if v := e.view.Load(); v != nil {
		for i, snap := range v.docs[:len(e.docs)] {
			if snap != nil {
				bytes += int64(len(snap.body) + e.docs[i].Size(snap.Value))
			}
		}
	}
	return bytes
}

// victim takes an entry out of the room, never the one given, and reports
// whether its keys ever verified anything. It returns nil when there is no other.
func (r *room) victim(not *Entry) (e *Entry, used bool) {
	for range r.strangers.len {
		e := r.strangers.tail
		r.strangers.remove(e)
		switch {
		case e.used.Load() > 0: // it has proven itself meanwhile
			r.proven.push(e)
		case e == not:
			r.strangers.push(e)
		default:
			r.bytes -= e.place.bytes
			return e, false
		}
	}
	return r.sieve(not), true
}

// sieve takes out the first entry from the hand on that has no use left, or the
// one at hand after maxSteps.
func (r *room) sieve(not *Entry) *Entry {
	if r.proven.len == 0 || r.proven.len == 1 && r.proven.tail == not {
		return nil
	}
	e := r.hand
	for step := 0; ; step++ {
		if e == nil {
			e = r.proven.tail
		}
		if e != not && (step >= maxSteps || !e.spared()) {
			break
		}
		e = e.place.prev
	}
	r.hand = e.place.prev
	r.proven.remove(e)
	r.bytes -= e.place.bytes
	return e
}

// maxUses is how many uses of an entry are remembered.
const maxUses = 3

// spared reports whether an entry has a use left, and takes it off.
func (e *Entry) spared() bool {
	uses := e.used.Load()
	if uses == 0 {
		return false
	}
	e.used.Store(uses - 1)
	return true
}

func (l *list) push(e *Entry) {
	e.place.in, e.place.prev, e.place.next = l, nil, l.head
	if l.head != nil {
		l.head.place.prev = e
	} else {
		l.tail = e
	}
	l.head = e
	l.len++
}

func (l *list) remove(e *Entry) {
	if e.place.prev != nil {
		e.place.prev.place.next = e.place.next
	} else {
		l.head = e.place.next
	}
	if e.place.next != nil {
		e.place.next.place.prev = e.place.prev
	} else {
		l.tail = e.place.prev
	}
	e.place.in, e.place.prev, e.place.next = nil, nil, nil
	l.len--
}
