package replay

import (
	"crypto/sha256"
	"sync"
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
}

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

// expire removes what is not live at now and returns how many entries that
// were.
func (s *shard) expire(now int64) (removed int64) {
	for len(s.queue) > 0 && s.queue[0].expires <= now {
		e := s.pop()
		delete(s.live, e.digest)
		if e.prefix != 0 {
			if s.perPrefix[e.prefix]--; s.perPrefix[e.prefix] == 0 {
				delete(s.perPrefix, e.prefix)
			}
		}
		removed++
	}
	if len(s.queue) == 0 && cap(s.queue) > keptCapacity {
		s.live, s.perPrefix, s.queue = nil, nil, nil
	}
	return removed
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
