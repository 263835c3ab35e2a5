package memory_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/allegro/bigcache/v3"

	"github.com/portcullis-go/portcullis/cacheadapter/memory"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

var (
	_ verifier.Cache       = (*memory.Store)(nil)
	_ verifier.ReplayStore = (*memory.Store)(nil)
	_ verifier.Clearer     = (*memory.Store)(nil)
)

// newStore returns a store with a clock that stands still.
func newStore(t testing.TB, cache *bigcache.BigCache, config memory.Config) (*memory.Store, *verifiertest.Clock) {
	t.Helper()
	clock := verifiertest.NewClock(time.Time{})
	config.Now = clock.Now
	store, err := memory.New(cache, config)
	if err != nil {
		t.Fatal(err)
	}
	return store, clock
}

func newBigCache(t testing.TB) *bigcache.BigCache {
	t.Helper()
	cache, err := bigcache.New(t.Context(), bigcache.Config{Shards: 4, LifeWindow: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	return cache
}

func wantGet(t testing.TB, store verifier.Cache, key, want string) {
	t.Helper()
	if value, ok, err := store.Get(t.Context(), key); string(value) != want || value == nil || !ok || err != nil {
		t.Errorf("Get(%.40q) = %.40q, %v, %v; want %.40q", key, value, ok, err, want)
	}
}

func wantMiss(t testing.TB, store verifier.Cache, key string) {
	t.Helper()
	if value, ok, err := store.Get(t.Context(), key); value != nil || ok || err != nil {
		t.Errorf("Get(%.40q) = %.40q, %v, %v; want a miss", key, value, ok, err)
	}
}

func set(t testing.TB, store verifier.Cache, key, value string, ttl time.Duration) {
	t.Helper()
	if err := store.Set(t.Context(), key, []byte(value), ttl); err != nil {
		t.Fatalf("Set(%.40q, %v) = %v", key, ttl, err)
	}
}

func wantAdd(t testing.TB, store verifier.ReplayStore, key string, ttl time.Duration, want bool) {
	t.Helper()
	if added, err := store.Add(t.Context(), key, ttl); added != want || err != nil {
		t.Errorf("Add(%.40q, %v) = %v, %v; want %v", key, ttl, added, err, want)
	}
}

func wantAddError(t testing.TB, store verifier.ReplayStore, key string, want error) {
	t.Helper()
	if added, err := store.Add(t.Context(), key, time.Minute); added || !errors.Is(err, want) || strings.Contains(err.Error(), key) {
		t.Errorf("Add(%.40q) = %v, %v; want %v", key, added, err, want)
	}
}

func TestNewRefuses(t *testing.T) {
	tests := map[string]struct {
		cache  *bigcache.BigCache
		config memory.Config
	}{
		"separator":           {nil, memory.Config{Prefix: "a|b"}},
		"long prefix":         {nil, memory.Config{Prefix: strings.Repeat("p", 257)}},
		"negative bytes":      {nil, memory.Config{MaxBytes: -1}},
		"negative entries":    {nil, memory.Config{MaxEntries: -1}},
		"negative value":      {nil, memory.Config{MaxValueSize: -1}},
		"negative records":    {nil, memory.Config{MaxRecords: -1}},
		"negative quota":      {nil, memory.Config{MaxRecordsPerPrefix: -1}},
		"bytes below 2 large": {nil, memory.Config{MaxBytes: 2 << 20}},
		"bytes below 1 MiB":   {nil, memory.Config{MaxBytes: 1<<20 - 1, MaxValueSize: 1}},
		"bytes of another's":  {newBigCache(t), memory.Config{MaxBytes: 64 << 20}},
		"count of another's":  {newBigCache(t), memory.Config{MaxEntries: 1}},
	}
	for name, test := range tests {
		if store, err := memory.New(test.cache, test.config); store != nil || err == nil {
			t.Errorf("%s: New() = %v, %v; want an error", name, store, err)
		}
	}
}

func TestEveryEntryHasItsOwnTTL(t *testing.T) {
	store, clock := newStore(t, nil, memory.Config{})
	set(t, store, "short", "1", 10*time.Millisecond)
	set(t, store, "tiny", "2", 1)
	set(t, store, "long", "3", 40*24*time.Hour)
	set(t, store, "longest", "4", math.MaxInt64)
	set(t, store, "empty", "", time.Hour)
	for _, key := range []string{"short", "tiny", "long", "longest", "empty"} {
		if _, ok, _ := store.Get(t.Context(), key); !ok {
			t.Errorf("Get(%q) is a miss at once", key)
		}
	}
	wantGet(t, store, "empty", "")
	clock.Advance(1)
	wantMiss(t, store, "tiny")
	clock.Advance(10*time.Millisecond - 2)
	wantGet(t, store, "short", "1")
	clock.Advance(1)
	wantMiss(t, store, "short")
	clock.Advance(40*24*time.Hour - 10*time.Millisecond - 1)
	wantGet(t, store, "long", "3")
	clock.Advance(1)
	wantMiss(t, store, "long")
	clock.Advance(80 * 365 * 24 * time.Hour)
	wantGet(t, store, "longest", "4")
}

func TestSetReplacesValueAndTTL(t *testing.T) {
	store, clock := newStore(t, nil, memory.Config{})
	set(t, store, "k", "long", time.Hour)
	set(t, store, "k", "short", time.Second)
	wantGet(t, store, "k", "short")
	clock.Advance(time.Second)
	wantMiss(t, store, "k")
	set(t, store, "k", "again", time.Hour)
	for _, ttl := range []time.Duration{0, -1, -time.Hour} {
		set(t, store, "k", "again", time.Hour)
		set(t, store, "k", "never", ttl)
		wantMiss(t, store, "k")
	}
	if err := store.Delete(t.Context(), "absent"); err != nil {
		t.Errorf("Delete(absent) = %v", err)
	}
}

func TestSlicesAreOwned(t *testing.T) {
	store, _ := newStore(t, nil, memory.Config{})
	value := []byte("value")
	if err := store.Set(t.Context(), "k", value, time.Minute); err != nil {
		t.Fatal(err)
	}
	value[0] = 'X'
	got, _, _ := store.Get(t.Context(), "k")
	got[1] = 'X'
	_ = append(got, "more"...)
	wantGet(t, store, "k", "value")
}

func TestKeys(t *testing.T) {
	store, _ := newStore(t, nil, memory.Config{})
	all := []string{"k", "K", "k ", "\x00", "ключ", "=k", "#k"}
	for _, n := range []int{255, 256, 1000, 1011, 1012, 1013, 1024, 65517, 65518, 65535, 65536} {
		all = append(all, strings.Repeat("k", n-1)+"a", strings.Repeat("k", n-1)+"b")
	}
	for _, key := range all {
		set(t, store, key, "of "+key, time.Minute)
		wantAdd(t, store, key, time.Minute, true)
	}
	for _, key := range all {
		wantGet(t, store, key, "of "+key)
		wantAdd(t, store, key, time.Minute, false)
	}
	for _, key := range all {
		if err := store.Delete(t.Context(), key); err != nil {
			t.Error(err)
		}
		wantMiss(t, store, key)
	}
}

// TestHashedKeysDoNotMeetRawOnes: the key that a long one becomes can be used
// by itself.
func TestHashedKeysDoNotMeetRawOnes(t *testing.T) {
	cache := newBigCache(t)
	store, _ := newStore(t, cache, memory.Config{})
	long := strings.Repeat("k", 5000)
	set(t, store, long, "long", time.Minute)
	entries := cache.Iterator()
	entries.SetNext()
	entry, err := entries.Value()
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{entry.Key(), strings.TrimPrefix(entry.Key(), "portcullis|c|"), strings.TrimPrefix(entry.Key(), "portcullis|c|#")} {
		wantMiss(t, store, part)
		set(t, store, part, "raw", time.Minute)
	}
	wantGet(t, store, long, "long")
}

func TestValueSizes(t *testing.T) {
	store, _ := newStore(t, nil, memory.Config{MaxBytes: 2 << 20, MaxValueSize: 512 << 10})
	value := strings.Repeat("secret..", 64<<10)
	for i := range 20 {
		set(t, store, fmt.Sprint("k", i), value, time.Minute)
		wantGet(t, store, fmt.Sprint("k", i), value)
	}
	set(t, store, "k", "before", time.Minute)
	if err := store.Set(t.Context(), "k", []byte(value+"."), time.Minute); !errors.Is(err, memory.ErrTooLarge) || strings.Contains(err.Error(), "secret") {
		t.Errorf("Set(too large) = %v; want ErrTooLarge", err)
	}
	wantGet(t, store, "k", "before")
}

// TestBytesAreBounded writes sixteen times the bound in entries of all sizes.
func TestBytesAreBounded(t *testing.T) {
	cacheOf := func(bound int) (live int) {
		store, _ := newStore(t, nil, memory.Config{MaxBytes: bound, MaxValueSize: 64 << 10})
		random := rand.New(rand.NewPCG(1, 2))
		value := bytes.Repeat([]byte("v"), 64<<10)
		for i, written := 0, 0; written < 16*bound; i++ {
			n := random.IntN(len(value) + 1)
			if err := store.Set(t.Context(), fmt.Sprint("k", i%500), value[:n], time.Hour); err != nil {
				t.Fatal(err)
			}
			wantGet(t, store, fmt.Sprint("k", i%500), string(value[:n]))
			written += n
		}
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		runtime.KeepAlive(store)
		store = nil
		runtime.GC()
		runtime.ReadMemStats(&after)
		return int(before.HeapAlloc) - int(after.HeapAlloc)
	}
	const bound, beside = 8 << 20, 64 * 80 << 10
	if live := cacheOf(bound); live > bound+beside || live < bound/4 {
		t.Errorf("a store of %d bytes takes %d", bound, live)
	}
}

// TestModel compares the store with a map, under a bound that nothing reaches.
func TestModel(t *testing.T) {
	store, clock := newStore(t, nil, memory.Config{})
	random := rand.New(rand.NewPCG(3, 4))
	type entry struct {
		value   string
		expires time.Time
	}
	model := map[string]entry{}
	for range 20_000 {
		key := fmt.Sprint("key ", random.IntN(50))
		switch random.IntN(8) {
		case 0, 1, 2:
			value, ttl := strings.Repeat("v", random.IntN(300)), time.Duration(random.IntN(int(5*time.Second)))-time.Second
			set(t, store, key, value, ttl)
			model[key] = entry{value, clock.Now().Add(ttl)}
		case 3:
			_ = store.Delete(t.Context(), key)
			delete(model, key)
		case 4:
			clock.Advance(time.Duration(random.IntN(int(500 * time.Millisecond))))
		default:
			if want, ok := model[key]; ok && clock.Now().Before(want.expires) {
				wantGet(t, store, key, want.value)
			} else {
				wantMiss(t, store, key)
			}
		}
	}
}

func TestEntriesAreBounded(t *testing.T) {
	for _, bound := range []int{1, 2, 10, 100} {
		store, clock := newStore(t, nil, memory.Config{MaxEntries: bound})
		held := func() (n int) {
			for i := range 1000 {
				if _, ok, _ := store.Get(t.Context(), fmt.Sprint("k", i)); ok {
					n++
				}
			}
			return n
		}
		for i := range 1000 {
			set(t, store, fmt.Sprint("k", i), "v", time.Hour+time.Duration(i))
			wantGet(t, store, fmt.Sprint("k", i), "v")
		}
		if n := held(); n > bound || n < bound-bound/8 {
			t.Errorf("%d entries are held; want at most %d, and not much less", n, bound)
		}
		// What was just written stays, even if it expires first.
		for i := range 100 {
			set(t, store, fmt.Sprint("k", i), "v", time.Minute-time.Duration(i))
			wantGet(t, store, fmt.Sprint("k", i), "v")
		}
		// What has expired leaves first.
		set(t, store, "long", "v", 10*time.Hour)
		clock.Advance(2 * time.Hour)
		for i := range bound - 1 {
			set(t, store, fmt.Sprint("k", i), "v", time.Hour)
		}
		wantGet(t, store, "long", "v")
		if n := held(); n != bound-1 {
			t.Errorf("%d entries are held; want the %d that are live", n, bound-1)
		}
	}
}

// TestNothingLeavesByAge waits, for bigcache reads the real clock and counts in
// seconds.
func TestNothingLeavesByAge(t *testing.T) {
	t.Parallel()
	store, _ := newStore(t, nil, memory.Config{})
	for i := range 100 {
		set(t, store, fmt.Sprint("old", i), "v", time.Hour)
	}
	<-time.After(2100 * time.Millisecond)
	for i := range 1000 {
		set(t, store, fmt.Sprint("new", i), "v", time.Hour)
	}
	for i := range 100 {
		wantGet(t, store, fmt.Sprint("old", i), "v")
	}
}

func TestClear(t *testing.T) {
	cache := newBigCache(t)
	names := []string{"app", "app2", "ap", ""}
	stores := map[string]*memory.Store{}
	for _, name := range names {
		stores[name], _ = newStore(t, cache, memory.Config{Prefix: name})
		for i := range 100 {
			set(t, stores[name], fmt.Sprint(i), name, time.Minute)
		}
		set(t, stores[name], strings.Repeat("k", 5000), name, time.Minute)
		wantAdd(t, stores[name], "k", time.Minute, true)
	}
	if err := cache.Set("foreign", nil); err != nil {
		t.Fatal(err)
	}
	if err := stores["app"].Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"app2", "ap", ""} {
		for i := range 100 {
			wantMiss(t, stores["app"], fmt.Sprint(i))
			wantGet(t, stores[name], fmt.Sprint(i), name)
		}
		wantGet(t, stores[name], strings.Repeat("k", 5000), name)
	}
	wantMiss(t, stores["app"], strings.Repeat("k", 5000))
	wantAdd(t, stores["app"], "k", time.Minute, false)
	if _, err := cache.Get("foreign"); err != nil {
		t.Error("Clear removed a key of somebody else")
	}
	// Stores of one prefix share entries.
	peer, _ := newStore(t, cache, memory.Config{Prefix: "ap"})
	wantGet(t, peer, "7", "ap")
}

// TestForeignEntries: what others write under our keys is a miss.
func TestForeignEntries(t *testing.T) {
	cache := newBigCache(t)
	store, _ := newStore(t, cache, memory.Config{})
	for _, value := range []string{"", "1234567", "\x00\x00\x00\x00\x00\x00\x00\x00value"} {
		if err := cache.Set("portcullis|c|=k", []byte(value)); err != nil {
			t.Fatal(err)
		}
		wantMiss(t, store, "k")
	}
}

func TestDoneContext(t *testing.T) {
	store, _ := newStore(t, nil, memory.Config{})
	set(t, store, "k", "v", time.Minute)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, _, getErr := store.Get(ctx, "k")
	_, addErr := store.Add(ctx, "k", time.Minute)
	_, addErr0 := store.Add(ctx, "k", 0)
	for op, err := range map[string]error{
		"Get": getErr, "Add": addErr, "Add(0)": addErr0, "Set": store.Set(ctx, "k", nil, time.Minute),
		"Set(0)": store.Set(ctx, "k", nil, 0), "Delete": store.Delete(ctx, "k"), "Clear": store.Clear(ctx),
	} {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s = %v; want %v", op, err, context.Canceled)
		}
	}
	wantGet(t, store, "k", "v")
	wantAdd(t, store, "k", time.Minute, true)
}

func TestAdd(t *testing.T) {
	store, clock := newStore(t, nil, memory.Config{})
	wantAdd(t, store, "a.1", time.Minute, true)
	wantAdd(t, store, "a.2", time.Minute, true)
	wantAdd(t, store, "a.1", time.Hour, false) // does not extend
	wantAdd(t, store, "b", math.MaxInt64, true)
	clock.Advance(time.Minute - 1)
	wantAdd(t, store, "a.1", time.Minute, false)
	clock.Advance(1)
	wantAdd(t, store, "a.1", time.Minute, true)
	clock.Advance(80 * 365 * 24 * time.Hour)
	wantAdd(t, store, "b", time.Minute, false)
	for _, ttl := range []time.Duration{0, -1} {
		wantAdd(t, store, "c", ttl, true)
		wantAdd(t, store, "c", ttl, true)
	}
	wantAdd(t, store, "c", 1, true)
}

func TestOneOfManyAddsWins(t *testing.T) {
	store, _ := newStore(t, nil, memory.Config{})
	for i := range 200 {
		var added atomic.Int32
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				if ok, err := store.Add(t.Context(), fmt.Sprint("a.", i), time.Minute); err != nil {
					t.Error(err)
				} else if ok {
					added.Add(1)
				}
			})
		}
		group.Wait()
		if n := added.Load(); n != 1 {
			t.Fatalf("%d Adds of one key report added; want 1", n)
		}
	}
}

func TestRecordsAreNeverDroppedToMakeRoom(t *testing.T) {
	store, clock := newStore(t, nil, memory.Config{MaxRecords: 1000, MaxRecordsPerPrefix: 10})
	for i := range 1000 {
		wantAdd(t, store, fmt.Sprintf("%d.%d", i/10, i), time.Minute, true)
	}
	for i := range 1000 {
		wantAdd(t, store, fmt.Sprintf("%d.%d", i/10, i), time.Minute, false)
		wantAddError(t, store, fmt.Sprint("new", i), memory.ErrFull)
	}
	wantAddError(t, store, "7.new", memory.ErrQuota)
	var quota interface{ QuotaExceeded() bool }
	_, err := store.Add(t.Context(), "7.new", time.Minute)
	if !errors.As(err, &quota) || !quota.QuotaExceeded() {
		t.Errorf("Add() beyond the quota = %v; want QuotaExceeded", err)
	}
	_, err = store.Add(t.Context(), "new", time.Minute)
	if errors.As(err, &quota) {
		t.Errorf("Add() to a full table = %v; want no QuotaExceeded", err)
	}
	clock.Advance(time.Minute)
	for i := range 1000 {
		wantAdd(t, store, fmt.Sprintf("new%d.%d", i, i), time.Minute, true)
	}
	wantAddError(t, store, "one more", memory.ErrFull)
}

func TestExpiredRecordsGiveTheirMemoryBack(t *testing.T) {
	store, clock := newStore(t, nil, memory.Config{})
	heap := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	base := heap()
	const n = 100_000
	for i := range n {
		wantAdd(t, store, fmt.Sprintf("%d.%d", i, i), time.Minute, true)
	}
	full := heap() - base
	if perRecord := full / n; perRecord > 250 {
		t.Errorf("a record takes %d bytes", perRecord)
	}
	clock.Advance(time.Minute)
	for i := range 1000 {
		wantAdd(t, store, fmt.Sprint("after.", i, "."), 0, true)
		wantAdd(t, store, fmt.Sprint(i, "after."), time.Nanosecond, true)
	}
	if left := heap() - base; left > full/10 {
		t.Errorf("%d of %d bytes are left", left, full)
	}
}
