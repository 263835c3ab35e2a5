package replay

import (
	"crypto/sha256"
	"slices"
	"sync"
	"time"
)

// digest stands for a key: the first half of its SHA-256. Who finds two keys
// with one digest, after 2^64 attempts, has the second of them refused; to meet
// the key of somebody else takes 2^128. The half keeps a full store small.
type digest [sha256.Size / 2]byte

func digestOf(key string) digest {
	var space [128]byte // the Verifier's keys fit, and spare the heap
	sum := sha256.Sum256(append(space[:0], key...))
	return digest(sum[:len(digest{})])
}

// entry is what the store knows of a key.
type entry struct {
	digest  digest
	expires int64  // Unix nanoseconds; live while now is before it
	prefix  uint64 // seeded hash of the key's prefix, or 0
}

// shard is a part of the store with a lock of its own.
type shard struct {
	mu        sync.Mutex
	live      map[digest]struct{}
	perPrefix map[uint64]uint32
	queue     []entry // binary heap: the entry that expires first is the first

	// retired are entries that have expired, oldest first, and last is the time
	// at which they had: should the clock be set back, some of them are live
	// again.
	retired []entry
	last    int64
}

// retention is how long an expired entry is kept in case the clock was wrong and
// is set back: by an hour, and the time that takes to notice.
const retention = int64(2 * time.Hour)

// keptCapacity is the room for entries that an emptied shard keeps; what a
// burst took beyond it is given back.
const keptCapacity = 64

func (s *shard) add(e entry) {
	if s.live == nil {
		s.live = make(map[digest]struct{})
		s.perPrefix = make(map[uint64]uint32)
	}
	s.live[e.digest] = struct{}{}
	if e.prefix != 0 {
		s.perPrefix[e.prefix]++
	}
	s.push(e)
}

// disorder is how far the times of concurrent calls may be apart: a call that was
// held up after it looked at the clock is no clock that was set back.
const disorder = int64(100 * time.Millisecond)

// expire retires what is not live at now and returns how many entries left. A
// clock that was set back brings entries back: then the number is negative.
func (s *shard) expire(now int64) (removed int64) {
	if now < s.last-disorder {
		removed -= s.restore(now)
		s.last = now
	}
	s.last = max(s.last, now)
	for len(s.queue) > 0 && s.queue[0].expires <= now {
		e := s.pop()
		delete(s.live, e.digest)
		if e.prefix != 0 {
			if s.perPrefix[e.prefix]--; s.perPrefix[e.prefix] == 0 {
				delete(s.perPrefix, e.prefix)
			}
		}
		s.retired = append(s.retired, e)
		removed++
	}
	if len(s.queue) == 0 && cap(s.queue) > keptCapacity {
		s.live, s.perPrefix, s.queue = nil, nil, nil
	}
	return removed
}

// restore makes retired entries live again that have not expired at now, and
// returns how many.
func (s *shard) restore(now int64) (restored int64) {
	kept := s.retired[:0]
	for _, e := range s.retired {
		if _, known := s.live[e.digest]; known || e.expires <= now {
			kept = append(kept, e)
			continue
		}
		s.add(e)
		restored++
	}
	s.retired = kept
	return restored
}

// forget drops retired entries: those that are too old to come back, and the
// oldest of more than most. It returns how many are left.
func (s *shard) forget(now int64, most int) int {
	n := max(0, len(s.retired)-most)
	for n < len(s.retired) && s.retired[n].expires <= now-retention {
		n++
	}
	switch {
	case n == len(s.retired):
		s.retired = nil
	case n > 0:
		s.retired = append(s.retired[:0], s.retired[n:]...)
		if cap(s.retired) > 4*len(s.retired)+keptCapacity {
			s.retired = slices.Clone(s.retired)
		}
	}
	return len(s.retired)
}

func (s *shard) push(e entry) {
	s.queue = append(s.queue, e)
	q, i := s.queue, len(s.queue)-1
	for i > 0 {
		parent := (i - 1) / 2
		if q[parent].expires <= e.expires {
			break
		}
		q[i] = q[parent]
		i = parent
	}
	q[i] = e
}

// pop takes the first entry off the queue, which is not empty.
func (s *shard) pop() entry {
	q := s.queue
	first, moved := q[0], q[len(q)-1]
	q = q[:len(q)-1]
	s.queue = q
	i := 0
	for {
		child := 2*i + 1
		if child >= len(q) {
			break
		}
		if child+1 < len(q) && q[child+1].expires < q[child].expires {
			child++
		}
		if moved.expires <= q[child].expires {
			break
		}
		q[i] = q[child]
		i = child
	}
	if len(q) > 0 {
		q[i] = moved
	}
	return first
}
