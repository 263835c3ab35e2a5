package memcache_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	gomemcache "github.com/bradfitz/gomemcache/memcache"

	"github.com/portcullis-go/portcullis/cacheadapter/internal/ratio"
	"github.com/portcullis-go/portcullis/cacheadapter/memcache"
	"github.com/portcullis-go/portcullis/cacheadapter/memcache/internal/memcachetest"
)

// TestTargets measures what Get and Set cost beside the bare client when the
// generation is remembered. It fails when a loose bound is missed three times in
// a row; with PORTCULLIS_TARGETS=1 it takes its time and prints each value beside
// its target:
//
//	PORTCULLIS_TARGETS=1 go test -count=1 -run TestTargets -v .
func TestTargets(t *testing.T) {
	server := memcachetest.Start(t)
	value := bytes.Repeat([]byte("v"), 2<<10)
	newClient := func() *gomemcache.Client {
		client := server.Client()
		client.MaxIdleConns = 64
		return client
	}
	store := newStore(t, newClient(), memcache.Config{GenerationTTL: time.Second})
	bare := newClient()
	item := func() *gomemcache.Item { return &gomemcache.Item{Key: "bare", Value: value, Expiration: 60} }
	set(t, store, "k", string(value))
	if err := bare.Set(item()); err != nil {
		t.Fatal(err)
	}
	pairs := map[string]ratio.Pair{
		"Get": {
			Ours: func(ctx context.Context) error { _, _, err := store.Get(ctx, "k"); return err },
			Bare: func(context.Context) error { _, err := bare.Get("bare"); return err },
		},
		"Set": {
			Ours: func(ctx context.Context) error { return store.Set(ctx, "k", value, time.Minute) },
			Bare: func(context.Context) error { return bare.Set(item()) },
		},
	}
	rounds, slice := 3, 100*time.Millisecond
	printed := os.Getenv("PORTCULLIS_TARGETS") != ""
	if printed {
		rounds, slice = 9, 250*time.Millisecond
	}
	for _, target := range []struct {
		op            string
		callers       int
		target, guard float64
	}{
		{"Get", 1, 1.6, 2.6},
		{"Get", 64, 1.4, 2.2},
		{"Set", 1, 1.9, 3},
		{"Set", 64, 1.6, 2.4},
	} {
		measure := func() float64 {
			pair := pairs[target.op]
			pair.Callers, pair.Rounds, pair.Slice = target.callers, rounds, slice
			result, err := pair.Measure(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return 1 / result.Throughput
		}
		row := ratio.Row{Name: fmt.Sprintf("memcached %s of 2 KiB, %s: time per call", target.op, callers(target.callers)), Value: measure(), Target: target.target}
		if printed {
			fmt.Println(row)
		}
		for range 2 {
			if !row.Keeps(target.guard) {
				row.Value = measure()
			}
		}
		if !row.Keeps(target.guard) {
			t.Errorf("%s is %.2f times the bare client's, three times in a row; the bound is %.2f", row.Name, row.Value, target.guard)
		}
	}
}
func callers(n int) string {
	if n == 1 {
		return "1 caller"
	}
	return fmt.Sprint(n, " callers")
}
