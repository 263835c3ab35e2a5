package replay_test

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/replay"
	"github.com/portcullis-go/portcullis/verifier"
)

var _ verifier.ReplayStore = (*replay.Store)(nil)

// clock is set by the tests.
type clock struct{ nanoseconds atomic.Int64 }

func (c *clock) now() time.Time          { return time.Unix(1_750_000_000, c.nanoseconds.Load()) }
func (c *clock) advance(d time.Duration) { c.nanoseconds.Add(int64(d)) }

func newStore(t testing.TB, config replay.Config) (*replay.Store, *clock) {
	t.Helper()
	clock := new(clock)
	config.Now = clock.now
	store, err := replay.New(config)
	if err != nil {
		t.Fatal(err)
	}
	return store, clock
}

func wantAdd(t testing.TB, store *replay.Store, key string, ttl time.Duration, want bool) {
	t.Helper()
	if added, err := store.Add(t.Context(), key, ttl); added != want || err != nil {
		t.Fatalf("Add(%.20q, %v) = %v, %v; want %v", key, ttl, added, err, want)
	}
}

func wantError(t testing.TB, store *replay.Store, key string, want error) {
	t.Helper()
	if added, err := store.Add(t.Context(), key, time.Minute); added || !errors.Is(err, want) {
		t.Fatalf("Add(%.20q) = %v, %v; want error %v", key, added, err, want)
	}
}

func TestAddKeepsAKeyForItsTTL(t *testing.T) {
	store, clock := newStore(t, replay.Config{})
	wantAdd(t, store, "a.1", 330*time.Second, true)
	wantAdd(t, store, "a.1", 330*time.Second, false)
	clock.advance(330*time.Second - 1)
	wantAdd(t, store, "a.1", 330*time.Second, false)
	clock.advance(1)
	wantAdd(t, store, "a.1", 330*time.Second, true)
	wantAdd(t, store, "a.1", 330*time.Second, false)
}

// A clock that was ahead for a moment, and is set right again, makes no key new
// that is still live by the right time (RFC 9449, Section 11.1).
func TestAClockThatIsSetBackForgetsNothing(t *testing.T) {
	for _, ahead := range []time.Duration{3 * time.Second, time.Minute, time.Hour} {
		store, clock := newStore(t, replay.Config{MaxEntries: 100, MaxPerPrefix: 2})
		clock.advance(ahead) // there is a time before
		clock.advance(-ahead)
		wantAdd(t, store, "a.1", time.Second, true)
		wantAdd(t, store, "a.2", 330*time.Second, true)
		clock.advance(ahead + 330*time.Second - 2*time.Second)
		wantAdd(t, store, "a.3", time.Second, true) // retires what has expired
		clock.advance(-ahead)
		wantAdd(t, store, "a.2", 330*time.Second, false)
		wantError(t, store, "a.4", replay.ErrQuota) // a.2 and a.3 are live
		clock.advance(2 * time.Second)
		wantAdd(t, store, "a.2", 330*time.Second, true)
	}
}

// What has expired is kept for a while, in bounds, and never takes the place of a
// live key.
func TestExpiredKeysAreBounded(t *testing.T) {
	store, clock := newStore(t, replay.Config{MaxEntries: 1000})
	for i := range 5000 {
		wantAdd(t, store, "a."+strconv.Itoa(i), time.Second, true)
		clock.advance(10 * time.Millisecond)
	}
	if got := store.Retired(); got > 1000 || got == 0 {
		t.Errorf("%d expired keys are kept; want 1 to 1000", got)
	}
	clock.advance(3 * time.Hour)
	wantAdd(t, store, "a.x", time.Second, true)
	if got := store.Retired(); got != 0 {
		t.Errorf("%d expired keys are kept after 3 h; want none", got)
	}
}

func TestTheClockIsOptional(t *testing.T) {
	store, err := replay.New(replay.Config{})
	if err != nil {
		t.Fatal(err)
	}
	wantAdd(t, store, "a.1", time.Hour, true)
	wantAdd(t, store, "a.1", time.Hour, false)
}

func TestARepeatedAddDoesNotExtend(t *testing.T) {
	store, clock := newStore(t, replay.Config{})
	wantAdd(t, store, "a.1", time.Minute, true)
	clock.advance(30 * time.Second)
	wantAdd(t, store, "a.1", time.Hour, false)
	clock.advance(30 * time.Second)
	wantAdd(t, store, "a.1", time.Minute, true)
}

func TestKeysAreComparedByteByByte(t *testing.T) {
	store, _ := newStore(t, replay.Config{})
	huge := strings.Repeat("k", 64<<10)
	for _, key := range []string{"a.1", "A.1", "a.2", "b.1", "a", "a.", ".1", ".", "a.1 ", "a.1.2", "ä\x00.\n", huge, huge + ".", huge + ".1"} {
		wantAdd(t, store, key, time.Minute, true)
		wantAdd(t, store, key, time.Minute, false)
	}
}

func TestATTLThatHasPassedRemembersNothing(t *testing.T) {
	store, _ := newStore(t, replay.Config{MaxEntries: 1})
	for _, ttl := range []time.Duration{0, -1, math.MinInt64} {
		wantAdd(t, store, "a.1", ttl, true)
	}
	wantAdd(t, store, "a.1", time.Minute, true)
	wantAdd(t, store, "a.2", 0, true) // also in a full store
}

func TestTheLongestTTLDoesNotOverflow(t *testing.T) {
	store, clock := newStore(t, replay.Config{})
	wantAdd(t, store, "a.1", math.MaxInt64, true)
	clock.advance(100 * 365 * 24 * time.Hour)
	wantAdd(t, store, "a.1", time.Minute, false)
}

func TestAFullStoreRefusesAndForgetsNothing(t *testing.T) {
	store, clock := newStore(t, replay.Config{MaxEntries: 500})
	for i := range 500 {
		wantAdd(t, store, "p"+strconv.Itoa(i)+".x", time.Duration(1+i)*time.Second, true)
	}
	wantError(t, store, "other.x", replay.ErrFull)
	wantError(t, store, "nodot", replay.ErrFull)
	for i := range 500 {
		wantAdd(t, store, "p"+strconv.Itoa(i)+".x", time.Minute, false)
	}
	// One entry expires, in whatever shard: there is room for one.
	clock.advance(time.Second)
	wantAdd(t, store, "other.x", time.Hour, true)
	wantError(t, store, "another.x", replay.ErrFull)
	clock.advance(499 * time.Second)
	for i := range 499 {
		wantAdd(t, store, "q"+strconv.Itoa(i)+".x", time.Minute, true)
	}
	wantError(t, store, "another.x", replay.ErrFull)
}

func TestAFullStoreIsNotAQuota(t *testing.T) {
	store, _ := newStore(t, replay.Config{MaxEntries: 1})
	wantAdd(t, store, "a.1", time.Minute, true)
	_, err := store.Add(t.Context(), "a.2", time.Minute)
	if quotaExceeded(err) {
		t.Errorf("QuotaExceeded() of %v is true; want false", err)
	}
}

func TestOnePrefixHasAQuota(t *testing.T) {
	store, clock := newStore(t, replay.Config{MaxPerPrefix: 3})
	for _, key := range []string{"a.1", "a.2", "a.3.4"} {
		wantAdd(t, store, key, time.Minute, true)
	}
	wantError(t, store, "a.4", replay.ErrQuota)
	_, err := store.Add(t.Context(), "a.4", time.Minute)
	if !quotaExceeded(err) {
		t.Errorf("QuotaExceeded() of %v is false; want true", err)
	}
	// Its own records stay, and other prefixes and keys without one go on.
	wantAdd(t, store, "a.1", time.Minute, false)
	wantAdd(t, store, "b.4", time.Minute, true)
	for i := range 10 {
		wantAdd(t, store, "nodot"+strconv.Itoa(i), time.Minute, true)
	}
	clock.advance(time.Minute)
	wantAdd(t, store, "a.4", time.Minute, true)
	wantAdd(t, store, "a.5", time.Minute, true)
	wantAdd(t, store, "a.6", time.Minute, true)
	wantError(t, store, "a.7", replay.ErrQuota)
}

func quotaExceeded(err error) bool {
	var quota interface{ QuotaExceeded() bool }
	return errors.As(err, &quota) && quota.QuotaExceeded()
}

func TestErrorsNeverHoldTheKey(t *testing.T) {
	store, _ := newStore(t, replay.Config{MaxEntries: 1, MaxPerPrefix: 1})
	wantAdd(t, store, "secret.1", time.Minute, true)
	for _, key := range []string{"secret.2", "other.secret"} {
		if _, err := store.Add(t.Context(), key, time.Minute); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("Add(%q) = %v; want an error without the key", key, err)
		}
	}
}

func TestADoneContextRemembersNothing(t *testing.T) {
	store, _ := newStore(t, replay.Config{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if added, err := store.Add(ctx, "a.1", time.Minute); added || !errors.Is(err, context.Canceled) {
		t.Errorf("Add = %v, %v; want context.Canceled", added, err)
	}
	wantAdd(t, store, "a.1", time.Minute, true)
}

func TestNewRefusesNegativeBounds(t *testing.T) {
	for _, config := range []replay.Config{{MaxEntries: -1}, {MaxPerPrefix: -1}} {
		if store, err := replay.New(config); err == nil || store != nil {
			t.Errorf("New(%+v) = %v, %v; want an error", config, store, err)
		}
	}
}

func TestConcurrentAddsOfOneKey(t *testing.T) {
	store, _ := newStore(t, replay.Config{})
	for _, key := range []string{"a.1", "a.2", "nodot"} {
		if added := addAtOnce(t, store, 100, func(int) string { return key }); added != 1 {
			t.Errorf("%d of 100 concurrent Adds of %q report added; want 1", added, key)
		}
	}
}

func TestConcurrentAddsObeyTheBounds(t *testing.T) {
	store, _ := newStore(t, replay.Config{MaxPerPrefix: 10})
	if added := addAtOnce(t, store, 100, func(i int) string { return "a." + strconv.Itoa(i) }); added != 10 {
		t.Errorf("%d of 100 keys of one prefix added; want its quota of 10", added)
	}
	store, _ = newStore(t, replay.Config{MaxEntries: 10})
	if added := addAtOnce(t, store, 100, func(i int) string { return strconv.Itoa(i) + ".x" }); added != 10 {
		t.Errorf("%d of 100 keys added; want the store's 10", added)
	}
}

// addAtOnce returns how many of n concurrent Adds report added.
func addAtOnce(t *testing.T, store *replay.Store, n int, key func(i int) string) int64 {
	t.Helper()
	var added atomic.Int64
	var group sync.WaitGroup
	start := make(chan struct{})
	for i := range n {
		group.Go(func() {
			<-start
			if ok, _ := store.Add(t.Context(), key(i), time.Minute); ok {
				added.Add(1)
			}
		})
	}
	close(start)
	group.Wait()
	return added.Load()
}

// TestAgainstAModel drives the store and a plain map alike.
func TestAgainstAModel(t *testing.T) {
	const maxEntries, maxPerPrefix = 60, 20
	store, clock := newStore(t, replay.Config{MaxEntries: maxEntries, MaxPerPrefix: maxPerPrefix})
	random := rand.New(rand.NewPCG(1, 2))
	model := map[string]time.Time{}
	outcomes := map[string]int{}
	for step := range 50_000 {
		clock.advance(time.Duration(random.IntN(800)) * time.Millisecond)
		prefix := strconv.Itoa(random.IntN(6))
		key := prefix + "." + strconv.Itoa(random.IntN(40))
		ttl := time.Duration(1+random.IntN(60)) * time.Second

		perPrefix := 0
		for known, expires := range model {
			if !clock.now().Before(expires) {
				delete(model, known)
			} else if strings.HasPrefix(known, prefix+".") {
				perPrefix++
			}
		}
		want := "added"
		if _, known := model[key]; known {
			want = "known"
		} else if perPrefix >= maxPerPrefix {
			want = "quota"
		} else if len(model) >= maxEntries {
			want = "full"
		} else {
			model[key] = clock.now().Add(ttl)
		}

		added, err := store.Add(t.Context(), key, ttl)
		got := "known"
		if errors.Is(err, replay.ErrQuota) {
			got = "quota"
		} else if errors.Is(err, replay.ErrFull) {
			got = "full"
		} else if added {
			got = "added"
		}
		if got != want {
			t.Fatalf("step %d: Add(%q, %v) is %s; want %s", step, key, ttl, got, want)
		}
		outcomes[got]++
	}
	if len(outcomes) != 4 {
		t.Errorf("the steps had the outcomes %v; want all four", outcomes)
	}
}

// TestMemoryOfAMillionEntries measures the worst case: every entry has a prefix
// of its own.
func TestMemoryOfAMillionEntries(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a second and 115 MB")
	}
	const entries, maxBytesPerEntry = 1_000_000, 150
	store, clock := newStore(t, replay.Config{})
	before := heapInUse()
	for i := range entries {
		wantAdd(t, store, strconv.Itoa(i)+".jti", 330*time.Second, true)
	}
	full := heapInUse()
	bytesPerEntry := float64(full-before) / entries
	t.Logf("%.0f bytes an entry", bytesPerEntry)
	if bytesPerEntry > maxBytesPerEntry {
		t.Errorf("%.0f bytes an entry; want at most %d", bytesPerEntry, maxBytesPerEntry)
	}
	wantError(t, store, "one more.jti", replay.ErrFull)

	clock.advance(3 * time.Hour) // past the time that expired keys are kept for
	for i := range 10_000 {
		wantAdd(t, store, strconv.Itoa(i)+".jti", time.Second, true)
	}
	if after := heapInUse(); after-before > (full-before)/10 {
		t.Errorf("%d bytes in use after all entries expired, %d before; want them given back", after-before, full-before)
	}
	runtime.KeepAlive(store)
}

func heapInUse() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

func BenchmarkAdd(b *testing.B) {
	for _, bench := range []struct {
		name    string
		prefix  func(i int64) string
		perStep time.Duration
	}{
		{"new keys, 100000 live", func(i int64) string { return strconv.FormatInt(i%1000, 10) }, time.Minute / 100_000},
		{"new keys, 1000 live, one prefix", func(int64) string { return "p" }, time.Minute / 1000},
	} {
		b.Run(bench.name, func(b *testing.B) {
			store, clock := newStore(b, replay.Config{})
			var counter atomic.Int64
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					i := counter.Add(1)
					clock.advance(bench.perStep)
					key := bench.prefix(i) + "." + strconv.FormatInt(i, 10)
					if added, err := store.Add(b.Context(), key, time.Minute); !added || err != nil {
						b.Errorf("Add = %v, %v", added, err)
						return
					}
				}
			})
		})
	}
}
