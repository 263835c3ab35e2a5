package introspection_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/introspection"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// counter is an endpoint that answers by the token: "good..." and "slow..." are
// active until they are revoked. After hold, questions about "slow..." and
// "made-up..." tokens wait for the end of the test.
type counter struct {
	clock   *verifiertest.Clock
	client  *introspection.Client
	cfg     introspection.Config
	exp     atomic.Int64 // that answers state; 0: none
	down    atomic.Bool
	revoked sync.Map
	asked   atomic.Int64

	holds   atomic.Bool
	arrived chan string // tokens whose question waits
	release chan struct{}
	waiting sync.WaitGroup
}

// newCounter makes one; change may alter the configuration of the client.
func newCounter(t *testing.T, change func(*introspection.Config)) *counter {
	t.Helper()
	c := &counter{clock: verifiertest.NewClock(start), arrived: make(chan string, 100), release: make(chan struct{})}
	c.cfg = introspection.Config{
		Domain: "id.example.com", Endpoint: "https://id.example.com/introspect", ClientID: "orders", Auth: exchange.ClientSecretBasic("s3cret-s3cret"),
		Doer: c, Clock: c.clock, TTL: time.Minute, MaxInFlight: 8, Timeout: time.Minute,
	}
	if change != nil {
		change(&c.cfg)
	}
	c.client = mustClient(t, c.cfg)
	t.Cleanup(func() {
		close(c.release)
		c.waiting.Wait()
	})
	return c
}

// Do implements verifier.Doer.
func (c *counter) Do(r *http.Request) (*http.Response, error) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	form, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, err
	}
	token := form.Get("token")
	c.asked.Add(1)
	if c.holds.Load() && !strings.HasPrefix(token, "good") {
		c.arrived <- token
		<-c.release
	}
	answer := `{"active":true}`
	if exp := c.exp.Load(); exp != 0 {
		answer = fmt.Sprintf(`{"active":true,"exp":%d}`, exp)
	}
	if _, revoked := c.revoked.Load(token); revoked || strings.HasPrefix(token, "made-up") {
		answer = `{"active":false}`
	}
	status := http.StatusOK
	if c.down.Load() {
		status = http.StatusBadGateway
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(answer)), ContentLength: -1, Request: r}, nil
}

func (c *counter) ask(t *testing.T, token string) (active bool, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second) // for a question that waits where none should
	defer cancel()
	got, err := c.client.Introspect(ctx, verifier.IntrospectionRequest{Issuer: "https://id.example.com/", Token: token})
	return got.Active, err
}

// learn asks about good tokens, one after the other, and lets the answers run out.
func (c *counter) learn(t *testing.T, tokens ...string) {
	t.Helper()
	for _, token := range tokens {
		if active, err := c.ask(t, token); err != nil || !active {
			t.Fatalf("Introspect(%s) = %v, %v; want active", token, active, err)
		}
	}
	c.clock.Advance(time.Minute)
}

// hold asks about tokens, and returns when every question waits at the endpoint.
func (c *counter) hold(t *testing.T, tokens ...string) {
	t.Helper()
	c.holds.Store(true)
	for _, token := range tokens {
		failed := make(chan error, 1)
		c.waiting.Go(func() {
			_, err := c.client.Introspect(context.WithoutCancel(t.Context()), verifier.IntrospectionRequest{Issuer: "https://id.example.com/", Token: token})
			failed <- err
		})
		select {
		case <-c.arrived:
		case err := <-failed:
			t.Fatalf("Introspect(%s) = %v; want a question that waits", token, err)
		}
	}
}

// wantAsked asks about a good token, which must be answered by a question.
func (c *counter) wantAsked(t *testing.T, token string) {
	t.Helper()
	before := c.asked.Load()
	if active, err := c.ask(t, token); err != nil || !active || c.asked.Load() != before+1 {
		t.Errorf("Introspect(%s) = %v, %v after %d questions; want active after one", token, active, err, c.asked.Load()-before)
	}
}

// wantBusy asks about a token, for which there must be no room.
func (c *counter) wantBusy(t *testing.T, token string) {
	t.Helper()
	before := c.asked.Load()
	if active, err := c.ask(t, token); !errors.Is(err, introspection.ErrBusy) || active || c.asked.Load() != before {
		t.Errorf("Introspect(%s) = %v, %v after %d questions; want ErrBusy after none", token, active, err, c.asked.Load()-before)
	}
}

// some are names of tokens.
func some(kind string, n int) (tokens []string) {
	for i := range n {
		tokens = append(tokens, fmt.Sprint(kind, "-", i))
	}
	return tokens
}

// TestFloodLeavesRoomForKnownTokens: made-up tokens take no slot that is kept for
// tokens whose last answer was active.
func TestFloodLeavesRoomForKnownTokens(t *testing.T) {
	for _, test := range []struct{ inFlight, open, kept int }{{0, 48, 16}, {8, 6, 2}, {7, 6, 1}, {3, 2, 1}, {2, 1, 1}} {
		t.Run(fmt.Sprint(test.inFlight), func(t *testing.T) {
			c := newCounter(t, func(cfg *introspection.Config) { cfg.MaxInFlight = test.inFlight })
			slow := some("slow", test.kept)
			c.learn(t, append(slow, "good-1", "good-2")...)
			c.hold(t, some("made-up", test.open)...)
			c.wantBusy(t, "made-up-more")
			c.wantBusy(t, "good-unseen")
			c.wantAsked(t, "good-1")
			c.hold(t, slow...) // all that is kept
			c.wantBusy(t, "good-2")
			if active, err := c.ask(t, "good-1"); err != nil || !active {
				t.Errorf("Introspect = %v, %v; want the answer that is remembered", active, err)
			}
		})
	}
}

// TestKnownTokensTakeTheRestToo: nothing but MaxInFlight bounds known tokens.
func TestKnownTokensTakeTheRestToo(t *testing.T) {
	c := newCounter(t, nil)
	slow := some("slow", 8)
	c.learn(t, append(slow, "good-1")...)
	c.hold(t, slow...)
	c.wantBusy(t, "good-1")
	c.wantBusy(t, "made-up-more")
}

// TestKnownTokensLeaveTheRest: they take what is kept for them first.
func TestKnownTokensLeaveTheRest(t *testing.T) {
	c := newCounter(t, nil)
	slow := some("slow", 2)
	c.learn(t, append(slow, "good-1")...)
	c.hold(t, slow...)
	c.hold(t, some("made-up", 6)...)
	c.wantBusy(t, "good-1")
}

// TestOneSlotIsForAll: of one slot no part can be kept.
func TestOneSlotIsForAll(t *testing.T) {
	c := newCounter(t, func(cfg *introspection.Config) { cfg.MaxInFlight = 1 })
	c.learn(t, "good-1")
	c.wantAsked(t, "good-1")
	c.clock.Advance(time.Minute)
	c.hold(t, "made-up")
	c.wantBusy(t, "good-1")
}

// TestSlotsComeBack: a slot of either kind is free after its question.
func TestSlotsComeBack(t *testing.T) {
	c := newCounter(t, func(cfg *introspection.Config) { cfg.MaxInFlight, cfg.TTL = 2, -1 })
	for range 3 {
		c.wantAsked(t, "good-1")
	}
	c.hold(t, "made-up")
	for range 3 {
		c.wantAsked(t, "good-1")
	}
}

// TestForHowLongATokenIsKnown: for a day, until the exp that its answer stated, and
// until an answer that is negative. A question that fails says nothing.
func TestForHowLongATokenIsKnown(t *testing.T) {
	const token = "good-1"
	const day = 24 * time.Hour
	for name, test := range map[string]struct {
		exp    time.Duration // after start
		before func(*testing.T, *counter)
		after  time.Duration // since the answer
		known  bool
	}{
		"a moment within a day":         {0, nil, day - time.Nanosecond, true},
		"a day":                         {0, nil, day, false},
		"an exp far away, within a day": {1e6 * time.Hour, nil, day - time.Nanosecond, true},
		"an exp far away, a day":        {1e6 * time.Hour, nil, day, false},
		"a moment before exp":           {time.Hour, nil, time.Hour - time.Nanosecond, true},
		"exp":                           {time.Hour, nil, time.Hour, false},
		"asked again": {0, func(t *testing.T, c *counter) {
			c.clock.Advance(day / 2)
			c.wantAsked(t, token)
		}, day - time.Minute, true},
		"revoked": {0, func(t *testing.T, c *counter) {
			c.revoked.Store(token, true)
			if active, err := c.ask(t, token); active || err != nil {
				t.Fatalf("Introspect = %v, %v; want inactive", active, err)
			}
			c.revoked.Delete(token)
		}, time.Hour, false},
		"failed": {0, func(t *testing.T, c *counter) {
			c.down.Store(true)
			if _, err := c.ask(t, token); !errors.Is(err, introspection.ErrRefused) {
				t.Fatalf("Introspect = %v; want ErrRefused", err)
			}
			c.down.Store(false)
		}, time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCounter(t, nil)
			if test.exp != 0 {
				c.exp.Store(start.Add(test.exp).Unix())
			}
			c.learn(t, token)
			if test.before != nil {
				test.before(t, c)
			}
			c.clock.Advance(test.after - time.Minute)
			c.hold(t, some("made-up", 6)...)
			if test.known {
				c.wantAsked(t, token)
			} else {
				c.wantBusy(t, token)
			}
		})
	}
}

// TestKnownTokensAreBounded in number, however often each was asked about; the
// oldest answer goes first.
func TestKnownTokensAreBounded(t *testing.T) {
	c := newCounter(t, func(cfg *introspection.Config) { cfg.MaxKnown = 3 })
	c.learn(t, "good-1", "good-2", "good-3")
	for range 5 {
		c.learn(t, "good-1", "good-3")
	}
	c.learn(t, "good-4")
	c.hold(t, some("made-up", 6)...)
	c.wantBusy(t, "good-2")
	for _, token := range []string{"good-1", "good-3", "good-4"} {
		c.wantAsked(t, token)
	}
}

// TestSharedAnswerNeedsNoSlot: a flood takes nothing from what is in the shared
// cache; and a token that is found there is known.
func TestSharedAnswerNeedsNoSlot(t *testing.T) {
	for after, known := range map[time.Duration]bool{time.Minute: true, time.Hour: false} {
		cache := verifiertest.NewCache(verifiertest.NewClock(start), 0)
		with := func(cfg *introspection.Config) { cfg.Cache, cfg.CachePrivate = cache, true }
		first := newCounter(t, with)
		first.exp.Store(start.Add(time.Hour).Unix())
		if active, err := first.ask(t, "good-1"); err != nil || !active {
			t.Fatalf("Introspect = %v, %v; want active", active, err)
		}
		c := newCounter(t, with)
		c.hold(t, some("made-up", 6)...)
		c.wantBusy(t, "good-unseen")
		if active, err := c.ask(t, "good-1"); err != nil || !active || c.asked.Load() != 6 {
			t.Fatalf("Introspect = %v, %v after %d questions; want the answer in the cache", active, err, c.asked.Load()-6)
		}
		c.clock.Advance(after)
		if known {
			c.wantAsked(t, "good-1")
		} else {
			c.wantBusy(t, "good-1")
		}
	}
}

// hung is a cache whose look-ups wait.
type hung struct {
	verifier.Cache
	arrived chan struct{}
}

func (h *hung) Get(ctx context.Context, _ string) ([]byte, bool, error) {
	h.arrived <- struct{}{}
	<-ctx.Done()
	return nil, false, ctx.Err()
}

func (h *hung) Set(context.Context, string, []byte, time.Duration) error { return nil }

// TestLookUpsAreBounded: while MaxInFlight look-ups wait for the shared cache, the
// next token is asked about without one.
func TestLookUpsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // so that no look-up ends by its time-out
		cache := &hung{arrived: make(chan struct{}, 100)}
		c := newCounter(t, func(cfg *introspection.Config) { cfg.Cache, cfg.CachePrivate = cache, true })
		for _, token := range some("made-up", 8) {
			c.waiting.Go(func() { _, _ = c.ask(t, token) })
			<-cache.arrived
		}
		c.wantAsked(t, "good-1")
		if n := len(cache.arrived); n != 0 {
			t.Errorf("%d look-ups more; want none", n)
		}
	})
}
