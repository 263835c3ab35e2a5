package resolver_test

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/resolver"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

func request(rawURL, host string) verifier.ResolveRequest {
	var u *url.URL
	if rawURL != "" {
		u, _ = url.Parse(rawURL)
	}
	header := make(http.Header)
	if host != "" {
		header.Set("Host", host)
	}
	return verifier.NewResolveRequest("https://tenant.example/", u, header)
}

func TestStaticIsReadOnceAndCannotBeChanged(t *testing.T) {
	list := []string{"a.example", "b.example"}
	s := resolver.Static(list...)
	list[0] = "evil.example"
	s.Domains()[1] = "evil.example"
	got, err := s.ResolveDomains(t.Context(), request("", ""))
	if want := []string{"a.example", "b.example"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("ResolveDomains = %v, %v; want %v", got, err, want)
	}
}

func TestByHost(t *testing.T) {
	r, err := resolver.ByHost(map[string][]string{"One.example": {"a.example"}, "two.example:8443": {"b.example"}, "[::1]": {"c.example"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ url, host, want string }{
		{"https://ONE.example/x", "two.example:8443", "a.example"},
		{"https://one.example:443/x", "", "a.example"},
		{"", "one.example", "a.example"},
		{"", "TWO.example:8443", "b.example"},
		{"https://[::1]:443/", "", "c.example"},
	} {
		got, err := r.ResolveDomains(t.Context(), request(c.url, c.host))
		if err != nil || len(got) != 1 || got[0] != c.want {
			t.Errorf("ResolveDomains(%q, %q) = %v, %v; want %s", c.url, c.host, got, err, c.want)
		}
	}
	for _, c := range []struct{ url, host string }{{"", ""}, {"https://two.example/", "one.example"}, {"", "one.example.evil.example"}, {"https://one.example@evil.example/", ""}} {
		if got, err := r.ResolveDomains(t.Context(), request(c.url, c.host)); !errors.Is(err, resolver.ErrNoMatch) {
			t.Errorf("ResolveDomains(%q, %q) = %v, %v; want ErrNoMatch", c.url, c.host, got, err)
		}
	}
}

func TestByHostRefusesInvalidEntries(t *testing.T) {
	for name, hosts := range map[string]map[string][]string{
		"empty list":     {"one.example": nil},
		"invalid domain": {"one.example": {"http://a.example"}},
		"blank host":     {" ": {"a.example"}},
		"URL as host":    {"https://one.example": {"a.example"}},
		"twice":          {"one.example": {"a.example"}, "ONE.example": {"b.example"}},
	} {
		if _, err := resolver.ByHost(hosts); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestChain(t *testing.T) {
	boom := errors.New("boom")
	none := resolver.Func(func(context.Context, verifier.ResolveRequest) ([]string, error) { return nil, resolver.ErrNoMatch })
	fails := resolver.Func(func(context.Context, verifier.ResolveRequest) ([]string, error) { return nil, boom })
	a := resolver.Static("a.example")
	if got, err := resolver.Chain(none, a, fails).ResolveDomains(t.Context(), request("", "")); err != nil || got[0] != "a.example" {
		t.Errorf("Chain = %v, %v; want the first that matches", got, err)
	}
	if _, err := resolver.Chain(none, fails, a).ResolveDomains(t.Context(), request("", "")); !errors.Is(err, boom) {
		t.Errorf("Chain error = %v; want that of the first that decides", err)
	}
	if _, err := resolver.Chain(none).ResolveDomains(t.Context(), request("", "")); !errors.Is(err, resolver.ErrNoMatch) {
		t.Errorf("Chain error = %v; want ErrNoMatch", err)
	}
}

// counting answers with the issuer asked for, slowly when gate is set.
type counting struct {
	calls atomic.Int64
	gate  chan struct{}
	err   error
}

func (c *counting) ResolveDomains(ctx context.Context, req verifier.ResolveRequest) ([]string, error) {
	c.calls.Add(1)
	if c.gate != nil {
		select {
		case <-c.gate:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	return []string{req.UnverifiedIssuer}, c.err
}

func newCached(t *testing.T, inner verifier.DomainResolver, clock verifier.Clock, maxEntries int) verifier.DomainResolver {
	t.Helper()
	r, err := resolver.Cached(inner, resolver.CacheConfig{Key: resolver.IssuerKey, Clock: clock, MaxEntries: maxEntries})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestCachedRemembersUntilTheTTL(t *testing.T) {
	inner, clock := &counting{}, verifiertest.NewClock(time.Time{})
	r := newCached(t, inner, clock, 0)
	ask := func(want int64) {
		t.Helper()
		if _, err := r.ResolveDomains(t.Context(), request("", "")); err != nil {
			t.Fatal(err)
		}
		if got := inner.calls.Load(); got != want {
			t.Errorf("%d inner calls; want %d", got, want)
		}
	}
	ask(1)
	clock.Advance(time.Minute - time.Nanosecond)
	ask(1)
	clock.Advance(time.Nanosecond)
	ask(2)
	clock.Advance(24 * time.Hour) // wrong
	ask(3)
	clock.Advance(-24 * time.Hour) // set right: what was kept is of the future
	ask(4)
	ask(4)
}

func TestCachedForgetsErrorsAndIsBounded(t *testing.T) {
	inner := &counting{err: errors.New("boom")}
	r := newCached(t, inner, nil, 2)
	for range 2 {
		if _, err := r.ResolveDomains(t.Context(), request("", "")); err == nil {
			t.Error("no error")
		}
	}
	if got := inner.calls.Load(); got != 2 {
		t.Errorf("%d inner calls; want 2: errors are not remembered", got)
	}
	inner.err = nil
	for i := range 3 {
		req := request("", "")
		req.UnverifiedIssuer = strconv.Itoa(i)
		_, _ = r.ResolveDomains(t.Context(), req)
	}
	req := request("", "")
	req.UnverifiedIssuer = "0"
	_, _ = r.ResolveDomains(t.Context(), req)
	if got := inner.calls.Load(); got != 6 {
		t.Errorf("%d inner calls; want 6: the oldest of three was dropped", got)
	}
}

func TestCachedCoalescesAndLetsWaitersGo(t *testing.T) {
	inner := &counting{gate: make(chan struct{})}
	r := newCached(t, inner, nil, 0)
	first, cancel := context.WithCancel(t.Context())
	left := make(chan error, 1)
	go func() {
		_, err := r.ResolveDomains(first, request("", ""))
		left <- err
	}()
	for inner.calls.Load() == 0 {
		time.Sleep(time.Millisecond) // until the first call is under way
	}
	cancel()
	if err := <-left; !errors.Is(err, context.Canceled) {
		t.Errorf("first waiter: %v; want its own cancellation", err)
	}
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			if _, err := r.ResolveDomains(t.Context(), request("", "")); err != nil {
				t.Errorf("waiter: %v", err)
			}
		})
	}
	close(inner.gate)
	wg.Wait()
	if got := inner.calls.Load(); got != 1 {
		t.Errorf("%d inner calls; want 1", got)
	}
}

func TestCachedSurvivesAPanic(t *testing.T) {
	r := newCached(t, resolver.Func(func(context.Context, verifier.ResolveRequest) ([]string, error) { panic("boom") }), nil, 0)
	if _, err := r.ResolveDomains(t.Context(), request("", "")); err == nil {
		t.Error("no error")
	}
}

func TestCachedRefusesInvalidConfigurations(t *testing.T) {
	inner := &counting{}
	if _, err := resolver.Cached(nil, resolver.CacheConfig{Key: resolver.HostKey}); err == nil {
		t.Error("nil resolver: no error")
	}
	for name, cfg := range map[string]resolver.CacheConfig{
		"no key": {}, "negative TTL": {Key: resolver.HostKey, TTL: -1}, "negative bound": {Key: resolver.HostKey, MaxEntries: -1},
	} {
		if _, err := resolver.Cached(inner, cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
