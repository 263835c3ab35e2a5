package conformance_test

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/conformance"
	"github.com/portcullis-go/portcullis/verifier"
)

// MapCache is a cache that a stranger could have written.
type MapCache struct {
	mu      sync.Mutex
	entries map[string]mapEntry
}

type mapEntry struct {
	value   []byte
	expires time.Time
}

// NewMapCache returns an empty cache.
func NewMapCache() *MapCache { return &MapCache{entries: make(map[string]mapEntry)} }

// Get implements verifier.Cache.
func (c *MapCache) Get(ctx context.Context, key string) ([]byte, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[key]
	if ctx.Err() != nil || !ok || time.Now().After(e.expires) {
		return nil, false, ctx.Err()
	}
	return bytes.Clone(e.value), true, nil
}

// Set implements verifier.Cache.
func (c *MapCache) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.entries[key] = mapEntry{bytes.Clone(value), time.Now().Add(ttl)}
	return nil
}

// Delete implements verifier.Cache.
func (c *MapCache) Delete(ctx context.Context, key string) error {
	return c.Set(ctx, key, nil, -1)
}

// TestMapCache is all that the proof of a cache in memory takes.
func TestMapCache(t *testing.T) {
	conformance.TestCache(t, conformance.CacheHarness{
		New: func(*conformance.Env) (verifier.Cache, error) { return NewMapCache(), nil },
	})
}

// TestMapCache above is a proof; without a test, the outcome is a value.
func ExampleRunCache() {
	report := conformance.RunCache(context.Background(), conformance.CacheHarness{
		New: func(*conformance.Env) (verifier.Cache, error) { return NewMapCache(), nil },
	})
	fmt.Println(report.Err())
	// Output: <nil>
}

// forgetful takes empty values for misses.
type forgetful struct{ *MapCache }

func (f forgetful) Get(ctx context.Context, key string) ([]byte, bool, error) {
	value, _, err := f.MapCache.Get(ctx, key)
	return value, len(value) > 0, err
}

// What a check finds is an error with what was got and wanted.
func ExampleCheck_Run() {
	harness := conformance.CacheHarness{
		New: func(*conformance.Env) (verifier.Cache, error) { return forgetful{NewMapCache()}, nil },
	}
	for _, check := range conformance.CacheChecks() {
		if check.Interface == "Cache" && check.Name == "empty-value-is-a-value" {
			fmt.Println(check.Rule)
			fmt.Println(check.Run(context.Background(), harness) != nil)
		}
	}
	// Output:
	// An empty value is a value, not a miss
	// true
}

// A report is one line of totals, a table, or JSON.
func ExampleReport_String() {
	report := conformance.RunClock(context.Background(), conformance.ClockHarness{
		New:     func(*conformance.Env) (verifier.Clock, error) { return verifier.ClockFunc(time.Now), nil },
		Options: conformance.Options{Implementation: "time.Now"},
	})
	totals, _, _ := strings.Cut(report.String(), " (") // the version of the suite, and the day
	fmt.Println(totals)
	// Output: time.Now: Clock: 4 passed, 0 failed, 4 skipped
}

// BenchmarkMapCache measures what a Verifier asks of a cache.
func BenchmarkMapCache(b *testing.B) {
	conformance.BenchCache(b, conformance.CacheHarness{
		New: func(*conformance.Env) (verifier.Cache, error) { return NewMapCache(), nil },
	})
}
