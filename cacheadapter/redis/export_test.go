package redis

// InFlight returns how many calls have a place.
func InFlight(s *Store) int { return len(s.slots) }
