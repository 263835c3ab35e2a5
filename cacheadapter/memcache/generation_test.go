package memcache_test

import (
	"context"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gomemcache "github.com/bradfitz/gomemcache/memcache"

	"github.com/portcullis-go/portcullis/cacheadapter/memcache"
	"github.com/portcullis-go/portcullis/cacheadapter/memcache/internal/memcachetest"
	"github.com/portcullis-go/portcullis/conformance/faultproxy"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// gets returns how many keys a server was asked for so far.
func gets(t *testing.T, server *memcachetest.Server) int {
	t.Helper()
	for line := range strings.Lines(server.Do("stats")) {
		if after, ok := strings.CutPrefix(line, "STAT cmd_get "); ok {
			n, err := strconv.Atoi(strings.TrimSpace(after))
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("the server does not count")
	return 0
}

// TestGenerationTTL: what a Clear promises when the generation is remembered.
func TestGenerationTTL(t *testing.T) {
	server := memcachetest.Start(t)
	const ttl = 2 * time.Second
	type fixture struct {
		clock       *verifiertest.Clock
		store, peer *memcache.Store // the peer remembers nothing
	}
	start := func(t *testing.T) fixture {
		clock := verifiertest.NewClock(time.Time{})
		prefix := t.Name()[len("TestGenerationTTL/"):]
		f := fixture{
			clock: clock,
			store: newStore(t, server.Client(), memcache.Config{Prefix: prefix, Now: clock.Now, GenerationTTL: ttl}),
			peer:  newStore(t, server.Client(), memcache.Config{Prefix: prefix, Now: clock.Now}),
		}
		set(t, f.store, "k", "v")
		wantGet(t, f.store, "k", "v")
		return f
	}

	t.Run("one key is asked for, not two", func(t *testing.T) {
		f := start(t)
		before := gets(t, server)
		wantGet(t, f.store, "k", "v")
		wantMiss(t, f.store, "absent")
		set(t, f.store, "k", "w")
		if after := gets(t, server); after != before+2 {
			t.Errorf("two Gets and a Set ask for %d keys; want two", after-before)
		}
	})
	t.Run("a Clear of its own counts at once", func(t *testing.T) {
		f := start(t)
		if err := f.store.Clear(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantMiss(t, f.store, "k")
		wantMiss(t, f.peer, "k")
		set(t, f.store, "k", "w")
		wantGet(t, f.store, "k", "w")
		wantGet(t, f.peer, "k", "w")
	})
	t.Run("a Clear of another counts after the time", func(t *testing.T) {
		f := start(t)
		if err := f.peer.Clear(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.clock.Advance(ttl - 1)
		wantGet(t, f.store, "k", "v")
		wantMiss(t, f.peer, "k")
		f.clock.Advance(1)
		wantMiss(t, f.store, "k")
	})
	t.Run("what is written after the Clear of another is found at once", func(t *testing.T) {
		f := start(t)
		set(t, f.store, "old", "v")
		if err := f.peer.Clear(t.Context()); err != nil {
			t.Fatal(err)
		}
		set(t, f.peer, "k", "w")
		wantGet(t, f.store, "k", "w")
		wantMiss(t, f.store, "old") // it knows of the Clear now
	})
	t.Run("what is written with an old generation is a miss later", func(t *testing.T) {
		f := start(t)
		if err := f.peer.Clear(t.Context()); err != nil {
			t.Fatal(err)
		}
		set(t, f.store, "late", "v")
		wantGet(t, f.store, "late", "v")
		wantMiss(t, f.peer, "late")
		f.clock.Advance(ttl)
		wantMiss(t, f.store, "late")
	})
	t.Run("a clock that is set back makes nothing live longer", func(t *testing.T) {
		f := start(t)
		if err := f.peer.Clear(t.Context()); err != nil {
			t.Fatal(err)
		}
		f.clock.Advance(-time.Hour)
		wantMiss(t, f.store, "k")
	})
	t.Run("a lost generation", func(t *testing.T) {
		f := start(t)
		if err := server.Client().Delete("a_lost_generation|g"); err != nil {
			t.Fatal(err)
		}
		wantGet(t, f.store, "k", "v")
		f.clock.Advance(ttl)
		wantMiss(t, f.store, "k")
		set(t, f.store, "k", "w")
		wantGet(t, f.store, "k", "w")
	})
	t.Run("one that somebody wrote over", func(t *testing.T) {
		f := start(t)
		if err := server.Client().Set(&gomemcache.Item{Key: "one_that_somebody_wrote_over|g", Value: []byte("garbage")}); err != nil {
			t.Fatal(err)
		}
		f.clock.Advance(ttl)
		wantMiss(t, f.store, "k")
		set(t, f.store, "k", "w")
		wantGet(t, f.store, "k", "w")
	})
	t.Run("a Clear that fails", func(t *testing.T) {
		proxy := faultproxy.Start(t, server.Addr)
		store := newStore(t, memcachetest.Client(proxy.Addr), memcache.Config{Prefix: "fails", GenerationTTL: ttl})
		set(t, store, "k", "v")
		repair := proxy.Break()
		if err := store.Clear(t.Context()); err == nil {
			t.Error("Clear() without a server = nil; want an error")
		}
		repair()
		// It may have been done or not, so what was remembered is forgotten.
		before := gets(t, server)
		wantGet(t, store, "k", "v")
		if after := gets(t, server); after != before+2 {
			t.Errorf("a Get asks for %d keys; want two", after-before)
		}
	})
}

// heldConn is a connection on which one answer, or one question, can be held.
type heldConn struct {
	net.Conn
	hold *hold
}

// hold holds the next answer that comes, or question that goes, until release.
type hold struct {
	answer, question atomic.Bool
	held, release    chan struct{}
}

func (c heldConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.hold.wait(&c.hold.answer)
	return n, err
}

func (c heldConn) Write(b []byte) (int, error) {
	c.hold.wait(&c.hold.question)
	return c.Conn.Write(b)
}

func (h *hold) wait(armed *atomic.Bool) {
	if armed.CompareAndSwap(true, false) {
		close(h.held)
		<-h.release
	}
}

// TestClearBesideQuestions: what was asked before a Clear ended is not remembered
// after it.
func TestClearBesideQuestions(t *testing.T) {
	server := memcachetest.Start(t)
	start := func(t *testing.T) (*memcache.Store, *hold) {
		h := &hold{held: make(chan struct{}), release: make(chan struct{})}
		client := server.Client()
		client.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, addr)
			return heldConn{conn, h}, err
		}
		clock := verifiertest.NewClock(time.Time{})
		store := newStore(t, client, memcache.Config{Prefix: t.Name()[len("TestClearBesideQuestions/"):], Now: clock.Now, GenerationTTL: time.Second})
		set(t, store, "k", "v")
		wantGet(t, store, "k", "v")
		clock.Advance(time.Second) // the generation is to be asked for
		return store, h
	}
	t.Run("an answer from before it that comes after it", func(t *testing.T) {
		store, h := start(t)
		var group sync.WaitGroup
		h.answer.Store(true)
		group.Go(func() { set(t, store, "other", "v") })
		<-h.held
		if err := store.Clear(t.Context()); err != nil {
			t.Error(err)
		}
		close(h.release)
		group.Wait()
		wantMiss(t, store, "k")
	})
	t.Run("an answer while it is under way", func(t *testing.T) {
		store, h := start(t)
		var group sync.WaitGroup
		h.question.Store(true)
		group.Go(func() {
			if err := store.Clear(t.Context()); err != nil {
				t.Error(err)
			}
		})
		<-h.held
		wantGet(t, store, "k", "v")
		close(h.release)
		group.Wait()
		wantMiss(t, store, "k")
	})
}
