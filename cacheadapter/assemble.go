package cacheadapter

import (
	"context"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// A decorator must not have a method Clear or Add that the wrapped cache lacks:
// whoever asks with a type assertion would be told a lie. So the decorators
// have Get, Set and Delete only, and assemble joins them with the optional
// methods that exist.

type clearFunc func(ctx context.Context) error

func (f clearFunc) Clear(ctx context.Context) error { return f(ctx) }

type addFunc func(ctx context.Context, key string, ttl time.Duration) (bool, error)

func (f addFunc) Add(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	return f(ctx, key, ttl)
}

// The combinations. Embedded interfaces bring their own methods and no others.
type (
	plain     struct{ verifier.Cache }
	withClear struct {
		plain
		clearFunc
	}
	withAdd struct {
		plain
		addFunc
	}
	withClearAdd struct {
		plain
		clearFunc
		addFunc
	}
)

// assemble gives a cache the methods Clear and Add when they are not nil. It
// returns pointers, which can be compared and be keys of maps.
func assemble(cache verifier.Cache, clear clearFunc, add addFunc) verifier.Cache {
	base := plain{cache}
	switch {
	case clear != nil && add != nil:
		return &withClearAdd{base, clear, add}
	case clear != nil:
		return &withClear{base, clear}
	case add != nil:
		return &withAdd{base, add}
	default:
		return &base
	}
}

// clearOf returns the method Clear of a cache, or nil.
func clearOf(cache verifier.Cache) clearFunc {
	if c, ok := cache.(verifier.Clearer); ok {
		return c.Clear
	}
	return nil
}

// addOf returns the method Add of a cache, or nil.
func addOf(cache verifier.Cache) addFunc {
	if s, ok := cache.(verifier.ReplayStore); ok {
		return s.Add
	}
	return nil
}
