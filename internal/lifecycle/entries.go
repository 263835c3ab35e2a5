package lifecycle

import "strings"

// entry returns the entry of an issuer, making room for it when it is new.
func (s *Store[T]) entry(issuer string) *entry[T] {
	if v, ok := s.entries.Load(issuer); ok {
		e := v.(*entry[T])
		s.touch(e)
		return e
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if v, ok := s.entries.Load(issuer); ok {
		return v.(*entry[T])
	}
	for s.count.Load() >= int64(s.cfg.Policy.MaxIssuers) {
		s.evict()
	}
	// The name may be a part of a token, which is not to be kept.
	issuer = strings.Clone(issuer)
	e := &entry[T]{issuer: issuer}
	e.used.Store(s.epoch.Add(1))
	s.entries.Store(issuer, e)
	s.count.Add(1)
	return e
}

// touch marks an entry as used. It writes only when a quarter of the capacity
// has been used since, so that cores do not fight over the memory on every
// request: recency is exact to that quarter, which is enough to keep what is in
// use.
func (s *Store[T]) touch(e *entry[T]) {
	slack := uint64(s.cfg.Policy.MaxIssuers / 4)
	if e.used.Load()+slack < s.epoch.Load() {
		e.used.Store(s.epoch.Add(1))
	}
}

// evict drops the issuer used longest ago. It looks at all of them, which is
// little beside the fetch that follows.
func (s *Store[T]) evict() {
	var oldest *entry[T]
	s.entries.Range(func(_, v any) bool {
		if e := v.(*entry[T]); oldest == nil || e.used.Load() < oldest.used.Load() {
			oldest = e
		}
		return true
	})
	if oldest != nil {
		s.entries.Delete(oldest.issuer)
		s.count.Add(-1)
	}
}

// Len returns how many issuers are held.
func (s *Store[T]) Len() int { return int(s.count.Load()) }
