package exchange

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// TestNoncesAreBounded: those of 201 endpoints are kept; then all begin anew.
func TestNoncesAreBounded(t *testing.T) {
	var n nonces
	learn := func(i int) {
		t.Helper()
		if !n.learn(fmt.Sprint("endpoint-", i), http.Header{"Dpop-Nonce": {fmt.Sprint("n", i)}}) {
			t.Fatalf("%d: not learnt", i)
		}
	}
	for i := range 2*maxDomains + 1 {
		learn(i)
	}
	for i := range 2*maxDomains + 1 {
		if got := n.get(fmt.Sprint("endpoint-", i)); got != fmt.Sprint("n", i) {
			t.Errorf("endpoint %d: nonce %q", i, got)
		}
	}
	learn(1000)
	if n.get("endpoint-1000") != "n1000" || n.get("endpoint-0") != "" || len(n.byEndpoint) != 1 {
		t.Errorf("%d nonces are left; want the last one", len(n.byEndpoint))
	}
}

var waitsNow = time.Unix(1_750_000_000, 0)

// holding has n endpoints that are over after a minute, and then m after two.
func holding(n, m int) *waits {
	w := &waits{}
	for i := range n + m {
		e := &Error{RetryAfter: time.Minute}
		if i >= n {
			e.RetryAfter = 2 * time.Minute
		}
		w.note(fmt.Sprint(i), e, waitsNow)
	}
	return w
}

// TestWaitsAreBounded: what is over is dropped when there is no room, and an
// eighth where nothing is.
func TestWaitsAreBounded(t *testing.T) {
	w := holding(0, maxWaits-1)
	for i, want := range []int{maxWaits, maxWaits - maxWaits/8 + 1, maxWaits - maxWaits/8 + 2} {
		w.note(fmt.Sprint("new-", i), &Error{RetryAfter: time.Minute}, waitsNow)
		if len(w.byKey) != want {
			t.Errorf("%d: %d waits; want %d", i, len(w.byKey), want)
		}
	}
	const over = 4_000
	w = holding(over, maxWaits-over)
	w.note("new", &Error{RetryAfter: time.Minute}, waitsNow.Add(time.Minute))
	if len(w.byKey) != maxWaits-over+1 {
		t.Errorf("%d waits; want the %d that are not over and the new one", len(w.byKey), maxWaits-over)
	}
	for _, i := range []int{over, maxWaits - 1} {
		if w.check(fmt.Sprint(i), waitsNow.Add(time.Minute)) == nil {
			t.Errorf("wait %d, which is not over, was dropped", i)
		}
	}
}

// TestWaitsThatAreNone are not kept: what asks for no pause, and what is over.
func TestWaitsThatAreNone(t *testing.T) {
	w := &waits{}
	for _, after := range []time.Duration{0, -1} {
		if w.note("k", &Error{RetryAfter: after}, waitsNow); len(w.byKey) != 0 {
			t.Errorf("RetryAfter %v is kept", after)
		}
	}
	e := &Error{RetryAfter: time.Minute, kind: ErrRateLimited}
	w.note("k", e, waitsNow)
	var got *Error
	if err := w.check("k", waitsNow.Add(20*time.Second)); !errors.As(err, &got) || got.RetryAfter != 40*time.Second || !errors.Is(err, ErrRateLimited) || e.RetryAfter != time.Minute {
		t.Errorf("%v; want ErrRateLimited for 40 seconds more", err)
	}
	if err := w.check("other", waitsNow); err != nil {
		t.Errorf("another request: %v", err)
	}
	for _, at := range []time.Duration{time.Minute, 20 * time.Second} { // a clock that goes back brings nothing back
		if err := w.check("k", waitsNow.Add(at)); err != nil || len(w.byKey) != 0 {
			t.Errorf("after %v: %v, %d are kept", at, err, len(w.byKey))
		}
	}
}

// lateCache calls a function at each look.
type lateCache struct {
	drawer
	at func()
}

func (c *lateCache) Get(ctx context.Context, key string) ([]byte, bool, error) {
	c.at()
	return c.drawer.Get(ctx, key)
}

// TestCallThatComesTooLate: no shared call begins once the client is closed.
func TestCallThatComesTooLate(t *testing.T) {
	cache, asked := &lateCache{}, false
	c, err := New(Config{
		Domain: "tenant.example", ClientID: "c", Auth: ClientSecretBasic("s"), Cache: cache, CachePrivate: true,
		Doer: verifier.DoerFunc(func(*http.Request) (*http.Response, error) {
			asked = true
			return nil, errors.New("down")
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	cache.at = func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.closed = true
	}
	_, err = c.ExchangeProfile(t.Context(), ProfileRequest{SubjectToken: "s", SubjectTokenType: "t"})
	_ = c.Close() // waits for what is under way
	if !errors.Is(err, ErrClosed) || asked {
		t.Errorf("%v, asked %v; want ErrClosed and nothing asked", err, asked)
	}
}
