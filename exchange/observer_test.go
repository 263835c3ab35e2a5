package exchange_test

import (
	"bytes"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// TestEvents: what an Observer is told, without a byte of tokens and secrets.
func TestEvents(t *testing.T) {
	clock := verifiertest.NewClock(time.Unix(1_750_000_000, 0))
	status, body := 200, ""
	e := &endpoint{answer: func(url.Values, http.Header) (int, http.Header, string) {
		clock.Advance(30 * time.Millisecond)
		return status, nil, body
	}}
	var mu sync.Mutex
	var events []exchange.Event
	var log bytes.Buffer
	logger := exchange.NewSlogObserver(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})))
	cache := verifiertest.NewCache(clock, 0)
	c := e.client(t, func(cfg *exchange.Config) {
		cached(cache)(cfg)
		cfg.Clock = clock
		cfg.Observer = exchange.ObserverFunc(func(e exchange.Event) {
			logger.Observe(e)
			mu.Lock()
			defer mu.Unlock()
			events = append(events, e)
			panic("an observer's panic is nobody's failure")
		})
	})
	take := func() []exchange.Event {
		mu.Lock()
		defer mu.Unlock()
		all := events
		events = nil
		return all
	}
	const name = "https://tenant.example/"
	for _, step := range []struct {
		what   string
		status int
		body   string
		err    error
		cache  error
		call   func() error
		want   []exchange.Event
	}{
		{"exchanged", 200, `{"access_token":"t","expires_in":600}`, nil, nil, func() error { return second(c.ExchangeProfile(t.Context(), profile(marker))) },
			[]exchange.Event{{Kind: exchange.EventExchanged, Flow: "profile", Issuer: name, Duration: 30 * time.Millisecond}}},
		{"hit", 200, "", nil, nil, func() error { return second(c.ExchangeProfile(t.Context(), profile(marker))) },
			[]exchange.Event{{Kind: exchange.EventCacheHit, Flow: "profile", Issuer: name}}},
		{"refused", 400, `{"error":"invalid_grant","error_description":"` + marker + `"}`, nil, nil, func() error {
			return second(c.OnBehalfOf(t.Context(), exchange.OnBehalfOfRequest{AccessToken: marker, Audience: "a"}))
		}, []exchange.Event{{Kind: exchange.EventFailed, Flow: "on-behalf-of", Issuer: name, Problem: "refused", Status: 400, Duration: 30 * time.Millisecond}}},
		{"rate limited", 429, `{}`, nil, nil, func() error {
			return second(c.JWTBearer(t.Context(), exchange.JWTBearerRequest{Assertion: marker}))
		}, []exchange.Event{{Kind: exchange.EventFailed, Flow: "jwt-bearer", Issuer: name, Problem: "rate_limited", Status: 429, Duration: 30 * time.Millisecond}}},
		{"invalid", 200, `{"access_token":"` + marker + `","issued_token_type":"x"}`, nil, nil, func() error {
			return second(c.IDJAG(t.Context(), exchange.IDJAGRequest{SubjectToken: marker, Audience: "a"}))
		}, []exchange.Event{{Kind: exchange.EventFailed, Flow: "id-jag", Issuer: name, Problem: "invalid_response", Duration: 30 * time.Millisecond}}},
		{"no answer", 0, "", errors.New(marker), nil, func() error {
			return second(c.ConnectionToken(t.Context(), exchange.ConnectionRequest{Connection: "c", AccessToken: marker}))
		}, []exchange.Event{{Kind: exchange.EventFailed, Flow: "connection", Issuer: name, Problem: "network"}}},
		{"cache fault", 200, `{"access_token":"t","expires_in":600}`, nil, errors.New("cache down"), func() error { return second(c.ExchangeProfile(t.Context(), profile("other"))) },
			[]exchange.Event{{Kind: exchange.EventCacheFault}, {Kind: exchange.EventCacheFault}, {Kind: exchange.EventCacheFault}, {Kind: exchange.EventExchanged, Flow: "profile", Issuer: name, Duration: 30 * time.Millisecond}}},
		{"argument", 200, "", nil, nil, func() error { return second(c.ExchangeProfile(t.Context(), profile(" "+marker))) }, nil},
	} {
		status, body = step.status, step.body
		e.fail(step.err)
		if step.cache != nil {
			cache.FailNext(3, step.cache)
		}
		err := step.call()
		got := take()
		if len(got) != len(step.want) {
			t.Errorf("%s: events %v; want %v (%v)", step.what, got, step.want, err)
			continue
		}
		for i, event := range got {
			cause := event.Err
			event.Err = nil
			if event != step.want[i] {
				t.Errorf("%s: event %+v; want %+v", step.what, event, step.want[i])
			}
			if failed := event.Kind == exchange.EventFailed || event.Kind == exchange.EventCacheFault; (cause != nil) != failed {
				t.Errorf("%s: Err %v", step.what, cause)
			}
		}
	}
	if text := log.String(); strings.Contains(text, marker) || strings.Count(text, "\n") != 10 || !strings.Contains(text, "level=WARN") {
		t.Errorf("the log has %d lines, or what was sent:\n%s", strings.Count(text, "\n"), text)
	}
	_ = c.Close()
	if err := second(c.ExchangeProfile(t.Context(), profile("s"))); !errors.Is(err, exchange.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if got := take(); len(got) != 1 || got[0].Problem != "closed" {
		t.Errorf("closed: events %v", got)
	}
}
