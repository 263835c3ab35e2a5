package memcache

import (
	"crypto/rand"
	"errors"
	"sync"
	"time"

	gomemcache "github.com/bradfitz/gomemcache/memcache"
)

// maxGenerationTTL is the longest Config.GenerationTTL.
const maxGenerationTTL = time.Minute

// generations remembers the generation that was read last, for a time.
type generations struct {
	ttl time.Duration // 0: nothing is remembered
	now func() time.Time

	mu      sync.Mutex // held for moments only
	current []byte     // nil: unknown
	asked   time.Time
	clears  int // that ended: what was asked before that is not remembered after it
}

// remembered returns the generation, or nil when it has to be asked for. A clock
// that was set back makes nothing live longer.
func (g *generations) remembered() []byte {
	if g.ttl == 0 {
		return nil
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	now := g.now()
	if now.Before(g.asked) || !now.Before(g.asked.Add(g.ttl)) {
		g.current = nil
	}
	return g.current
}

// asking begins a question for the generation, and returns how to remember its
// answer. The time counts from the question on.
func (g *generations) asking() (remember func(generation []byte)) {
	g.mu.Lock()
	defer g.mu.Unlock()
	asked, clears := g.now(), g.clears
	return func(generation []byte) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if clears == g.clears && len(generation) == generationSize {
			g.current, g.asked = generation, asked
		}
	}
}

// cleared forgets the generation at the end of a Clear, whatever came of it.
func (g *generations) cleared() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.clears++
	g.current = nil
}

// askGeneration reads the generation from the server. It is nil when there is
// none.
func (s *Store) askGeneration() ([]byte, error) {
	remember := s.generations.asking()
	item, err := s.item(s.generation)
	if err != nil || item == nil {
		return nil, err
	}
	remember(item.Value)
	return item.Value, nil
}

// currentGeneration returns the generation to write with, and begins one when
// there is none.
func (s *Store) currentGeneration() ([]byte, error) {
	if generation := s.generations.remembered(); generation != nil {
		return generation, nil
	}
	for range 3 {
		generation, err := s.askGeneration()
		if err != nil || len(generation) == generationSize {
			return generation, err
		}
		begun := s.newGeneration()
		if generation != nil { // not ours: in the way
			err = s.client.Set(begun)
		} else {
			err = s.client.Add(begun)
		}
		// Another process may have been faster: then its generation counts.
		if !errors.Is(err, gomemcache.ErrNotStored) {
			return begun.Value, err
		}
	}
	return nil, errNoGeneration
}

// newGeneration is random, so that no generation ever comes back, whatever
// memcached forgets.
func (s *Store) newGeneration() *gomemcache.Item {
	generation := make([]byte, generationSize)
	_, _ = rand.Read(generation) // does not fail
	return &gomemcache.Item{Key: s.generation, Value: generation}
}
