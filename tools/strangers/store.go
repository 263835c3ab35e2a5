package strangers

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math"
	"time"
)

// backend is what an adapter writes for a key-value store. Values are never nil;
// a nil value is an absent key. Ttl is for the backend's own clearing up.
type backend interface {
	get(ctx context.Context, key string) ([]byte, error)
	put(ctx context.Context, key string, value []byte, ttl time.Duration) error
	remove(ctx context.Context, key string) error
	// swap writes only if the key still has the old value.
	swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (done bool, err error)
	clear(ctx context.Context, prefix string) error
}

// cache is a verifier.Cache and verifier.Clearer.
type cache struct {
	b      backend
	prefix string
}

// store is a verifier.ReplayStore too.
type store struct{ cache }

// newCache keeps entries and records of a namespace apart from all others.
func newCache(b backend, namespace string) cache {
	return cache{b, hex.EncodeToString([]byte(namespace))}
}

func (c cache) path(space, key string) string {
	sum := sha256.Sum256([]byte(key))
	return space + c.prefix + "." + hex.EncodeToString(sum[:])
}

const entries, records = "c.", "r."

// seal puts the end of the ttl before the value.
func seal(value []byte, ttl time.Duration) []byte {
	end := time.Now().UnixNano()
	if end > math.MaxInt64-int64(ttl) {
		end = math.MaxInt64
	} else {
		end += int64(ttl)
	}
	return append(binary.BigEndian.AppendUint64(nil, uint64(end)), value...)
}

func open(sealed []byte) (value []byte, live bool) {
	if len(sealed) < 8 || int64(binary.BigEndian.Uint64(sealed)) <= time.Now().UnixNano() {
		return nil, false
	}
	return bytes.Clone(sealed[8:]), true
}

// within gives every error of a done context its name.
func within(ctx context.Context, err error) error {
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return err
}

func (c cache) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if ctx.Err() != nil {
		return nil, false, ctx.Err()
	}
	sealed, err := c.b.get(ctx, c.path(entries, key))
	if err != nil {
		return nil, false, within(ctx, err)
	}
	value, live := open(sealed)
	return value, live, nil
}

func (c cache) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if ttl <= 0 {
		return c.Delete(ctx, key)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return within(ctx, c.b.put(ctx, c.path(entries, key), seal(value, ttl), ttl))
}

func (c cache) Delete(ctx context.Context, key string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return within(ctx, c.b.remove(ctx, c.path(entries, key)))
}

func (c cache) Clear(ctx context.Context) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return within(ctx, c.b.clear(ctx, entries+c.prefix+"."))
}

// Add writes a record if there is none that lives.
func (s store) Add(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	for {
		if ctx.Err() != nil {
			return false, ctx.Err()
		}
		path := s.path(records, key)
		old, err := s.b.get(ctx, path)
		if err != nil {
			return false, within(ctx, err)
		}
		if _, live := open(old); live {
			return false, nil
		}
		if ttl <= 0 {
			return true, nil
		}
		done, err := s.b.swap(ctx, path, old, seal(nil, ttl), ttl)
		if err != nil {
			return false, within(ctx, err)
		}
		if done {
			return true, nil
		}
	}
}

var errBusy = errors.New("strangers: too many calls in flight")

// limited gives contexts and a bound to a backend that has neither.
type limited struct {
	inner backend
	slots chan struct{}
}

func limit(inner backend) *limited { return &limited{inner, make(chan struct{}, 256)} }

type outcome struct {
	value []byte
	done  bool
	err   error
}

func (l *limited) run(ctx context.Context, f func(ctx context.Context) outcome) outcome {
	select {
	case l.slots <- struct{}{}:
	default:
		return outcome{err: errBusy}
	}
	result := make(chan outcome, 1)
	go func() {
		defer func() { <-l.slots }()
		result <- f(context.WithoutCancel(ctx))
	}()
	select {
	case o := <-result:
		return o
	case <-ctx.Done():
		return outcome{err: ctx.Err()}
	}
}

func (l *limited) get(ctx context.Context, key string) ([]byte, error) {
	o := l.run(ctx, func(ctx context.Context) (o outcome) {
		o.value, o.err = l.inner.get(ctx, key)
		return o
	})
	return o.value, o.err
}

func (l *limited) put(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	return l.run(ctx, func(ctx context.Context) outcome { return outcome{err: l.inner.put(ctx, key, value, ttl)} }).err
}

func (l *limited) remove(ctx context.Context, key string) error {
	return l.run(ctx, func(ctx context.Context) outcome { return outcome{err: l.inner.remove(ctx, key)} }).err
}

func (l *limited) swap(ctx context.Context, key string, old, value []byte, ttl time.Duration) (bool, error) {
	o := l.run(ctx, func(ctx context.Context) (o outcome) {
		o.done, o.err = l.inner.swap(ctx, key, old, value, ttl)
		return o
	})
	return o.done, o.err
}

func (l *limited) clear(ctx context.Context, prefix string) error {
	return l.run(ctx, func(ctx context.Context) outcome { return outcome{err: l.inner.clear(ctx, prefix)} }).err
}
