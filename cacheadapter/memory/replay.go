package memory

import (
	"container/heap"
	"context"
	"crypto/sha256"
	"errors"
	"hash/maphash"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Add implements verifier.ReplayStore. It fails with [ErrFull] or [ErrQuota]
// where it would have to forget a live record.
func (s *Store) Add(ctx context.Context, key string, ttl time.Duration) (added bool, err error) {
	if err := ctx.Err(); err != nil {
		return false, err
	}
	if ttl <= 0 {
		return true, nil
	}
	now := s.now()
	return s.records.add(key, now.UnixNano(), deadline(now, ttl))
}

// records are the replay records: stripes with a lock each, all records of a
// prefix in one stripe. bigcache is no place for them: it forgets the oldest
// entries to make room, and cannot add atomically.
type records struct {
	max, maxPerPrefix int64
	live              atomic.Int64
	seed              maphash.Seed
	stripes           [64]stripe
}

// digest is half a SHA-256: to find a key that meets one of somebody else takes
// 2^128 attempts.
type digest [16]byte

type record struct {
	digest  digest
	prefix  uint64 // 0: none
	expires int64
}

type stripe struct {
	mu     sync.Mutex
	known  map[digest]struct{}
	counts map[uint64]int64 // by prefix
	queue  queue            // the record that expires first is the first
}

func newRecords(max, maxPerPrefix int) *records {
	r := &records{max: int64(max), maxPerPrefix: int64(maxPerPrefix), seed: maphash.MakeSeed()}
	for i := range r.stripes {
		r.stripes[i].known = make(map[digest]struct{})
		r.stripes[i].counts = make(map[uint64]int64)
	}
	return r
}

func (r *records) add(key string, now, expires int64) (added bool, err error) {
	sum := sha256.Sum256([]byte(key))
	entry := record{digest: digest(sum[:16]), expires: expires}
	s := &r.stripes[sum[16]%64]
	if prefix, _, found := strings.Cut(key, "."); found {
		entry.prefix = maphash.String(r.seed, prefix) | 1
		s = &r.stripes[entry.prefix>>58]
	}
	added, err = r.addTo(s, entry, now)
	if errors.Is(err, ErrFull) && r.expireAll(now) {
		added, err = r.addTo(s, entry, now)
	}
	return added, err
}

func (r *records) addTo(s *stripe, entry record, now int64) (added bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r.live.Add(-s.expire(now))
	if _, known := s.known[entry.digest]; known {
		return false, nil
	}
	if entry.prefix != 0 && s.counts[entry.prefix] >= r.maxPerPrefix {
		return false, ErrQuota
	}
	if r.live.Add(1) > r.max {
		r.live.Add(-1)
		return false, ErrFull
	}
	s.known[entry.digest] = struct{}{}
	if entry.prefix != 0 {
		s.counts[entry.prefix]++
	}
	heap.Push(&s.queue, entry)
	return true, nil
}

// expireAll makes room in a full table by what has expired in other stripes,
// and reports whether there is room now.
func (r *records) expireAll(now int64) bool {
	for i := range r.stripes {
		s := &r.stripes[i]
		s.mu.Lock()
		r.live.Add(-s.expire(now))
		s.mu.Unlock()
	}
	return r.live.Load() < r.max
}

// expire removes the records that are not live any more and returns how many
// they were.
func (s *stripe) expire(now int64) (removed int64) {
	for len(s.queue) > 0 && s.queue[0].expires <= now {
		entry := heap.Pop(&s.queue).(record)
		delete(s.known, entry.digest)
		if entry.prefix != 0 {
			if s.counts[entry.prefix]--; s.counts[entry.prefix] == 0 {
				delete(s.counts, entry.prefix)
			}
		}
		removed++
	}
	if removed > 0 && len(s.queue) == 0 && cap(s.queue) > 64 {
		// What a burst took is given back.
		s.known, s.counts, s.queue = make(map[digest]struct{}), make(map[uint64]int64), nil
	}
	return removed
}

// queue is a heap.Interface.
type queue []record

func (q queue) Len() int           { return len(q) }
func (q queue) Less(i, j int) bool { return q[i].expires < q[j].expires }
func (q queue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue) Push(x any)        { *q = append(*q, x.(record)) }
func (q *queue) Pop() any {
	last := len(*q) - 1
	x := (*q)[last]
	*q = (*q)[:last]
	return x
}
