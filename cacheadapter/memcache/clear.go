package memcache

import (
	"context"
	"crypto/rand"
	"errors"

	gomemcache "github.com/bradfitz/gomemcache/memcache"
)

// Clear implements verifier.Clearer: it begins a new generation, of which no
// entry is yet. Replay records have none. An entry whose Set has begun when
// Clear returns may stay or not.
func (s *Store) Clear(ctx context.Context) error {
	_, err := call(ctx, s, "clear", func() (struct{}, error) {
		return struct{}{}, s.client.Set(s.newGeneration())
	})
	return err
}

// newGeneration is random, so that no generation ever comes back, whatever
// memcached forgets.
func (s *Store) newGeneration() *gomemcache.Item {
	generation := make([]byte, generationSize)
	_, _ = rand.Read(generation) // does not fail
	return &gomemcache.Item{Key: s.generation, Value: generation}
}

// currentGeneration reads the generation, and begins one when there is none.
func (s *Store) currentGeneration() ([]byte, error) {
	for range 3 {
		item, err := s.item(s.generation)
		switch {
		case err != nil:
			return nil, err
		case item != nil && len(item.Value) == generationSize:
			return item.Value, nil
		}
		begun := s.newGeneration()
		if item != nil { // not ours: in the way
			err = s.client.Set(begun)
		} else {
			err = s.client.Add(begun)
		}
		// Somebody else may have been faster: then theirs counts.
		if !errors.Is(err, gomemcache.ErrNotStored) {
			return begun.Value, err
		}
	}
	return nil, errNoGeneration
}
