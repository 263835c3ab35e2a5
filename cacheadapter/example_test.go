package cacheadapter_test

import (
	"context"
	"fmt"
	"time"

	"github.com/portcullis-go/portcullis/cacheadapter"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// A shared server, bounded in time, sealed, behind a near cache, and counted.
func Example() {
	ctx := context.Background()
	server := verifiertest.NewCache(nil, 0) // stands for Redis
	near := verifiertest.NewCache(nil, 100) // stands for a cache in memory
	keys := [][]byte{[]byte("32 random bytes, from a vault...")}
	hits := 0

	cache, err := cacheadapter.Timeout(server, cacheadapter.TimeoutConfig{Wait: 100 * time.Millisecond})
	if err == nil {
		cache, err = cacheadapter.Sealed(cache, cacheadapter.SealedConfig{Keys: keys})
	}
	if err == nil {
		cache, err = cacheadapter.Tiered(near, cache, cacheadapter.TieredConfig{NearTTL: 5 * time.Second})
	}
	if err == nil {
		cache, err = cacheadapter.Observed(cache, cacheadapter.ObservedConfig{Observe: func(e cacheadapter.Event) {
			if e.Outcome == cacheadapter.OutcomeHit {
				hits++
			}
		}})
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = cache.Set(ctx, "key", []byte("value"), time.Minute)
	for range 3 {
		value, ok, err := cache.Get(ctx, "key")
		fmt.Println(string(value), ok, err)
	}
	_, clearer := cache.(verifier.Clearer)
	_, store := cache.(verifier.ReplayStore)
	fmt.Println("hits:", hits, "calls of the server:", server.Calls("Get"))
	fmt.Println("Clearer:", clearer, "ReplayStore:", store)
	// Output:
	// value true <nil>
	// value true <nil>
	// value true <nil>
	// hits: 3 calls of the server: 1
	// Clearer: true ReplayStore: false
}

// A client that tries to read what is sealed, or to plant what is not, meets a
// miss.
func ExampleSealed() {
	ctx := context.Background()
	server := verifiertest.NewCache(nil, 0)
	sealed, err := cacheadapter.Sealed(server, cacheadapter.SealedConfig{
		Keys:    [][]byte{[]byte("32 random bytes, from a vault...")},
		Observe: func(e cacheadapter.Event) { fmt.Println("event:", e.Outcome, e.Problem) },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	_ = server.Set(ctx, "key", []byte(`{"keys":["of an attacker"]}`), time.Hour)
	_, ok, err := sealed.Get(ctx, "key")
	fmt.Println(ok, err)
	// Output:
	// event: rejected malformed
	// false <nil>
}
