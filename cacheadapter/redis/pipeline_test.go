package redis_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	goredis "github.com/redis/go-redis/v9"

	"github.com/portcullis-go/portcullis/cacheadapter/redis"
	"github.com/portcullis-go/portcullis/cacheadapter/redis/internal/redistest"
	"github.com/portcullis-go/portcullis/conformance/faultproxy"
)

// hook stands around everything that a client sends.
type hook func(ctx context.Context, cmds []goredis.Cmder, next func() error) error

func (h hook) DialHook(next goredis.DialHook) goredis.DialHook { return next }
func (h hook) ProcessHook(next goredis.ProcessHook) goredis.ProcessHook {
	return func(ctx context.Context, cmd goredis.Cmder) error {
		return h(ctx, []goredis.Cmder{cmd}, func() error { return next(ctx, cmd) })
	}
}
func (h hook) ProcessPipelineHook(next goredis.ProcessPipelineHook) goredis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []goredis.Cmder) error {
		return h(ctx, cmds, func() error { return next(ctx, cmds) })
	}
}

// gate lets commands whose key has a text wait until it is opened.
type gate struct {
	text   string
	opened chan struct{}
	held   atomic.Int32 // sendings that wait
}

func newGate(text string) *gate { return &gate{text: text, opened: make(chan struct{})} }

func (g *gate) pass(_ context.Context, cmds []goredis.Cmder, next func() error) error {
	if strings.Contains(fmt.Sprint(cmds[0].Args()[1]), g.text) {
		g.held.Add(1)
		<-g.opened
	}
	return next()
}

// holds waits until n sendings wait at the gate.
func (g *gate) holds(t *testing.T, n int) {
	t.Helper()
	if err := redistest.Poll(20*time.Second, func() error {
		if held := g.held.Load(); int(held) != n {
			return fmt.Errorf("%d sendings are held; want %d", held, n)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestPipelines runs what needs a server and a hook.
func TestPipelines(t *testing.T) {
	server := redistest.Start(t)
	// start returns a store whose client has a hook and a pool.
	start := func(t *testing.T, pool int, h hook, config redis.Config) *redis.Store {
		client := server.Client(func(o *goredis.Options) { o.PoolSize = pool })
		client.AddHook(h)
		config.Prefix = strings.ReplaceAll(t.Name(), "/", ".")
		return newStore(t, client, config)
	}

	t.Run("what waits is sent together, in bounded batches", func(t *testing.T) {
		g := newGate("|r|first")
		var mu sync.Mutex
		var sizes []int
		store := start(t, 1, func(ctx context.Context, cmds []goredis.Cmder, next func() error) error {
			if cmds[0].Name() == "set" { // not what opens a connection
				mu.Lock()
				sizes = append(sizes, len(cmds))
				mu.Unlock()
			}
			return g.pass(ctx, cmds, next)
		}, redis.Config{})
		var group sync.WaitGroup
		group.Go(func() { wantAdd(t, store, "first", time.Minute, true) })
		g.holds(t, 1)
		for i := range 600 {
			group.Go(func() { wantAdd(t, store, fmt.Sprint("k", i), time.Minute, true) })
		}
		waitFor(t, store, 601)
		close(g.opened)
		group.Wait()
		if want := []int{1, 256, 256, 88}; !slices.Equal(sizes, want) {
			t.Errorf("601 Adds, of which 600 wait for one, were sent as %v; want %v", sizes, want)
		}
	})

	t.Run("batches are bounded in bytes", func(t *testing.T) {
		g := newGate("|c|first")
		var mu sync.Mutex
		var most int
		store := start(t, 1, func(ctx context.Context, cmds []goredis.Cmder, next func() error) error {
			if cmds[0].Name() == "set" {
				mu.Lock()
				most = max(most, len(cmds))
				mu.Unlock()
			}
			return g.pass(ctx, cmds, next)
		}, redis.Config{})
		var group sync.WaitGroup
		group.Go(func() { set(t, store, "first", "v") })
		g.holds(t, 1)
		value := strings.Repeat("v", 40<<10)
		for i := range 20 {
			group.Go(func() { set(t, store, fmt.Sprint("k", i), value) })
		}
		waitFor(t, store, 21)
		close(g.opened)
		group.Wait()
		if most != 3 {
			t.Errorf("up to %d values of 40 KiB were sent together; want 3", most)
		}
		// One that is larger than a batch may be goes alone.
		set(t, store, "large", strings.Repeat("v", 1<<20))
		wantGet(t, store, "large", strings.Repeat("v", 1<<20))
	})

	t.Run("batches never outnumber the connections", func(t *testing.T) {
		for pool, want := range map[int]int{1: 1, 3: 3, 20: 8, 100: 8} {
			g := newGate("|r|")
			store := start(t, pool, g.pass, redis.Config{})
			var group sync.WaitGroup
			for i := range want + 5 {
				group.Go(func() { wantAdd(t, store, fmt.Sprint("k", pool, ".", i), time.Minute, true) })
				g.holds(t, min(i+1, want)) // or they would go together
			}
			waitFor(t, store, want+5)
			g.holds(t, want)
			close(g.opened)
			group.Wait()
		}
	})

	t.Run("cache entries leave connections to proofs", func(t *testing.T) {
		for pool, want := range map[int]int{2: 1, 4: 3, 20: 6} {
			g := newGate("|c|")
			store := start(t, pool, g.pass, redis.Config{})
			var group sync.WaitGroup
			for i := range 50 {
				group.Go(func() { set(t, store, fmt.Sprint("k", i), strings.Repeat("v", 200<<10)) })
			}
			waitFor(t, store, 50)
			g.holds(t, want)
			for i := range 50 {
				wantAdd(t, store, fmt.Sprint("k", pool, ".", i), time.Minute, true)
			}
			close(g.opened)
			group.Wait()
		}
	})

	t.Run("neither proofs nor entries keep out the others", func(t *testing.T) {
		g := newGate("|r|first")
		var mu sync.Mutex
		var order []string
		store := start(t, 1, func(ctx context.Context, cmds []goredis.Cmder, next func() error) error {
			if cmds[0].Name() == "set" {
				_, lane, _ := strings.Cut(cmds[0].Args()[1].(string), "|")
				mu.Lock()
				order = append(order, lane[:1])
				mu.Unlock()
			}
			return g.pass(ctx, cmds, next)
		}, redis.Config{})
		var group sync.WaitGroup
		group.Go(func() { wantAdd(t, store, "first", time.Minute, true) })
		g.holds(t, 1)
		for i := range 3 {
			group.Go(func() { set(t, store, fmt.Sprint("k", i), strings.Repeat("v", 200<<10)) })
		}
		for i := range 600 {
			group.Go(func() { wantAdd(t, store, fmt.Sprint("k", i), time.Minute, true) })
		}
		waitFor(t, store, 604)
		close(g.opened)
		group.Wait()
		if got := strings.Join(order, ""); got != "rcrcrcr" {
			t.Errorf("batches of records and entries came as %s; want rcrcrcr", got)
		}
	})

	t.Run("a batch that hangs holds what was in it and nothing else", func(t *testing.T) {
		g := newGate("|r|hangs")
		store := start(t, 20, g.pass, redis.Config{})
		var group sync.WaitGroup
		group.Go(func() { wantAdd(t, store, "hangs", time.Minute, true) })
		g.holds(t, 1)
		for i := range 200 {
			group.Go(func() { wantAdd(t, store, fmt.Sprint("k", i), time.Minute, true) })
		}
		waitFor(t, store, 1)
		close(g.opened)
		group.Wait()
	})

	t.Run("the bound on calls that wait", func(t *testing.T) {
		g := newGate("|r|")
		store := start(t, 1, g.pass, redis.Config{MaxInFlight: 10})
		var group sync.WaitGroup
		group.Go(func() { wantAdd(t, store, "first", time.Minute, true) })
		g.holds(t, 1)
		for i := range 9 {
			group.Go(func() { wantAdd(t, store, fmt.Sprint("k", i), time.Minute, true) })
		}
		waitFor(t, store, 10)
		if _, err := store.Add(t.Context(), "more", time.Minute); !errors.Is(err, redis.ErrBusy) {
			t.Errorf("an 11th call = %v; want ErrBusy", err)
		}
		if _, _, err := store.Get(t.Context(), "more"); !errors.Is(err, redis.ErrBusy) {
			t.Errorf("an 11th call = %v; want ErrBusy", err)
		}
		close(g.opened)
		group.Wait()
		wantAdd(t, store, "more", time.Minute, true)
	})

	t.Run("a call that is given up while it waits is not sent, and gives its place back", func(t *testing.T) {
		g := newGate("|r|first")
		store := start(t, 1, g.pass, redis.Config{MaxInFlight: 2})
		var group sync.WaitGroup
		group.Go(func() { wantAdd(t, store, "first", time.Minute, true) })
		g.holds(t, 1)
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 20 {
			var second sync.WaitGroup
			second.Go(func() {
				if _, err := store.Add(ctx, "given up", time.Minute); !errors.Is(err, context.Canceled) {
					t.Errorf("call %d = %v; want %v", i, err, context.Canceled)
				}
			})
			waitFor(t, store, 2)
			cancel()
			second.Wait()
			if n := redis.InFlight(store); n != 1 {
				t.Fatalf("%d calls are in flight after one was given up; want 1", n)
			}
			ctx, cancel = context.WithCancel(t.Context())
		}
		cancel()
		close(g.opened)
		group.Wait()
		wantAdd(t, store, "given up", time.Minute, true)
	})

	t.Run("a caller that leaves does not end the calls of the others", func(t *testing.T) {
		g := newGate("|r|first")
		sending, left := make(chan struct{}), make(chan struct{})
		store := start(t, 1, func(ctx context.Context, cmds []goredis.Cmder, next func() error) error {
			if len(cmds) == 3 && cmds[0].Name() == "set" {
				close(sending)
				<-left
				if ctx.Err() != nil {
					t.Errorf("the context of the batch: %v; want none of its callers'", ctx.Err())
				}
			}
			return g.pass(ctx, cmds, next)
		}, redis.Config{})
		var group sync.WaitGroup
		group.Go(func() { wantAdd(t, store, "first", time.Minute, true) })
		g.holds(t, 1)
		ctx, cancel := context.WithCancel(t.Context())
		leaving := make(chan struct{})
		group.Go(func() {
			defer close(leaving)
			if _, err := store.Add(ctx, "leaves", time.Minute); !errors.Is(err, context.Canceled) {
				t.Errorf("Add() = %v; want %v", err, context.Canceled)
			}
		})
		waitFor(t, store, 2) // it is the first in the batch
		for i := range 2 {
			group.Go(func() { wantAdd(t, store, fmt.Sprint("stays", i), time.Minute, true) })
		}
		waitFor(t, store, 4)
		close(g.opened)
		<-sending
		cancel()
		<-leaving
		close(left)
		group.Wait()
	})

	t.Run("when all callers are gone, the client is told", func(t *testing.T) {
		told := make(chan struct{})
		g := newGate("|r|first")
		store := start(t, 1, func(ctx context.Context, cmds []goredis.Cmder, next func() error) error {
			if len(cmds) == 3 && cmds[0].Name() == "set" { // not what opens a connection
				<-ctx.Done()
				close(told)
			}
			return g.pass(ctx, cmds, next)
		}, redis.Config{})
		var group sync.WaitGroup
		group.Go(func() { wantAdd(t, store, "first", time.Minute, true) })
		g.holds(t, 1)
		ctx, cancel := context.WithCancel(t.Context())
		for i := range 3 {
			group.Go(func() { _, _ = store.Add(ctx, fmt.Sprint("k", i), time.Minute) })
		}
		waitFor(t, store, 4)
		close(g.opened)
		waitFor(t, store, 3)
		cancel()
		<-told
		group.Wait()
		wantAdd(t, store, "after", time.Minute, true)
	})

	t.Run("what a client of an unknown type does with pipelines is not known", func(t *testing.T) {
		client := server.Client(nil)
		g := newGate("|r|")
		client.AddHook(hook(g.pass))
		store := newStore(t, struct{ goredis.UniversalClient }{client}, redis.Config{Prefix: "unknown"})
		var group sync.WaitGroup
		for i := range 50 {
			group.Go(func() { wantAdd(t, store, fmt.Sprint("k", i), time.Minute, true) })
		}
		g.holds(t, 50) // each by itself
		close(g.opened)
		group.Wait()
	})

	t.Run("no goroutine is left when nothing waits", func(t *testing.T) {
		store := start(t, 20, func(_ context.Context, _ []goredis.Cmder, next func() error) error { return next() }, redis.Config{})
		var group sync.WaitGroup
		for i := range 100 {
			group.Go(func() { wantAdd(t, store, fmt.Sprint("k", i), time.Minute, true) })
		}
		group.Wait()
		if err := redistest.Poll(20*time.Second, func() error {
			stacks := make([]byte, 1<<20)
			stacks = stacks[:runtime.Stack(stacks, true)]
			if n := strings.Count(string(stacks), "(*line).drain("); n > 0 {
				return fmt.Errorf("%d goroutines still drain", n)
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
}

// waitFor waits until n calls of a store are in flight.
func waitFor(t *testing.T, store *redis.Store, n int) {
	t.Helper()
	if err := redistest.Poll(20*time.Second, func() error {
		if got := redis.InFlight(store); got != n {
			return fmt.Errorf("%d calls are in flight; want %d", got, n)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
}

// TestErrorsOfPipelines: an error of the whole is one of each call without an
// answer of its own.
func TestErrorsOfPipelines(t *testing.T) {
	server := redistest.Start(t)
	oops := errors.New("secret of a hook")
	for name, test := range map[string]struct {
		spoil hook
		fails func(key string) bool
		text  string // of the errors
	}{
		"sent, and refused as a whole afterwards": {
			spoil: func(_ context.Context, _ []goredis.Cmder, next func() error) error { _ = next(); return oops },
			fails: func(string) bool { return false }, // they have their answers
		},
		"not sent, with an error": {
			spoil: func(context.Context, []goredis.Cmder, func() error) error { return oops },
			fails: func(string) bool { return true }, text: "unexpected answer",
		},
		"not sent, without an error": {
			spoil: func(context.Context, []goredis.Cmder, func() error) error { return nil },
			fails: func(string) bool { return true }, text: "did not send",
		},
		"a panic": {
			spoil: func(context.Context, []goredis.Cmder, func() error) error { panic("secret of a hook") },
			fails: func(string) bool { return true }, text: "panicked",
		},
		"a panic afterwards": {
			spoil: func(_ context.Context, _ []goredis.Cmder, next func() error) error {
				_ = next()
				panic("secret of a hook")
			},
			fails: func(string) bool { return true }, text: "panicked",
		},
		"the end of the goroutine": {
			spoil: func(context.Context, []goredis.Cmder, func() error) error { runtime.Goexit(); return nil },
			fails: func(string) bool { return true }, text: "panicked",
		},
		"one of them refused": {
			spoil: func(_ context.Context, _ []goredis.Cmder, next func() error) error { return next() },
			fails: func(key string) bool { return key == "k0" || key == "k7" }, text: "WRONGTYPE",
		},
	} {
		t.Run(name, func(t *testing.T) {
			prefix := strings.ReplaceAll(t.Name(), "/", ".")
			client := server.Client(func(o *goredis.Options) { o.PoolSize = 1 })
			g := newGate("|r|first")
			var on atomic.Bool
			client.AddHook(hook(func(ctx context.Context, cmds []goredis.Cmder, next func() error) error {
				if on.Load() && len(cmds) > 1 && cmds[0].Name() == "set" {
					return test.spoil(ctx, cmds, next)
				}
				return g.pass(ctx, cmds, next)
			}))
			store := newStore(t, client, redis.Config{Prefix: prefix})
			for _, key := range []string{"k0", "k7"} {
				if test.text == "WRONGTYPE" {
					server.Do("LPUSH", prefix+"|r|"+key, "x")
				}
			}
			var group sync.WaitGroup
			group.Go(func() { wantAdd(t, store, "first", time.Minute, true) })
			g.holds(t, 1)
			on.Store(true)
			for i := range 10 {
				group.Go(func() {
					key := fmt.Sprint("k", i)
					added, err := store.Add(t.Context(), key, time.Minute)
					if fails := test.fails(key); added == fails || (err != nil) != fails {
						t.Errorf("Add(%s) = %v, %v; want an error: %v", key, added, err, fails)
					}
					if err != nil && (!strings.Contains(err.Error(), test.text) || strings.Contains(err.Error(), "secret")) {
						t.Errorf("Add(%s) = %v; want %q", key, err, test.text)
					}
				})
			}
			waitFor(t, store, 11)
			close(g.opened)
			group.Wait()
			on.Store(false)
			wantAdd(t, store, "after", time.Minute, true)
			waitFor(t, store, 0)
		})
	}
}

// TestLostAnswerOfPipeline: the client repeats a whole pipeline, and no proof in
// it is taken for a replay.
func TestLostAnswerOfPipeline(t *testing.T) {
	server := redistest.Start(t)
	proxy := faultproxy.Start(t, server.Addr)
	for name, retries := range map[string]int{"repeated": 3, "not repeated": -1} {
		t.Run(name, func(t *testing.T) {
			client := redistest.Client(t, proxy.Addr, func(o *goredis.Options) { o.PoolSize, o.PipelinePoolSize, o.MaxRetries = 1, -1, retries })
			g := newGate("|r|first")
			client.AddHook(hook(g.pass))
			store := newStore(t, client, redis.Config{Prefix: name})
			wantAdd(t, store, "warm", time.Minute, true)
			var group sync.WaitGroup
			group.Go(func() { wantAdd(t, store, "first", time.Minute, true) })
			g.holds(t, 1)
			for i := range 20 {
				group.Go(func() {
					added, err := store.Add(t.Context(), fmt.Sprint("k", i), time.Minute)
					if repeated := retries > 0; added != repeated || (err == nil) != repeated {
						t.Errorf("Add() = %v, %v; want true: %v, else an error", added, err, repeated)
					}
				})
			}
			waitFor(t, store, 21)
			before := proxy.Lost()
			client.AddHook(hook(func(_ context.Context, cmds []goredis.Cmder, next func() error) error {
				if len(cmds) > 1 && cmds[0].Name() == "set" { // not what opens a connection
					proxy.LoseAnswers(1)
				}
				return next()
			}))
			close(g.opened)
			group.Wait()
			if n := proxy.Lost() - before; n != 1 {
				t.Fatalf("%d answers were lost; want 1", n)
			}
			for i := range 20 {
				wantAdd(t, store, fmt.Sprint("k", i), time.Minute, false)
			}
		})
	}
}

// TestCancelWhileFrozen: callers of a server that hangs are back at once.
func TestCancelWhileFrozen(t *testing.T) {
	server := redistest.Start(t)
	store := newStore(t, server.Client(nil), redis.Config{})
	wantAdd(t, store, "warm", time.Minute, true)
	server.Freeze()
	var took time.Duration
	for attempt := range 5 { // a busy machine may be late once
		ctx, cancel := context.WithCancel(t.Context())
		var group sync.WaitGroup
		before := redis.InFlight(store)
		for i := range 64 {
			group.Go(func() {
				if _, err := store.Add(ctx, fmt.Sprint(attempt, ".", i), time.Minute); !errors.Is(err, context.Canceled) {
					t.Errorf("Add() = %v; want %v", err, context.Canceled)
				}
			})
		}
		waitFor(t, store, before+64)
		start := time.Now()
		cancel()
		group.Wait()
		if took = time.Since(start); took < 25*time.Millisecond {
			return
		}
	}
	t.Errorf("64 cancelled calls were back after %v; want 25ms", took)
}

// TestClusterPipelines: calls of one master share pipelines, from the first answer
// on, which is a miss here.
func TestClusterPipelines(t *testing.T) {
	cluster := redistest.StartCluster(t)
	client := cluster.Client(func(o *goredis.ClusterOptions) { o.PoolSize = 1 })
	store := newStore(t, client, redis.Config{Prefix: "{slot}"})
	wantMiss(t, store, "first")
	g := newGate("|r|first")
	var most atomic.Int32
	client.AddHook(hook(func(ctx context.Context, cmds []goredis.Cmder, next func() error) error {
		most.Store(max(most.Load(), int32(len(cmds))))
		return g.pass(ctx, cmds, next)
	}))
	var group sync.WaitGroup
	group.Go(func() { wantAdd(t, store, "first", time.Minute, true) })
	g.holds(t, 1)
	for i := range 100 {
		group.Go(func() { wantAdd(t, store, fmt.Sprint("k", i), time.Minute, true) })
	}
	waitFor(t, store, 101)
	close(g.opened)
	group.Wait()
	if n := most.Load(); n != 100 {
		t.Errorf("up to %d commands of one master were sent together; want 100", n)
	}
}

// TestClusterNodeHangs: a master that hangs does not hold the proofs of others.
func TestClusterNodeHangs(t *testing.T) {
	cluster := redistest.StartCluster(t)
	client := cluster.Client(nil)
	store := newStore(t, client, redis.Config{})
	wantAdd(t, store, "warm", time.Minute, true)
	frozen := cluster.Servers[1]
	at := func(key string) bool {
		node, err := client.MasterForKey(t.Context(), "portcullis|r|"+key)
		if err != nil {
			t.Fatal(err)
		}
		return node.Options().Addr == frozen.Addr
	}
	frozen.Freeze()
	defer frozen.Thaw()
	var hanging, others atomic.Int32
	ctx, cancel := context.WithCancel(t.Context())
	var stuck, group sync.WaitGroup
	for i := range 300 {
		key := fmt.Sprint("k", i)
		if at(key) {
			hanging.Add(1)
			stuck.Go(func() {
				if added, err := store.Add(ctx, key, time.Minute); added || !errors.Is(err, context.Canceled) {
					t.Errorf("Add() at a master that hangs = %v, %v; want %v", added, err, context.Canceled)
				}
			})
			continue
		}
		group.Go(func() {
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second) // less than the client's timeouts
			defer cancel()
			if added, err := store.Add(ctx, key, time.Minute); !added || err != nil {
				t.Errorf("Add() beside a master that hangs = %v, %v; want true", added, err)
			}
			others.Add(1)
		})
	}
	group.Wait()
	cancel()
	stuck.Wait()
	if hanging.Load() < 50 || others.Load() < 100 {
		t.Fatalf("%d keys hang, %d do not; want a third and the rest of 300", hanging.Load(), others.Load())
	}
}

func TestClientOptions(t *testing.T) {
	single := func(change func(*goredis.Options)) goredis.UniversalClient {
		return redistest.Client(t, "127.0.0.1:1", change)
	}
	cluster := func(change func(*goredis.ClusterOptions)) goredis.UniversalClient {
		options := &goredis.ClusterOptions{Addrs: []string{"127.0.0.1:1"}}
		change(options)
		client := goredis.NewClusterClient(options)
		t.Cleanup(func() { _ = client.Close() })
		return client
	}
	failover := goredis.NewFailoverClusterClient(&goredis.FailoverOptions{MasterName: "main", SentinelAddrs: []string{"127.0.0.1:1"}, RouteRandomly: true})
	t.Cleanup(func() { _ = failover.Close() })
	for name, test := range map[string]struct {
		client goredis.UniversalClient
		want   string // option, "" if it is fit
	}{
		"single":                   {single(nil), ""},
		"Cluster":                  {cluster(func(*goredis.ClusterOptions) {}), ""},
		"reads from replicas":      {cluster(func(o *goredis.ClusterOptions) { o.ReadOnly = true }), "ReadOnly"},
		"reads from the nearest":   {cluster(func(o *goredis.ClusterOptions) { o.RouteByLatency = true }), "RouteByLatency"},
		"reads from any":           {cluster(func(o *goredis.ClusterOptions) { o.RouteRandomly = true }), "RouteRandomly"},
		"the same behind Sentinel": {failover, "RouteRandomly"},
		"copies in the process":    {single(func(o *goredis.Options) { o.ClientSideCacheConfig = &goredis.ClientSideCacheConfig{} }), "ClientSideCacheConfig"},
		"no read timeout":          {single(func(o *goredis.Options) { o.ReadTimeout = -1 }), "ReadTimeout"},
		"no deadline of reads":     {single(func(o *goredis.Options) { o.ReadTimeout = -2 }), "ReadTimeout"},
		"no write timeout":         {single(func(o *goredis.Options) { o.WriteTimeout = -1 }), "WriteTimeout"},
		"no timeout in a Cluster":  {cluster(func(o *goredis.ClusterOptions) { o.ReadTimeout = -1 }), "ReadTimeout"},
	} {
		store, err := redis.New(test.client, redis.Config{})
		var unfit *redis.ClientOptionError
		switch {
		case test.want == "":
			if err != nil {
				t.Errorf("%s: New() = %v; want no error", name, err)
			}
		case store != nil || !errors.As(err, &unfit) || unfit.Option != test.want || !strings.Contains(err.Error(), test.want):
			t.Errorf("%s: New() = %v, %v; want a ClientOptionError of %s", name, store, err, test.want)
		}
	}
}
