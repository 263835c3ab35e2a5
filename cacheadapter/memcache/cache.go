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
		type result struct {
			item *gomemcache.Item
			err  error
		}
		// Both at once, by hand: the client's own call for several keys makes
		// goroutines in which an answer of nonsense panics.
		generation := make(chan result, 1)
		go func() {
			item, err := s.item(s.generation)
			generation <- result{item, err}
		}()
		item, err := s.item(key)
		current := <-generation
		if err = cmp.Or(err, current.err); err != nil || item == nil || current.item == nil {
			return nil, err
		}
		value, ok := open(item.Value, current.item.Value, s.now())
		if !ok {
			return nil, nil
		}
		return value, nil
	})
	return value, value != nil && err == nil, err
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
// Options.MaxValueSize, or beyond what the server takes, with [ErrTooLarge].
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
