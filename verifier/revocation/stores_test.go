package revocation_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/revocation"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// keeper is a verifier.Cache that keeps everything, for longer than it is told.
type keeper struct {
	mu     sync.Mutex
	values map[string][]byte
	ttls   []time.Duration
	full   error         // of Set
	hang   chan struct{} // of Get, when it is not nil
	enter  chan struct{} // told of each Get that hangs
}

func newKeeper() *keeper { return &keeper{values: make(map[string][]byte)} }

func (k *keeper) Get(_ context.Context, key string) ([]byte, bool, error) {
	if k.hang != nil {
		k.enter <- struct{}{}
		<-k.hang
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	value, ok := k.values[key]
	return value, ok, nil
}

func (k *keeper) Set(_ context.Context, key string, value []byte, ttl time.Duration) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.full != nil {
		return k.full
	}
	k.values[key] = value
	k.ttls = append(k.ttls, ttl)
	return nil
}

func (k *keeper) Delete(_ context.Context, key string) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.values, key)
	return nil
}

// both runs a test with each store of this package, on a clock that begins at start.
func both(t *testing.T, f func(t *testing.T, store verifier.RevocationStore, clock *verifiertest.Clock)) {
	t.Helper()
	t.Run("Memory", func(t *testing.T) {
		clock := verifiertest.NewClock(start)
		m, err := revocation.NewMemory(10, clock)
		if err != nil {
			t.Fatal(err)
		}
		f(t, m, clock)
	})
	t.Run("OverCache", func(t *testing.T) {
		clock := verifiertest.NewClock(start)
		store, err := revocation.OverCache(revocation.CacheConfig{Cache: newKeeper(), NeverEvicts: true, Clock: clock})
		if err != nil {
			t.Fatal(err)
		}
		f(t, store, clock)
	})
}

// wantAt checks when keys were revoked, by the word of a store; the zero time means
// not at all.
func wantAt(t *testing.T, store verifier.RevocationStore, key string, want time.Time) {
	t.Helper()
	got, err := store.Revoked(t.Context(), []string{"other", key})
	if err != nil || len(got) != 2 || !got[0].IsZero() || !got[1].Equal(want) {
		t.Errorf("Revoked(other, %s) = %v, %v; want the zero time and %v", key, got, err, want)
	}
}

// TestStoresKeepTheLaterTimes: of the revocations of one key that have not ended,
// the later time counts, and the later end.
func TestStoresKeepTheLaterTimes(t *testing.T) {
	early, late := start.Add(-time.Hour), start.Add(-time.Minute)
	both(t, func(t *testing.T, store verifier.RevocationStore, clock *verifiertest.Clock) {
		revoke := func(key string, at time.Time, ttl time.Duration) {
			t.Helper()
			if err := store.Revoke(t.Context(), key, at, ttl); err != nil {
				t.Fatal(err)
			}
		}
		revoke("a", late, time.Hour)
		revoke("a", early, time.Minute)
		revoke("b", early, time.Minute)
		revoke("b", late, time.Hour)
		revoke("c", late, time.Minute)
		wantAt(t, store, "a", late)
		wantAt(t, store, "b", late)
		clock.Advance(time.Minute)
		wantAt(t, store, "c", late) // to the last moment
		clock.Advance(time.Millisecond)
		wantAt(t, store, "c", time.Time{})
		revoke("c", early, time.Minute)
		wantAt(t, store, "c", early) // what has ended does not count
		clock.Set(start.Add(time.Hour))
		wantAt(t, store, "a", late)
		wantAt(t, store, "b", late)
		clock.Advance(time.Millisecond)
		wantAt(t, store, "a", time.Time{})
		wantAt(t, store, "b", time.Time{})
	})
}

// TestStoresRoundUp to the millisecond: never to a time before.
func TestStoresRoundUp(t *testing.T) {
	both(t, func(t *testing.T, store verifier.RevocationStore, _ *verifiertest.Clock) {
		for text, c := range map[string]struct{ at, want time.Time }{
			"whole":    {start.Add(5 * time.Millisecond), start.Add(5 * time.Millisecond)},
			"just not": {start.Add(5*time.Millisecond + 1), start.Add(6 * time.Millisecond)},
			"almost":   {start.Add(6*time.Millisecond - 1), start.Add(6 * time.Millisecond)},
		} {
			if err := store.Revoke(t.Context(), text, c.at, time.Hour); err != nil {
				t.Fatal(err)
			}
			wantAt(t, store, text, c.want)
		}
	})
}

// TestStoresCheckTheirArguments: keys have 1 to 65536 bytes, a ttl that is not
// positive keeps nothing, and a context that is done is an error.
func TestStoresCheckTheirArguments(t *testing.T) {
	done, cancel := context.WithCancel(context.Background())
	cancel()
	both(t, func(t *testing.T, store verifier.RevocationStore, _ *verifiertest.Clock) {
		longest := strings.Repeat("k", 64<<10)
		for _, key := range []string{"", longest + "k"} {
			if err := store.Revoke(t.Context(), key, start, time.Hour); err == nil {
				t.Errorf("Revoke accepted a key of %d bytes", len(key))
			}
			if _, err := store.Revoked(t.Context(), []string{"x", key}); err == nil {
				t.Errorf("Revoked accepted a key of %d bytes", len(key))
			}
		}
		if err := store.Revoke(t.Context(), longest, start, 1); err != nil {
			t.Errorf("Revoke = %v for a key of 64 KiB", err)
		}
		wantAt(t, store, longest, start)
		for _, ttl := range []time.Duration{0, -1} {
			if err := store.Revoke(t.Context(), "past", start, ttl); err != nil {
				t.Errorf("Revoke = %v with a ttl of %d", err, ttl)
			}
			wantAt(t, store, "past", time.Time{})
		}
		if err := store.Revoke(done, "x", start, time.Hour); !errors.Is(err, context.Canceled) {
			t.Errorf("Revoke = %v with a context that is done", err)
		}
		wantAt(t, store, "x", time.Time{})
		for _, keys := range [][]string{nil, {"x"}} {
			if _, err := store.Revoked(done, keys); !errors.Is(err, context.Canceled) {
				t.Errorf("Revoked(%q) = %v with a context that is done", keys, err)
			}
		}
	})
}

// TestStoresUseTheTimeOfTheMachine when there is no clock.
func TestStoresUseTheTimeOfTheMachine(t *testing.T) {
	m, err := revocation.NewMemory(1, nil)
	if err != nil {
		t.Fatal(err)
	}
	over, err := revocation.OverCache(revocation.CacheConfig{Cache: newKeeper(), NeverEvicts: true})
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now().Truncate(time.Millisecond)
	for _, store := range []verifier.RevocationStore{m, over} {
		if err := store.Revoke(t.Context(), "a", now, time.Hour); err != nil {
			t.Fatal(err)
		}
		wantAt(t, store, "a", now)
	}
}

func TestSizesOfMemory(t *testing.T) {
	for _, size := range []int{1, 100_000_000} {
		if _, err := revocation.NewMemory(size, nil); err != nil {
			t.Errorf("NewMemory(%d) = %v", size, err)
		}
	}
	for _, size := range []int{-1, 100_000_001} {
		if m, err := revocation.NewMemory(size, nil); m != nil || !errors.Is(err, revocation.ErrConfig) {
			t.Errorf("NewMemory(%d) = %v, %v; want ErrConfig", size, m, err)
		}
	}
	m, err := revocation.NewMemory(0, verifiertest.NewClock(start))
	if err != nil {
		t.Fatal(err)
	}
	one, err := revocation.NewMemory(1, verifiertest.NewClock(start))
	if err != nil {
		t.Fatal(err)
	}
	if err := one.Revoke(t.Context(), "a", start, time.Hour); err != nil {
		t.Error(err)
	}
	if err := one.Revoke(t.Context(), "b", start, time.Hour); !errors.Is(err, revocation.ErrFull) {
		t.Errorf("one more than one: %v; want ErrFull", err)
	}
	for n := range 100_000 {
		if err := m.Revoke(t.Context(), fmt.Sprint(n), start, time.Hour); err != nil {
			t.Fatalf("revocation %d: %v", n, err)
		}
	}
	if err := m.Revoke(t.Context(), "x", start, time.Hour); !errors.Is(err, revocation.ErrFull) {
		t.Errorf("one more than 100,000: %v; want ErrFull", err)
	}
}

// TestMemoryMakesRoom of what has ended, and of nothing else, whatever the order of
// the ends.
func TestMemoryMakesRoom(t *testing.T) {
	const size = 64
	for name, minutes := range map[string]func(n int) int{
		"rising": func(n int) int { return n + 1 }, "falling": func(n int) int { return size - n },
	} {
		clock := verifiertest.NewClock(start)
		m, err := revocation.NewMemory(size, clock)
		if err != nil {
			t.Fatal(err)
		}
		for n := range size {
			if err := m.Revoke(t.Context(), fmt.Sprint(minutes(n)), start, time.Duration(minutes(n))*time.Minute); err != nil {
				t.Fatal(err)
			}
		}
		for n := 1; n <= size; n++ {
			clock.Set(start.Add(time.Duration(n) * time.Minute))
			if err := m.Revoke(t.Context(), fmt.Sprint("new ", n), start, 1000*time.Hour); !errors.Is(err, revocation.ErrFull) {
				t.Errorf("%s: Revoke = %v in the last moment of entry %d; want ErrFull", name, err, n)
			}
			wantAt(t, m, fmt.Sprint(n), start)
			clock.Advance(time.Nanosecond)
			if err := m.Revoke(t.Context(), fmt.Sprint("new ", n), start, 1000*time.Hour); err != nil {
				t.Errorf("%s: Revoke = %v after entry %d has ended", name, err, n)
			}
		}
	}
}

// TestEntriesOfOverCache: when, and until when, in milliseconds, for as long as that
// is; a cache that keeps too long revives nothing.
func TestEntriesOfOverCache(t *testing.T) {
	clock := verifiertest.NewClock(start.Add(400 * time.Microsecond))
	cache := newKeeper()
	store, err := revocation.OverCache(revocation.CacheConfig{Cache: cache, NeverEvicts: true, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Revoke(t.Context(), "a", start, time.Second); err != nil {
		t.Fatal(err)
	}
	want := binary.BigEndian.AppendUint64(nil, uint64(start.UnixMilli()))
	want = binary.BigEndian.AppendUint64(want, uint64(start.UnixMilli()+1001))
	if got := cache.values["a"]; string(got) != string(want) || len(cache.ttls) != 1 || cache.ttls[0] != time.Second+600*time.Microsecond {
		t.Errorf("the cache has %x for %v; want %x for 1.0006s", got, cache.ttls, want)
	}
	for _, value := range []string{"", "x", string(want) + "x", string(want[:15])} {
		cache.values["a"] = []byte(value)
		if _, err := store.Revoked(t.Context(), []string{"a"}); err == nil {
			t.Errorf("Revoked accepted an entry of %d bytes", len(value))
		}
		if err := store.Revoke(t.Context(), "a", start, time.Second); err == nil || string(cache.values["a"]) != value {
			t.Errorf("Revoke = %v over an entry of %d bytes; want an error, and the entry kept", err, len(value))
		}
	}
}

// TestOverCacheWaitsItsTurn, no longer than a context allows.
func TestOverCacheWaitsItsTurn(t *testing.T) {
	synctest.Test(t, testOverCacheWaitsItsTurn)
}

func testOverCacheWaitsItsTurn(t *testing.T) {
	cache := newKeeper()
	cache.hang, cache.enter = make(chan struct{}), make(chan struct{}, 2)
	store, err := revocation.OverCache(revocation.CacheConfig{Cache: cache, NeverEvicts: true, Clock: verifiertest.NewClock(start)})
	if err != nil {
		t.Fatal(err)
	}
	first := make(chan error, 1)
	go func() { first <- store.Revoke(context.Background(), "a", start, time.Hour) }()
	<-cache.enter // it has the turn
	ctx, cancel := context.WithCancel(t.Context())
	second := make(chan error, 1)
	go func() { second <- store.Revoke(ctx, "a", start, time.Hour) }()
	synctest.Wait() // it waits
	cancel()
	if err := <-second; !errors.Is(err, context.Canceled) {
		t.Errorf("Revoke = %v while another one has the turn; want that of its context", err)
	}
	if len(cache.enter) != 0 {
		t.Error("two calls were between Get and Set at a time")
	}
	close(cache.hang)
	if err := <-first; err != nil {
		t.Error(err)
	}
	wantAt(t, store, "a", start)
}

// TestOverCacheTellsFailures: what cannot be read is neither revoked nor not.
func TestOverCacheTellsFailures(t *testing.T) {
	down := errors.New("down")
	cache := verifiertest.NewCache(nil, 0)
	store, err := revocation.OverCache(revocation.CacheConfig{Cache: cache, NeverEvicts: true})
	if err != nil {
		t.Fatal(err)
	}
	cache.FailNext(-1, down)
	if _, err := store.Revoked(t.Context(), []string{"a"}); !errors.Is(err, down) {
		t.Errorf("Revoked = %v; want the error of the cache", err)
	}
	cache.Recover()
	cache.FailNext(1, down) // of Get; Set would work
	if err := store.Revoke(t.Context(), "a", start, time.Hour); !errors.Is(err, down) {
		t.Errorf("Revoke = %v; want the error of the cache", err)
	}
	wantAt(t, store, "a", time.Time{})
	full, err := revocation.OverCache(revocation.CacheConfig{Cache: &keeper{full: down}, NeverEvicts: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := full.Revoke(t.Context(), "a", start, time.Hour); !errors.Is(err, down) {
		t.Errorf("Revoke = %v; want the error of the cache", err)
	}
}
