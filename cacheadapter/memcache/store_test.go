package memcache_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gomemcache "github.com/bradfitz/gomemcache/memcache"

	"github.com/portcullis-go/portcullis/cacheadapter/memcache"
	"github.com/portcullis-go/portcullis/cacheadapter/memcache/internal/memcachetest"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

var (
	_ verifier.Cache       = (*memcache.Store)(nil)
	_ verifier.ReplayStore = (*memcache.Store)(nil)
	_ verifier.Clearer     = (*memcache.Store)(nil)
)

func newStore(t testing.TB, client *gomemcache.Client, config memcache.Config) *memcache.Store {
	t.Helper()
	store, err := memcache.New(client, config)
	if err != nil {
		t.Fatal(err)
	}
	return store
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

func set(t testing.TB, store verifier.Cache, key, value string) {
	t.Helper()
	if err := store.Set(t.Context(), key, []byte(value), time.Minute); err != nil {
		t.Fatalf("Set(%.40q) = %v", key, err)
	}
}

func wantAdd(t testing.TB, store verifier.ReplayStore, key string, ttl time.Duration, want bool) {
	t.Helper()
	if added, err := store.Add(t.Context(), key, ttl); added != want || err != nil {
		t.Errorf("Add(%.40q, %v) = %v, %v; want %v", key, ttl, added, err, want)
	}
}

func TestNewRefuses(t *testing.T) {
	client := gomemcache.New("127.0.0.1:1")
	tests := map[string]struct {
		client *gomemcache.Client
		config memcache.Config
	}{
		"no client":            {nil, memcache.Config{}},
		"separator":            {client, memcache.Config{Prefix: "a|b"}},
		"space":                {client, memcache.Config{Prefix: "a b"}},
		"line end":             {client, memcache.Config{Prefix: "a\r\n"}},
		"not ASCII":            {client, memcache.Config{Prefix: "é"}},
		"long prefix":          {client, memcache.Config{Prefix: strings.Repeat("p", 101)}},
		"negative calls":       {client, memcache.Config{MaxInFlight: -1}},
		"negative value":       {client, memcache.Config{MaxValueSize: -1}},
		"value beyond a limit": {client, memcache.Config{MaxValueSize: 1<<30 + 1}},
		"negative time":        {client, memcache.Config{GenerationTTL: -1}},
		"long time":            {client, memcache.Config{GenerationTTL: time.Minute + 1}},
	}
	for name, test := range tests {
		if store, err := memcache.New(test.client, test.config); store != nil || err == nil {
			t.Errorf("%s: New() = %v, %v; want an error", name, store, err)
		}
	}
}

// TestOneServer runs what needs a server and leaves it in order.
func TestOneServer(t *testing.T) {
	server := memcachetest.Start(t)
	client := server.Client()

	t.Run("an entry is a miss once its ttl has passed, to the nanosecond", func(t *testing.T) {
		clock := verifiertest.NewClock(time.Time{})
		store := newStore(t, client, memcache.Config{Prefix: "ttl", Now: clock.Now})
		if err := store.Set(t.Context(), "k", []byte("v"), 10*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		clock.Advance(10*time.Millisecond - 1)
		wantGet(t, store, "k", "v")
		clock.Advance(1)
		wantMiss(t, store, "k")
		for _, ttl := range []time.Duration{30*24*time.Hour - time.Second, 30 * 24 * time.Hour, 40 * 24 * time.Hour, 1<<63 - 1} {
			if err := store.Set(t.Context(), "k", []byte("v"), ttl); err != nil {
				t.Fatal(err)
			}
			wantGet(t, store, "k", "v")
		}
		wantAdd(t, store, "r", 40*24*time.Hour, true)
		wantAdd(t, store, "r", 40*24*time.Hour, false)
		wantAdd(t, store, "r2", 1<<63-1, true)
		wantAdd(t, store, "r2", time.Minute, false)
	})

	t.Run("a record stays for its ttl, whatever part of a second the server is in", func(t *testing.T) {
		store := newStore(t, client, memcache.Config{Prefix: "stays"})
		const ttl = time.Second
		var group sync.WaitGroup
		for i := range 10 {
			group.Go(func() {
				start := time.After(time.Duration(i) * 100 * time.Millisecond)
				<-start
				key := fmt.Sprint("k", i)
				// The record must be there until ttl has passed since the
				// answer. An Add on a busy machine may take past that.
				wantAdd(t, store, key, ttl, true)
				added, end := false, time.Now().Add(ttl)
				for ; !added && time.Now().Before(end); <-time.After(30 * time.Millisecond) {
					var err error
					if added, err = store.Add(t.Context(), key, ttl); err != nil || added && time.Now().Before(end) {
						t.Errorf("Add() %v before the end of the ttl = %v, %v; want false", time.Until(end), added, err)
					}
				}
				if err := memcachetest.Poll(10*time.Second, func() error {
					again, err := store.Add(t.Context(), key, ttl)
					if err != nil || !added && !again {
						return fmt.Errorf("Add() = %v, %v; want true", again, err)
					}
					return nil
				}); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
	})

	t.Run("nothing is kept for ever", func(t *testing.T) {
		store := newStore(t, client, memcache.Config{Prefix: "never"})
		for _, ttl := range []time.Duration{0, -1, -time.Nanosecond, -time.Hour} {
			set(t, store, "k", "v")
			if err := store.Set(t.Context(), "k", []byte("v"), ttl); err != nil {
				t.Errorf("Set(ttl %v) = %v", ttl, err)
			}
			wantMiss(t, store, "k")
			wantAdd(t, store, "k", ttl, true)
		}
	})

	t.Run("Clear ends what is under the prefix and nothing else", func(t *testing.T) {
		for _, cleared := range []string{"app", "app2", "ap", ""} {
			stores := map[string]*memcache.Store{}
			for _, name := range []string{"app", "app2", "ap", ""} {
				stores[name] = newStore(t, client, memcache.Config{Prefix: name})
				set(t, stores[name], "k", name)
				if _, err := stores[name].Add(t.Context(), "k", time.Minute); err != nil {
					t.Fatal(err)
				}
			}
			if err := client.Set(&gomemcache.Item{Key: "foreign"}); err != nil {
				t.Fatal(err)
			}
			// Another process has the entry, too.
			peer := newStore(t, server.Client(), memcache.Config{Prefix: cleared})
			wantGet(t, peer, "k", cleared)
			if err := stores[cleared].Clear(t.Context()); err != nil {
				t.Fatalf("Clear() of %q = %v", cleared, err)
			}
			wantMiss(t, peer, "k")
			for name, store := range stores {
				if name == cleared {
					wantMiss(t, store, "k")
				} else {
					wantGet(t, store, "k", name)
				}
				wantAdd(t, store, "k", time.Minute, false)
			}
			set(t, peer, "k", "anew")
			wantGet(t, stores[cleared], "k", "anew")
			if _, err := client.Get("foreign"); err != nil {
				t.Error("Clear removed a key of somebody else")
			}
		}
	})

	t.Run("a lost generation brings nothing back", func(t *testing.T) {
		store := newStore(t, client, memcache.Config{Prefix: "lost"})
		set(t, store, "k", "v")
		if err := client.Delete("lost|g"); err != nil {
			t.Fatal(err)
		}
		wantMiss(t, store, "k")
		set(t, store, "other", "w")
		wantGet(t, store, "other", "w")
		wantMiss(t, store, "k")
		// Nor does one that somebody wrote over.
		if err := client.Set(&gomemcache.Item{Key: "lost|g", Value: []byte("garbage")}); err != nil {
			t.Fatal(err)
		}
		wantMiss(t, store, "other")
		set(t, store, "k", "x")
		wantGet(t, store, "k", "x")
	})

	t.Run("many begin the generation at once", func(t *testing.T) {
		var group sync.WaitGroup
		for i := range 20 {
			group.Go(func() {
				store := newStore(t, client, memcache.Config{Prefix: "first"})
				set(t, store, fmt.Sprint("k", i), "v")
				wantGet(t, store, fmt.Sprint("k", i), "v")
			})
		}
		group.Wait()
		store := newStore(t, client, memcache.Config{Prefix: "first"})
		for i := range 20 {
			wantGet(t, store, fmt.Sprint("k", i), "v")
		}
	})

	t.Run("what others write is a miss", func(t *testing.T) {
		store := newStore(t, client, memcache.Config{Prefix: "garbage"})
		set(t, store, "k", "v")
		item, err := client.Get("garbage|c|=k")
		if err != nil {
			t.Fatal(err)
		}
		version2, truncated := slices.Clone(item.Value), item.Value[:24]
		version2[0] = 2
		for _, value := range [][]byte{nil, []byte("v"), version2, truncated, make([]byte, 26)} {
			if err := client.Set(&gomemcache.Item{Key: "garbage|c|=k", Value: value}); err != nil {
				t.Fatal(err)
			}
			wantMiss(t, store, "k")
		}
		wantAdd(t, store, "k", time.Minute, true)
		if err := client.Set(&gomemcache.Item{Key: "garbage|r|=k", Value: []byte("anything")}); err != nil {
			t.Fatal(err)
		}
		wantAdd(t, store, "k", time.Minute, false)
	})

	t.Run("keys of any bytes and sizes", func(t *testing.T) {
		store := newStore(t, client, memcache.Config{Prefix: "keys"})
		all := []string{
			"k", "K", "k ", " k", "k\r\nflush_all", "k\x00", "k\t", "k\x7f", "ключ", "k\u00a0l", "k\u2003l", "k\u0085l", "k\ufffdl", "k\xffl", "k\xfel",
			"=k", "#k", "k|c|k", strings.Repeat("k", 64<<10), strings.Repeat("k", 64<<10-1) + "l",
		}
		for _, n := range []int{239, 240, 241, 242, 243, 244, 250, 251} {
			all = append(all, strings.Repeat("k", n-1)+"a", strings.Repeat("k", n-1)+"b", strings.Repeat("k", n-2)+"é")
		}
		for _, key := range all {
			set(t, store, key, "of "+key)
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
			if err := store.Delete(t.Context(), key); err != nil {
				t.Errorf("Delete(absent) = %v", err)
			}
		}
	})

	t.Run("hashed keys do not meet raw ones", func(t *testing.T) {
		store := newStore(t, client, memcache.Config{Prefix: "hashed"})
		set(t, store, "a key", "long")
		const hash = "j6Oqsvqpt54KA5jaW1q9B4AUJEKlvoC5pkYI1xjLH80" // checked below
		for _, key := range []string{hash, "#" + hash, "=" + hash, "hashed|c|#" + hash} {
			wantMiss(t, store, key)
			set(t, store, key, "raw")
		}
		wantGet(t, store, "a key", "long")
		if _, err := client.Get("hashed|c|#" + hash); err != nil {
			t.Errorf("the hash of %q is another: %v", "a key", err)
		}
	})

	t.Run("values up to the limit", func(t *testing.T) {
		store := newStore(t, client, memcache.Config{Prefix: "values"})
		value := strings.Repeat("secret\r\n", 128<<10)
		for _, n := range []int{0, 1, 512 << 10, 1<<20 - 1024} {
			set(t, store, "k", value[:n])
			wantGet(t, store, "k", value[:n])
		}
		for _, n := range []int{1<<20 - 1023, 1 << 20} {
			err := store.Set(t.Context(), "k", []byte(value[:n]), time.Minute)
			if !errors.Is(err, memcache.ErrTooLarge) || strings.Contains(err.Error(), "secret") {
				t.Errorf("Set(%d bytes) = %v; want ErrTooLarge", n, err)
			}
		}
		wantGet(t, store, "k", value[:1<<20-1024])
		// The longest keys and prefixes fit, too.
		store = newStore(t, client, memcache.Config{Prefix: strings.Repeat("p", 100)})
		set(t, store, strings.Repeat("k", 146), value[:1<<20-1024])
		wantGet(t, store, strings.Repeat("k", 146), value[:1<<20-1024])
		// What the server does not take is said, too.
		store = newStore(t, client, memcache.Config{Prefix: "values", MaxValueSize: 2 << 20})
		if err := store.Set(t.Context(), "k", []byte(value+value), time.Minute); !errors.Is(err, memcache.ErrTooLarge) {
			t.Errorf("Set(2 MiB) = %v; want ErrTooLarge", err)
		}
	})

	t.Run("one of many Adds wins, across stores", func(t *testing.T) {
		stores := []*memcache.Store{
			newStore(t, client, memcache.Config{Prefix: "race"}),
			newStore(t, server.Client(), memcache.Config{Prefix: "race"}),
		}
		for i := range 50 {
			var added atomic.Int32
			var group sync.WaitGroup
			for j := range 16 {
				group.Go(func() {
					if ok, err := stores[j%2].Add(t.Context(), fmt.Sprint("k", i), time.Minute); err != nil {
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
	})

	t.Run("a context that is done", func(t *testing.T) {
		store := newStore(t, client, memcache.Config{Prefix: "done"})
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for op, err := range everyCall(ctx, store) {
			if !errors.Is(err, context.Canceled) {
				t.Errorf("%s = %v; want %v", op, err, context.Canceled)
			}
		}
		if _, err := store.Add(ctx, "k", 0); !errors.Is(err, context.Canceled) {
			t.Errorf("Add(ttl 0) = %v; want %v", err, context.Canceled)
		}
		for op, err := range everyCall(context.WithoutCancel(ctx), store) {
			if err != nil {
				t.Errorf("%s without an end of the context = %v", op, err)
			}
		}
	})
}

// everyCall makes each call once and returns their errors.
func everyCall(ctx context.Context, store *memcache.Store) map[string]error {
	errs := map[string]error{}
	_, _, errs["Get"] = store.Get(ctx, "secret-key")
	errs["Set"] = store.Set(ctx, "secret-key", []byte("secret-value"), time.Minute)
	errs["Set without ttl"] = store.Set(ctx, "secret-key", []byte("secret-value"), 0)
	errs["Delete"] = store.Delete(ctx, "secret-key")
	_, errs["Add"] = store.Add(ctx, "secret-key", time.Minute)
	errs["Clear"] = store.Clear(ctx)
	return errs
}

// TestFrozenServer: calls end with their contexts, and those that still hang
// are bounded.
func TestFrozenServer(t *testing.T) {
	server := memcachetest.Start(t)
	store := newStore(t, server.Client(), memcache.Config{MaxInFlight: 20})
	set(t, store, "k", "v")
	server.Freeze()

	for _, call := range []func(context.Context) error{
		func(ctx context.Context) error { _, _, err := store.Get(ctx, "k"); return err },
		func(ctx context.Context) error { return store.Set(ctx, "k", nil, time.Minute) },
		func(ctx context.Context) error { return store.Delete(ctx, "k") },
		func(ctx context.Context) error { _, err := store.Add(ctx, "k", time.Minute); return err },
		store.Clear,
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		start := time.Now()
		if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a call of a frozen server = %v; want %v", err, context.DeadlineExceeded)
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("it took %v for a context of 50ms", took)
		}
		cancel()

		ctx, cancel = context.WithCancel(t.Context())
		time.AfterFunc(10*time.Millisecond, cancel)
		if err := call(ctx); !errors.Is(err, context.Canceled) {
			t.Errorf("a call of a frozen server = %v; want %v", err, context.Canceled)
		}
	}

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var busy atomic.Int32
	var group sync.WaitGroup
	for range 40 {
		group.Go(func() {
			if _, _, err := store.Get(ctx, "k"); errors.Is(err, memcache.ErrBusy) {
				if busy.Add(1) == 20+10 { // 10 places are taken above
					cancel()
				}
			}
		})
	}
	group.Wait()
	if n := busy.Load(); n != 30 {
		t.Errorf("%d of 40 calls are busy; want 30", n)
	}

	server.Thaw()
	if err := memcachetest.Poll(20*time.Second, func() error { _, _, err := store.Get(t.Context(), "k"); return err }); err != nil {
		t.Errorf("the places are not given back: %v", err)
	}
}

func TestServerAway(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	_ = listener.Close()
	store := newStore(t, memcachetest.Client(addr), memcache.Config{})
	for op, err := range everyCall(t.Context(), store) {
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s = %v; want an error without secrets", op, err)
		}
	}
}

// TestStrangeServer: the client quotes answers in its errors.
func TestStrangeServer(t *testing.T) {
	for _, answer := range []string{"secret-value", "SERVER_ERROR secret", "VALUE secret", "VALUE secret 0 -5\r\n"} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		var group sync.WaitGroup
		group.Go(func() {
			for {
				conn, err := listener.Accept()
				if err != nil {
					return
				}
				group.Go(func() {
					defer conn.Close()
					buffer := make([]byte, 4096)
					_, _ = conn.Read(buffer)
					_, _ = conn.Write([]byte(answer + "\r\n"))
				})
			}
		})
		store := newStore(t, memcachetest.Client(listener.Addr().String()), memcache.Config{})
		for op, err := range everyCall(t.Context(), store) {
			if err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s of a server that answers %q = %v; want an error without secrets", op, answer, err)
			}
		}
		_ = listener.Close()
		group.Wait()
	}
}

// TestSeveralServers: keys and the generation are on different ones.
func TestSeveralServers(t *testing.T) {
	servers := []*memcachetest.Server{memcachetest.Start(t), memcachetest.Start(t), memcachetest.Start(t)}
	store := newStore(t, memcachetest.Client(servers[0].Addr, servers[1].Addr, servers[2].Addr), memcache.Config{})
	for i := range 100 {
		set(t, store, fmt.Sprint("k", i), "v")
		wantAdd(t, store, fmt.Sprint("k", i), time.Minute, true)
	}
	for i := range 100 {
		wantGet(t, store, fmt.Sprint("k", i), "v")
		wantAdd(t, store, fmt.Sprint("k", i), time.Minute, false)
	}
	if err := store.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i := range 100 {
		wantMiss(t, store, fmt.Sprint("k", i))
	}
	// A server that is away is an error, never a miss.
	for i := range 100 {
		set(t, store, fmt.Sprint("k", i), "v")
	}
	servers[1].Kill()
	var failed int
	for i := range 100 {
		value, ok, err := store.Get(t.Context(), fmt.Sprint("k", i))
		if err != nil {
			failed++
		} else if !ok {
			t.Errorf("Get() = %q, %v, %v; want an error or the value", value, ok, err)
		}
	}
	if failed == 0 {
		t.Error("no Get failed without one of three servers")
	}
}

// TestFullServer: with -M a full server refuses records instead of forgetting
// old ones.
func TestFullServer(t *testing.T) {
	server := memcachetest.Start(t, "-m", "2", "-M")
	store := newStore(t, server.Client(), memcache.Config{})
	var added int
	var err error
	for ; added < 1_000_000; added++ {
		if _, err = store.Add(t.Context(), fmt.Sprintf("%0100d", added), time.Hour); err != nil {
			break
		}
	}
	if err == nil {
		t.Fatal("the server takes a million records into 2 MiB")
	}
	if !strings.Contains(err.Error(), "out of memory") {
		t.Errorf("Add() to a full server = %v; want out of memory", err)
	}
	for i := range min(added, 2000) {
		// The server asks for memory before it looks, so this is an error, too.
		if again, _ := store.Add(t.Context(), fmt.Sprintf("%0100d", i), time.Hour); again {
			t.Fatalf("record %d of %d was forgotten", i, added)
		}
	}
	if stats := server.Do("stats"); !strings.Contains(stats, "STAT evictions 0\r\n") {
		t.Errorf("the server has evicted something: %s", stats)
	}
}
