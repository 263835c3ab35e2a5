package memcache

import "context"

// Clear implements verifier.Clearer: it begins a new generation, of which no
// entry is yet. Replay records have none. An entry whose Set has begun when
// Clear returns may stay or not. It counts for this Store when it returns, and
// for others at once, or after Config.GenerationTTL of theirs at the latest.
func (s *Store) Clear(ctx context.Context) error {
	_, err := call(ctx, s, "clear", func() (struct{}, error) {
		defer s.generations.cleared()
		return struct{}{}, s.client.Set(s.newGeneration())
	})
	return err
}
