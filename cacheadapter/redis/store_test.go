package redis_test

import (
	"bytes"
	"context"
	"errors"
	"math"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portcullis-go/portcullis/cacheadapter/redis"
	"github.com/portcullis-go/portcullis/cacheadapter/redis/internal/redistest"
	"github.com/portcullis-go/portcullis/conformance/faultproxy"
	"github.com/portcullis-go/portcullis/verifier"
)

var (
	_ verifier.Cache       = (*redis.Store)(nil)
	_ verifier.ReplayStore = (*redis.Store)(nil)
	_ verifier.Clearer     = (*redis.Store)(nil)
)

func newStore(t testing.TB, client goredis.UniversalClient, config redis.Config) *redis.Store {
	t.Helper()
	store, err := redis.New(client, config)
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
	client := redistest.Client(t, "127.0.0.1:1", nil)
	tests := map[string]struct {
		client goredis.UniversalClient
		config redis.Config
	}{
		"no client":         {nil, redis.Config{}},
		"separator":         {client, redis.Config{Prefix: "a|b"}},
		"long prefix":       {client, redis.Config{Prefix: strings.Repeat("p", 257)}},
		"negative calls":    {client, redis.Config{MaxInFlight: -1}},
		"negative value":    {client, redis.Config{MaxValueSize: -1}},
		"value beyond what": {client, redis.Config{MaxValueSize: 513 << 20}},
	}
	for name, test := range tests {
		if store, err := redis.New(test.client, test.config); store != nil || err == nil {
			t.Errorf("%s: New() = %v, %v; want an error", name, store, err)
		}
	}
}

// TestOneServer runs what needs a server and leaves it in order.
func TestOneServer(t *testing.T) {
	server := redistest.Start(t)
	client := server.Client(nil)

	t.Run("TTLs reach the server rounded up, and never mean for ever", func(t *testing.T) {
		store := newStore(t, client, redis.Config{Prefix: "ttl"})
		for ttl, want := range map[time.Duration]time.Duration{
			1:                             time.Millisecond,
			time.Millisecond + 1:          2 * time.Millisecond,
			1500*time.Microsecond + 1:     2 * time.Millisecond,
			time.Second:                   time.Second,
			time.Minute + time.Nanosecond: time.Minute + time.Millisecond,
			1000 * 24 * time.Hour:         1000 * 24 * time.Hour,
			math.MaxInt64:                 math.MaxInt64 / time.Millisecond * time.Millisecond,
		} {
			if got := sentTTL(t, client, func() error { return store.Set(t.Context(), "k", nil, ttl) }); got != want {
				t.Errorf("Set with %d ns sends %v; want %v", ttl, got, want)
			}
			if got := sentTTL(t, client, func() error { _, err := store.Add(t.Context(), ttl.String(), ttl); return err }); got != want {
				t.Errorf("Add with %d ns sends %v; want %v", ttl, got, want)
			}
		}
	})

	t.Run("nothing is kept for ever", func(t *testing.T) {
		store := newStore(t, client, redis.Config{Prefix: "never"})
		for _, ttl := range []time.Duration{0, -1, -time.Nanosecond, -time.Hour} {
			set(t, store, "k", "v")
			if err := store.Set(t.Context(), "k", []byte("v"), ttl); err != nil {
				t.Errorf("Set(ttl %v) = %v", ttl, err)
			}
			wantMiss(t, store, "k")
			wantAdd(t, store, "k", ttl, true)
		}
		for _, key := range keys(t, server) {
			if left := client.PTTL(t.Context(), key).Val(); left == -1 {
				t.Errorf("%q has no ttl", key)
			}
		}
	})

	t.Run("Clear removes what is under the prefix and nothing else", func(t *testing.T) {
		names := []string{"app", "app2", "ap", "a*", "a[pb]", "a?p", `a\p`, "x", "[^x]", ""}
		for _, cleared := range names {
			stores := map[string]*redis.Store{}
			for _, name := range names {
				stores[name] = newStore(t, client, redis.Config{Prefix: name})
				set(t, stores[name], "k", name)
				if _, err := stores[name].Add(t.Context(), "k", time.Minute); err != nil {
					t.Fatal(err)
				}
			}
			if err := client.Set(t.Context(), "foreign", 1, 0).Err(); err != nil {
				t.Fatal(err)
			}
			if err := stores[cleared].Clear(t.Context()); err != nil {
				t.Fatalf("Clear() of %q = %v", cleared, err)
			}
			for name, store := range stores {
				if name == cleared {
					wantMiss(t, store, "k")
				} else {
					wantGet(t, store, "k", name)
				}
				wantAdd(t, store, "k", time.Minute, false)
			}
			if n := client.Exists(t.Context(), "foreign").Val(); n != 1 {
				t.Error("Clear removed a key of somebody else")
			}
		}
	})

	t.Run("Clear goes through all steps of a scan", func(t *testing.T) {
		store := newStore(t, client, redis.Config{Prefix: "many"})
		for i := range 3000 {
			set(t, store, strings.Repeat("k", 1+i%7)+string(rune(i+0x1000)), "v")
		}
		if err := store.Clear(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, key := range keys(t, server) {
			if strings.HasPrefix(key, "many") {
				t.Fatalf("%q is left", key)
			}
		}
	})

	t.Run("keys of any bytes and sizes", func(t *testing.T) {
		store := newStore(t, client, redis.Config{Prefix: "keys"})
		all := []string{"k", "K", "k ", " k", "k\r\nDEL x", "k\x00", "ключ", "k|c|k", "{k}", strings.Repeat("k", 64<<10), strings.Repeat("k", 64<<10-1) + "l"}
		for _, key := range all {
			set(t, store, key, "of "+key)
			wantAdd(t, store, key, time.Minute, true)
		}
		for _, key := range all {
			wantGet(t, store, key, "of "+key)
			wantAdd(t, store, key, time.Minute, false)
		}
	})

	t.Run("values up to the limit", func(t *testing.T) {
		store := newStore(t, client, redis.Config{Prefix: "values", MaxValueSize: 512 << 10})
		value := bytes.Repeat([]byte("secret\x00\r\n"), 512<<10)
		set(t, store, "k", string(value[:512<<10]))
		wantGet(t, store, "k", string(value[:512<<10]))
		err := store.Set(t.Context(), "k", value[:512<<10+1], time.Minute)
		if !errors.Is(err, redis.ErrTooLarge) || strings.Contains(err.Error(), "secret") {
			t.Errorf("Set(too large) = %v; want ErrTooLarge", err)
		}
		wantGet(t, store, "k", string(value[:512<<10]))
	})

	t.Run("one of many Adds wins, across stores", func(t *testing.T) {
		stores := []*redis.Store{
			newStore(t, client, redis.Config{Prefix: "race"}),
			newStore(t, server.Client(nil), redis.Config{Prefix: "race"}),
		}
		for range 50 {
			key := t.Name() + string(rune(0x1000+time.Now().UnixNano()%0x1000))
			_ = client.Del(t.Context(), "race|r|"+key)
			var added atomic.Int32
			var group sync.WaitGroup
			for i := range 16 {
				group.Go(func() {
					if ok, err := stores[i%2].Add(t.Context(), key, time.Minute); err != nil {
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

	t.Run("a record of somebody else is a refusal", func(t *testing.T) {
		store := newStore(t, client, redis.Config{Prefix: "foreign"})
		for _, record := range []string{"", "OK", "QUEUED", "1"} {
			client.Set(t.Context(), "foreign|r|k", record, time.Minute)
			wantAdd(t, store, "k", time.Minute, false)
		}
	})

	t.Run("errors hold neither keys nor values", func(t *testing.T) {
		store := newStore(t, client, redis.Config{Prefix: "errors"})
		client.LPush(t.Context(), "errors|c|secret-key", "secret-value")
		client.LPush(t.Context(), "errors|r|secret-key", "secret-value")
		_, _, getErr := store.Get(t.Context(), "secret-key")
		_, addErr := store.Add(t.Context(), "secret-key", time.Minute)
		for op, err := range map[string]error{"Get": getErr, "Add": addErr} {
			if err == nil || !strings.Contains(err.Error(), "WRONGTYPE") || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s = %v; want WRONGTYPE and no secrets", op, err)
			}
		}
	})

	t.Run("a context that is done", func(t *testing.T) {
		store := newStore(t, client, redis.Config{Prefix: "done"})
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
		wantEndless(context.WithoutCancel(ctx), t, store)
	})

	t.Run("a wrapped client", func(t *testing.T) {
		store := newStore(t, struct{ goredis.UniversalClient }{client}, redis.Config{Prefix: "wrapped"})
		set(t, store, "k", "v")
		if err := store.Clear(t.Context()); err == nil {
			t.Error("Clear() through an unknown kind of client = nil; want an error")
		}
	})

	t.Run("a closed client", func(t *testing.T) {
		closed := server.Client(nil)
		store := newStore(t, closed, redis.Config{})
		_ = closed.Close()
		for op, err := range everyCall(t.Context(), store) {
			if !errors.Is(err, goredis.ErrClosed) {
				t.Errorf("%s = %v; want %v", op, err, goredis.ErrClosed)
			}
		}
	})
}

// wantEndless checks that a context without end works.
func wantEndless(ctx context.Context, t *testing.T, store *redis.Store) {
	t.Helper()
	if err := store.Set(ctx, "plain", []byte("v"), time.Minute); err != nil {
		t.Error(err)
	}
	if value, ok, err := store.Get(ctx, "plain"); string(value) != "v" || !ok || err != nil {
		t.Errorf("Get() = %q, %v, %v; want v", value, ok, err)
	}
}

// everyCall makes each call once and returns their errors.
func everyCall(ctx context.Context, store *redis.Store) map[string]error {
	errs := map[string]error{}
	_, _, errs["Get"] = store.Get(ctx, "secret-key")
	errs["Set"] = store.Set(ctx, "secret-key", []byte("secret-value"), time.Minute)
	errs["Set without ttl"] = store.Set(ctx, "secret-key", []byte("secret-value"), 0)
	errs["Delete"] = store.Delete(ctx, "secret-key")
	_, errs["Add"] = store.Add(ctx, "secret-key", time.Minute)
	errs["Revoke"] = store.Revoke(ctx, "secret-key", time.Now(), time.Minute)
	_, errs["Revoked"] = store.Revoked(ctx, []string{"secret-key", "another"})
	errs["Clear"] = store.Clear(ctx)
	return errs
}

// keys returns all keys of a server.
func keys(t *testing.T, server *redistest.Server) []string {
	t.Helper()
	all, err := server.Client(nil).Keys(t.Context(), "*").Result()
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// ttlHook reads the ttl off SET commands.
type ttlHook struct{ ttl atomic.Int64 }

func (h *ttlHook) DialHook(next goredis.DialHook) goredis.DialHook { return next }
func (h *ttlHook) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return next
}
func (h *ttlHook) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		args := cmd.Args()
		for i := 3; i+1 < len(args); i++ {
			n, _ := args[i+1].(int64)
			switch args[i] {
			case "ex":
				h.ttl.Store(n * int64(time.Second))
			case "px":
				h.ttl.Store(n * int64(time.Millisecond))
			}
		}
		return next(ctx, cmd)
	}
}

func sentTTL(t *testing.T, client *goredis.Client, f func() error) time.Duration {
	t.Helper()
	hook := new(ttlHook)
	client.AddHook(hook)
	if err := f(); err != nil {
		t.Fatal(err)
	}
	return time.Duration(hook.ttl.Load())
}

// TestLostAnswer: the server has done an Add, its answer is lost, and the
// client repeats the command. The proof was not replayed.
func TestLostAnswer(t *testing.T) {
	server := redistest.Start(t)
	proxy := faultproxy.Start(t, server.Addr)
	client := redistest.Client(t, proxy.Addr, func(o *goredis.Options) { o.PoolSize = 1 })
	store := newStore(t, client, redis.Config{})
	wantAdd(t, store, "warm", time.Minute, true)

	proxy.LoseAnswers(1)
	wantAdd(t, store, "k", time.Minute, true)
	wantAdd(t, store, "k", time.Minute, false)
	if n := proxy.Lost(); n != 1 {
		t.Fatalf("%d answers were lost; want 1", n)
	}

	// Without repetition the outcome is unknown.
	client = redistest.Client(t, proxy.Addr, func(o *goredis.Options) { o.PoolSize, o.MaxRetries = 1, -1 })
	store = newStore(t, client, redis.Config{})
	wantAdd(t, store, "warm too", time.Minute, true)
	proxy.LoseAnswers(1)
	if added, err := store.Add(t.Context(), "k2", time.Minute); added || err == nil {
		t.Errorf("Add() whose answer is lost = %v, %v; want an error", added, err)
	}
	wantAdd(t, store, "k2", time.Minute, false)
}

// TestFrozenServer: calls end with their contexts, and those that still hang
// are bounded.
func TestFrozenServer(t *testing.T) {
	server := redistest.Start(t)
	store := newStore(t, server.Client(func(o *goredis.Options) { o.PoolSize = 50 }), redis.Config{MaxInFlight: 20})
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
			if _, _, err := store.Get(ctx, "k"); errors.Is(err, redis.ErrBusy) {
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
	if err := redistest.Poll(20*time.Second, func() error { _, _, err := store.Get(t.Context(), "k"); return err }); err != nil {
		t.Errorf("the places are not given back: %v", err)
	}
}

// TestSetDoesNotRetain: a call that was given up must not send what the caller
// has written into its slice since.
func TestSetDoesNotRetain(t *testing.T) {
	server := redistest.Start(t)
	// One connection, taken by a call that hangs: Set waits for it.
	store := newStore(t, server.Client(func(o *goredis.Options) { o.PoolSize = 1 }), redis.Config{})
	value := []byte("value")
	server.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := store.Set(ctx, "k", value, time.Minute); err == nil {
		t.Fatal("Set of a frozen server succeeds")
	}
	for i := range value {
		value[i] = 'X'
	}
	server.Thaw()
	_ = redistest.Poll(5*time.Second, func() error {
		if _, ok, err := store.Get(t.Context(), "k"); err != nil || !ok {
			return errors.New("not yet")
		}
		return nil
	})
	if got, ok, _ := store.Get(t.Context(), "k"); ok && string(got) != "value" {
		t.Errorf("Get() = %q; want value or a miss", got)
	}
}

func TestServerAway(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := listener.Addr().String()
	_ = listener.Close()
	store := newStore(t, redistest.Client(t, addr, nil), redis.Config{})
	for op, err := range everyCall(t.Context(), store) {
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s = %v; want an error without secrets", op, err)
		}
	}
}

// TestQuotingServer: a server quotes the arguments of commands that it does not
// know.
func TestQuotingServer(t *testing.T) {
	server := redistest.Start(t, "--rename-command", "GET", "", "--rename-command", "SET", "",
		"--rename-command", "DEL", "", "--rename-command", "SCAN", "")
	if _, err := server.Client(nil).Get(t.Context(), "secret-key").Result(); err == nil || !strings.Contains(err.Error(), "secret-key") {
		t.Fatalf("the client's own error = %v; want one that quotes the key", err)
	}
	store := newStore(t, server.Client(nil), redis.Config{})
	for op, err := range everyCall(t.Context(), store) {
		if err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%s = %v; want an error without secrets", op, err)
		}
	}
}

// TestStrangeServer: the client quotes answers that it does not understand.
func TestStrangeServer(t *testing.T) {
	for _, answer := range []string{"secret-value", "-secret value", "$secret", ":secret"} {
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
					for {
						if _, err := conn.Read(buffer); err != nil {
							return
						}
						_, _ = conn.Write([]byte(strings.Repeat(answer+"\r\n", 10)))
					}
				})
			}
		})
		client := redistest.Client(t, listener.Addr().String(), func(o *goredis.Options) { o.MaxRetries = -1 })
		store := newStore(t, client, redis.Config{})
		for op, err := range everyCall(t.Context(), store) {
			if err == nil || strings.Contains(err.Error(), "secret") {
				t.Errorf("%s of a server that answers %q = %v; want an error without secrets", op, answer, err)
			}
		}
		_ = listener.Close()
		_ = client.Close()
		group.Wait()
	}
}

func TestCluster(t *testing.T) {
	cluster := redistest.StartCluster(t)
	client := cluster.Client(nil)
	store, other := newStore(t, client, redis.Config{Prefix: "one"}), newStore(t, client, redis.Config{Prefix: "two"})
	for i := range 300 {
		key := "key-" + string(rune('a'+i%26)) + string(rune(0x400+i))
		set(t, store, key, key)
		set(t, other, key, key)
		wantGet(t, store, key, key)
		wantAdd(t, store, key, time.Minute, true)
		wantAdd(t, store, key, time.Minute, false)
	}
	for i, server := range cluster.Servers {
		if n := len(keys(t, server)); n < 100 {
			t.Errorf("server %d has %d keys; want a third of 900", i, n)
		}
	}
	if err := store.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, server := range cluster.Servers {
		for _, key := range keys(t, server) {
			count[key[:6]]++
		}
	}
	if count["one|c|"] != 0 || count["one|r|"] != 300 || count["two|c|"] != 300 {
		t.Errorf("after Clear there are %v; want 300 of one|r| and two|c|", count)
	}
}

// TestSentinelFailover: without a master nothing is added, and after the
// fail-over the store works again with what the replica had. A client may try
// for so long that a call from before the fail-over is answered after it: by the
// new master, which then has the record.
func TestSentinelFailover(t *testing.T) {
	sentinel := redistest.StartSentinel(t)
	store := newStore(t, sentinel.Client(nil), redis.Config{})
	set(t, store, "k", "v")
	wantAdd(t, store, "k", time.Minute, true)
	sentinel.Master.Do("WAIT", 1, 5000)

	killed := time.Now()
	sentinel.Master.Kill()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	added, err := store.Add(ctx, "during", time.Minute)
	// The Sentinels wait for half a second before they do anything. On a machine that
	// is busy, a client that retries may come to the new master all the same.
	if early := time.Since(killed) < 500*time.Millisecond; added != (err == nil) || added && early {
		t.Errorf("Add() without a master = %v, %v; want an error", added, err)
	}
	if added, err := store.Add(t.Context(), "patient", time.Minute); added != (err == nil) {
		t.Errorf("Add() of a new key = %v, %v; want true or an error", added, err)
	} else if added {
		wantAdd(t, store, "patient", time.Minute, false)
	}
	sentinel.WaitForFailover()
	if err := redistest.Poll(20*time.Second, func() error {
		_, err := store.Add(t.Context(), "after", time.Minute)
		return err
	}); err != nil {
		t.Fatalf("Add() after the fail-over = %v", err)
	}
	wantGet(t, store, "k", "v")
	wantAdd(t, store, "k", time.Minute, false)
}
