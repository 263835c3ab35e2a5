package exchange_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/verifier"
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

// TestLoggedEvents: the level and the text of each event, and nothing that is not
// known.
func TestLoggedEvents(t *testing.T) {
	all := exchange.Event{Flow: "profile", Issuer: "i", Problem: "refused", Status: 400, Duration: time.Second, Err: errors.New(marker)}
	with := func(kind exchange.EventKind, problem string) exchange.Event {
		e := all
		e.Kind, e.Problem = kind, problem
		return e
	}
	for _, c := range []struct {
		e           exchange.Event
		level, want string
	}{
		{exchange.Event{Kind: exchange.EventExchanged}, "DEBUG", `exchanged"`},
		{exchange.Event{Kind: exchange.EventExchanged, Problem: "timeout"}, "DEBUG", `exchanged" problem=timeout`},
		{exchange.Event{Kind: exchange.EventCacheHit, Flow: "profile"}, "DEBUG", `cache_hit" flow=profile`},
		{exchange.Event{Kind: exchange.EventCacheFault, Err: errors.New(marker)}, "WARN", `cache_fault"`},
		{exchange.Event{Kind: exchange.EventFailed, Problem: "network", Status: 1, Duration: 1}, "WARN", `failed" problem=network status=1 duration=1ns`},
		{with(exchange.EventFailed, "refused"), "DEBUG", `failed" flow=profile issuer=i problem=refused status=400 duration=1s`},
		{with(exchange.EventFailed, "canceled"), "DEBUG", `failed" flow=profile issuer=i problem=canceled status=400 duration=1s`},
		{with(exchange.EventFailed, "timeout"), "WARN", `failed" flow=profile issuer=i problem=timeout status=400 duration=1s`},
		{with(exchange.EventFailed, ""), "WARN", `failed" flow=profile issuer=i status=400 duration=1s`},
	} {
		for _, least := range []slog.Level{slog.LevelDebug, slog.LevelInfo} {
			var log bytes.Buffer
			exchange.NewSlogObserver(slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: least}))).Observe(c.e)
			_, got, _ := strings.Cut(strings.TrimSpace(log.String()), " ") // without the time
			want := "level=" + c.level + ` msg="portcullis: token exchange: ` + c.want
			if least == slog.LevelInfo && c.level == "DEBUG" {
				want = ""
			}
			if got != want {
				t.Errorf("%+v from %v: %q; want %q", c.e, least, got, want)
			}
		}
	}
}

// TestProblems: each umbrella error has its word.
func TestProblems(t *testing.T) {
	var got []string
	observer := exchange.ObserverFunc(func(e exchange.Event) { got = append(got, fmt.Sprint(e.Problem, " ", e.Status)) })
	timeout := &endpoint{}
	timeout.fail(context.DeadlineExceeded)
	done, cancel := context.WithCancel(t.Context())
	cancel()
	for want, c := range map[string]struct {
		e      *endpoint
		ctx    context.Context
		change func(*exchange.Config)
	}{
		"metadata 0": {answering(200, ""), t.Context(), func(cfg *exchange.Config) {
			cfg.Metadata = metadataFunc(func(context.Context, string) (verifier.Metadata, error) {
				return verifier.Metadata{}, errors.New(marker)
			})
		}},
		"credentials 0": {answering(200, ""), t.Context(), func(cfg *exchange.Config) {
			cfg.Auth = exchange.ClientSecretBasicFrom(constant(""))
		}},
		"timeout 0":          {timeout, t.Context(), nil},
		"canceled 0":         {answering(200, ""), done, nil},
		"refused 403":        {answering(403, ""), t.Context(), nil},
		"rate_limited 429":   {answering(429, ""), t.Context(), nil},
		"invalid_response 0": {answering(200, ""), t.Context(), nil},
	} {
		got = nil
		client := c.e.client(t, func(cfg *exchange.Config) {
			cfg.Observer = observer
			if c.change != nil {
				c.change(cfg)
			}
		})
		if _, err := client.ExchangeProfile(c.ctx, profile("subject-token")); err == nil || len(got) != 1 || got[0] != want {
			t.Errorf("%v: events %q; want %q", err, got, want)
		}
	}
}
