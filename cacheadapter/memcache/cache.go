package memcache

import (
	"cmp"
	"context"
	"errors"
	"time"

	gomemcache "github.com/bradfitz/gomemcache/memcache"
)

// Get implements verifier.Cache.
func (s *Store) Get(ctx context.Context, key string) (value []byte, ok bool, err error) {
	key = name(s.cache, key)
	value, err = call(ctx, s, "get", func() ([]byte, error) {
		generation := s.generations.remembered()
		if generation == nil {
			return s.getBoth(key)
		}
		item, err := s.item(key)
		if err != nil || item == nil {
			return nil, err
		}
		if !of(item.Value, generation) {
			// It was written after a Clear that this Store does not know of, or
			// before one.
			if generation, err = s.askGeneration(); err != nil {
				return nil, err
			}
		}
		return s.open(item.Value, generation), nil
	})
	return value, value != nil && err == nil, err
}

// getBoth asks for an entry and for the generation at once.
func (s *Store) getBoth(key string) ([]byte, error) {
	type result struct {
		generation []byte
		err        error
	}
	// By hand: the client's own call for several keys makes goroutines in which
	// an answer of nonsense panics.
	asked := make(chan result, 1)
	go func() {
		generation, err := s.askGeneration()
		asked <- result{generation, err}
	}()
	item, err := s.item(key)
	current := <-asked
	if err = cmp.Or(err, current.err); err != nil || item == nil {
		return nil, err
	}
	return s.open(item.Value, current.generation), nil
}

// open returns the value in an envelope, or nil.
func (s *Store) open(envelope, generation []byte) []byte {
	value, ok := open(envelope, generation, s.now())
	if !ok {
		return nil
	}
	return value
}

// item returns what memcached has under a key, or nil.
func (s *Store) item(key string) (item *gomemcache.Item, err error) {
	defer guard(&err)
	item, err = s.client.Get(key)
	if errors.Is(err, gomemcache.ErrCacheMiss) {
		return nil, nil
	}
	return item, err
}

// Set implements verifier.Cache. It refuses values beyond
// Config.MaxValueSize, or beyond what the server takes, with [ErrTooLarge].
func (s *Store) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if ttl <= 0 {
		return s.Delete(ctx, key)
	}
	if len(value) > s.maxValue {
		return ErrTooLarge
	}
	now := s.now()
	seconds, _ := expiration(now, ttl)
	// A copy also because a call that is given up still writes, when the caller
	// may have changed its slice already.
	envelope := seal(make([]byte, generationSize), deadline(now, ttl), value)
	_, err := call(ctx, s, "set", func() (struct{}, error) {
		generation, err := s.currentGeneration()
		if err != nil {
			return struct{}{}, err
		}
		copy(envelope[1:], generation)
		return struct{}{}, s.client.Set(&gomemcache.Item{Key: name(s.cache, key), Value: envelope, Expiration: seconds})
	})
	return err
}

// Delete implements verifier.Cache.
func (s *Store) Delete(ctx context.Context, key string) error {
	_, err := call(ctx, s, "delete", func() (struct{}, error) {
		err := s.client.Delete(name(s.cache, key))
		if errors.Is(err, gomemcache.ErrCacheMiss) {
			err = nil
		}
		return struct{}{}, err
	})
	return err
}
