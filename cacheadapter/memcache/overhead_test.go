package memcache_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	gomemcache "github.com/bradfitz/gomemcache/memcache"

	"github.com/portcullis-go/portcullis/cacheadapter/memcache"
	"github.com/portcullis-go/portcullis/cacheadapter/memcache/internal/memcachetest"
)

// BenchmarkOverhead compares each operation with the bare call of the client,
// on a server of its own, under a context that can end, as requests have:
//
//	go test -run '^$' -bench Overhead -benchtime 10000x
//
// ns/op is of the store, ratio that over the bare call.
func BenchmarkOverhead(b *testing.B) {
	server := memcachetest.Start(b)
	client := server.Client()
	store := newStore(b, client, memcache.Config{})
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()

	compare(b, "Get miss",
		func() error { _, _, err := store.Get(ctx, "absent"); return err },
		func() error { _, _ = client.Get("absent"); return nil })
	serial := 0
	key := func() string { serial++; return fmt.Sprint("proof-key.", serial) }
	compare(b, "Add",
		func() error { _, err := store.Add(ctx, key(), time.Minute); return err },
		func() error { return client.Add(&gomemcache.Item{Key: key(), Value: []byte("1"), Expiration: 60}) })
	for _, size := range []int{2 << 10, 8 << 10} {
		value := bytes.Repeat([]byte("v"), size)
		compare(b, fmt.Sprintf("Set %d KiB", size>>10),
			func() error { return store.Set(ctx, "k", value, time.Minute) },
			func() error { return client.Set(&gomemcache.Item{Key: "bare", Value: value, Expiration: 60}) })
		compare(b, fmt.Sprintf("Get hit %d KiB", size>>10),
			func() error { _, _, err := store.Get(ctx, "k"); return err },
			func() error { _, err := client.Get("bare"); return err })
	}
}

// compare times both in turns of short slices, and takes the median of each, so
// that what else the machine does counts little.
func compare(b *testing.B, name string, ours, bare func() error) {
	b.Run(name, func(b *testing.B) {
		const slice = 100
		var took [2][]float64 // nanoseconds a call
		for i := 0; i < b.N; i += slice {
			for which, f := range []func() error{ours, bare} {
				start, n := time.Now(), min(slice, b.N-i)
				for range n {
					if err := f(); err != nil {
						b.Fatal(err)
					}
				}
				took[which] = append(took[which], float64(time.Since(start).Nanoseconds())/float64(n))
			}
		}
		median := func(all []float64) float64 { return slices.Sorted(slices.Values(all))[len(all)/2] }
		b.ReportMetric(median(took[0]), "ns/op")
		b.ReportMetric(median(took[1]), "bare-ns/op")
		b.ReportMetric(median(took[0])/median(took[1]), "ratio")
	})
}
