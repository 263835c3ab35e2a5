package lifecycle

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
	e := &entry[T]{issuer: issuer}
	e.used.Store(s.epoch.Add(2))
	s.entries.Store(issuer, e)
	s.count.Add(1)
	return e
}

// touch marks an entry as used since the last new issuer came. It writes only
// when that is news, so that cores do not fight over the memory: recency is
// exact between issuers used before and after an insertion, which is when it
// matters.
func (s *Store[T]) touch(e *entry[T]) {
	if now := s.epoch.Load() + 1; e.used.Load() < now {
		e.used.Store(now)
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
