package strangers

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/coocood/freecache"
	"github.com/dgraph-io/ristretto/v2"
	"github.com/jellydator/ttlcache/v3"
)

var errNoSwap = errors.New("strangers: the backend has no compare and swap")

// ristrettoCache is a cache alone: Ristretto may refuse to keep an entry, and
// may drop one. A Set is buffered; Wait makes it seen.
type ristrettoCache struct {
	c *ristretto.Cache[string, []byte]
}

func newRistretto() (ristrettoCache, error) {
	c, err := ristretto.NewCache(&ristretto.Config[string, []byte]{NumCounters: 1 << 16, MaxCost: 256 << 20, BufferItems: 64})
	return ristrettoCache{c}, err
}

func (r ristrettoCache) get(_ context.Context, key string) ([]byte, error) {
	value, _ := r.c.Get(key)
	return value, nil
}

func (r ristrettoCache) put(_ context.Context, key string, value []byte, ttl time.Duration) error {
	r.c.SetWithTTL(key, value, int64(len(value)), ttl)
	r.c.Wait()
	return nil
}

func (r ristrettoCache) remove(_ context.Context, key string) error {
	r.c.Del(key)
	r.c.Wait()
	return nil
}

func (r ristrettoCache) clear(context.Context, string) error {
	r.c.Clear()
	return nil
}

func (ristrettoCache) swap(context.Context, string, []byte, []byte, time.Duration) (bool, error) {
	return false, errNoSwap
}

// freeCache is a cache alone: a ring that writes over what is oldest. Its largest
// entry is 1/1024 of it.
type freeCache struct{ c *freecache.Cache }

func newFreeCache() freeCache { return freeCache{freecache.NewCache(1024 * (520 << 10))} }

func (f freeCache) get(_ context.Context, key string) ([]byte, error) {
	value, err := f.c.Get([]byte(key))
	if errors.Is(err, freecache.ErrNotFound) {
		return nil, nil
	}
	return value, err
}

// put keeps an entry for a second more: freecache counts whole seconds, and the one
// in which an entry is set counts as a full one. 0 would be for ever.
func (f freeCache) put(_ context.Context, key string, value []byte, ttl time.Duration) error {
	return f.c.Set([]byte(key), value, int(min((ttl+time.Second-1)/time.Second+1, 1<<30)))
}

func (f freeCache) remove(_ context.Context, key string) error {
	f.c.Del([]byte(key))
	return nil
}

// clear asks for all keys first: an iterator sees what others write meanwhile.
func (f freeCache) clear(_ context.Context, prefix string) error {
	var keys [][]byte
	for it := f.c.NewIterator(); ; {
		entry := it.Next()
		if entry == nil {
			break
		}
		if strings.HasPrefix(string(entry.Key), prefix) {
			keys = append(keys, entry.Key)
		}
	}
	for _, key := range keys {
		f.c.Del(key)
	}
	return nil
}

func (freeCache) swap(context.Context, string, []byte, []byte, time.Duration) (bool, error) {
	return false, errNoSwap
}

// ttlBackend has a mutex around every call, and entries that end by themselves.
// There is no compare and swap, but GetOrSet is atomic.
type ttlBackend struct {
	c *ttlcache.Cache[string, []byte]
}

func newTTLCache() ttlBackend {
	return ttlBackend{ttlcache.New(ttlcache.WithDisableTouchOnHit[string, []byte]())}
}

func (t ttlBackend) get(_ context.Context, key string) ([]byte, error) {
	item := t.c.Get(key)
	if item == nil {
		return nil, nil
	}
	return item.Value(), nil
}

// put also removes what has expired: without Start, nothing else does.
func (t ttlBackend) put(_ context.Context, key string, value []byte, ttl time.Duration) error {
	t.c.DeleteExpired()
	t.c.Set(key, value, min(ttl, 100*365*24*time.Hour))
	return nil
}

func (t ttlBackend) remove(_ context.Context, key string) error {
	t.c.Delete(key)
	return nil
}

// swap needs no old value: what has expired is not there.
func (t ttlBackend) swap(_ context.Context, key string, _, value []byte, ttl time.Duration) (bool, error) {
	t.c.DeleteExpired()
	_, there := t.c.GetOrSet(key, value, ttlcache.WithTTL[string, []byte](min(ttl, 100*365*24*time.Hour)))
	return !there, nil
}

func (t ttlBackend) clear(_ context.Context, prefix string) error {
	for _, key := range t.c.Keys() {
		if strings.HasPrefix(key, prefix) {
			t.c.Delete(key)
		}
	}
	return nil
}
