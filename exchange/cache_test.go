package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

var sealKey = []byte("0123456789abcdef0123456789abcdef")

func cached(cache verifier.Cache) func(*exchange.Config) {
	return func(cfg *exchange.Config) { cfg.Cache, cfg.SealKeys = cache, [][]byte{sealKey} }
}

// onFault is an Observer of faults of the cache alone.
func onFault(f func(error)) exchange.Observer {
	return exchange.ObserverFunc(func(e exchange.Event) {
		if e.Kind == exchange.EventCacheFault {
			f(e.Err)
		}
	})
}

// echo answers with the subject token and what else shapes the answer, so that
// whose token a result is can be seen.
func echo() *endpoint {
	return &endpoint{answer: func(form url.Values, header http.Header) (int, http.Header, string) {
		return 200, nil, fmt.Sprintf(`{"access_token":"for %s","token_type":"Bearer","scope":"","expires_in":600,"id_token":"i","refresh_token":"r"}`,
			form.Get("subject_token")+" "+form.Get("audience")+" "+header.Get("X-Tenant"))
	}}
}

func TestResultIsKept(t *testing.T) {
	for _, private := range []bool{false, true} {
		clock := verifiertest.NewClock(time.Time{})
		cache := verifiertest.NewCache(clock, 0)
		e := echo()
		c := e.client(t, func(cfg *exchange.Config) {
			cfg.Clock, cfg.Cache, cfg.CachePrivate = clock, cache, private
			if !private {
				cfg.SealKeys = [][]byte{sealKey}
			}
		})
		first, err := c.ExchangeProfile(t.Context(), profile("subject"))
		if err != nil {
			t.Fatal(err)
		}
		clock.Advance(time.Minute)
		second, err := c.ExchangeProfile(t.Context(), profile("subject"))
		if err != nil {
			t.Fatal(err)
		}
		if e.count() != 1 {
			t.Errorf("%d requests; want 1", e.count())
		}
		if got := cache.Calls("Get"); got != 3 {
			t.Errorf("%d looks; want two of the first request, and one of the second", got)
		}
		if second.AccessToken != first.AccessToken || second.IDToken != "i" || second.RefreshToken != "r" || !second.Stated("scope") || second.TokenType != "Bearer" ||
			!second.ExpiresAt.Equal(first.ExpiresAt) || second.ExpiresIn != 9*time.Minute {
			t.Error("the result that was kept is another one")
		}
		second.AccessToken = "changed" // each caller has its own
		if third, err := c.ExchangeProfile(t.Context(), profile("subject")); err != nil || third.AccessToken != first.AccessToken {
			t.Errorf("after a caller changed its own: %v", err)
		}
		// Other flows with the same token are other requests.
		if token, err := c.OnBehalfOf(t.Context(), exchange.OnBehalfOfRequest{AccessToken: "subject", Audience: "a"}); err != nil || token.Stated("id_token") {
			t.Errorf("on behalf of: %v", err)
		}
		if e.count() != 2 {
			t.Errorf("%d requests; want 2", e.count())
		}
		for _, key := range cache.Keys() {
			value, _, err := cache.Get(t.Context(), key)
			if err != nil {
				t.Fatal(err)
			}
			if strings.Contains(key, "subject") || !private && strings.Contains(string(value), "for subject") {
				t.Errorf("a token can be read in the cache")
			}
		}
	}
}

// TestResultLifetime: a result is served for as long as it and the subject
// token are good, minus the skew, and no longer.
func TestResultLifetime(t *testing.T) {
	issuer := verifiertest.NewIssuer(t, verifiertest.WithURL("https://tenant.example/"))
	tests := []struct {
		name      string
		expiresIn string
		subject   any // exp of the subject token from now on in seconds, nil: opaque
		actor     any
		want      time.Duration // served until then
	}{
		{"expires_in", "600", nil, nil, 570 * time.Second},
		{"cap", "1000000", nil, nil, time.Hour},
		{"subject ends first", "600", 100, nil, 70 * time.Second},
		{"subject ends later", "600", 1000, nil, 570 * time.Second},
		{"actor ends first", "600", 1000, 90, time.Minute},
		{"shorter than the skew", "30", nil, nil, 0},
		{"zero", "0", nil, nil, 0},
		{"subject has ended", "600", -5, nil, 0},
		{"subject has a strange exp", "600", "soon", nil, 0},
	}
	for _, test := range tests {
		clock := verifiertest.NewClock(time.Time{})
		sign := func(exp any) string {
			if seconds, ok := exp.(int); ok {
				exp = clock.Now().Unix() + int64(seconds)
			}
			return issuer.SignWith(nil, map[string]any{"exp": exp})
		}
		r := profile("opaque")
		if test.subject != nil {
			r.SubjectToken = sign(test.subject)
		}
		if test.actor != nil {
			r.ActorToken, r.ActorTokenType = sign(test.actor), exchange.TypeJWT
		}
		e := answering(200, `{"access_token":"t","expires_in":`+test.expiresIn+`}`)
		c := e.client(t, func(cfg *exchange.Config) {
			cached(verifiertest.NewCache(clock, 0))(cfg)
			cfg.Clock = clock
		})
		ask := func() {
			t.Helper()
			if _, err := c.ExchangeProfile(t.Context(), r); err != nil {
				t.Fatalf("%s: %v", test.name, err)
			}
		}
		ask()
		if test.want > 0 {
			clock.Advance(test.want - time.Nanosecond)
			ask()
			if e.count() != 1 {
				t.Errorf("%s: asked again before %v", test.name, test.want)
			}
			clock.Advance(time.Nanosecond)
		}
		ask()
		if e.count() != 2 {
			t.Errorf("%s: still served after %v", test.name, test.want)
		}
	}
}

func TestClockSetBack(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	e := echo()
	c := e.client(t, func(cfg *exchange.Config) {
		cached(verifiertest.NewCache(clock, 0))(cfg)
		cfg.Clock = clock
	})
	for range 2 {
		if _, err := c.ExchangeProfile(t.Context(), profile("subject")); err != nil {
			t.Fatal(err)
		}
		clock.Advance(-time.Hour)
	}
	if e.count() != 2 {
		t.Errorf("%d requests; want 2: a result of the future is not served", e.count())
	}
}

// TestConcurrentEqualRequests: they share one call, and its end.
func TestConcurrentEqualRequests(t *testing.T) {
	const callers = 100
	for _, fail := range []bool{false, true} {
		var arrived sync.WaitGroup
		release := make(chan struct{})
		e := &endpoint{}
		e.answer = func(form url.Values, _ http.Header) (int, http.Header, string) {
			<-release
			if fail {
				return 400, nil, `{"error":"invalid_grant"}`
			}
			return 200, nil, `{"access_token":"t","expires_in":600}`
		}
		cache := verifiertest.NewCache(nil, 0)
		c := e.client(t, cached(cache))
		var wg sync.WaitGroup
		var good, bad atomic.Int64
		arrived.Add(callers)
		for range callers {
			wg.Go(func() {
				arrived.Done()
				got, err := c.ExchangeProfile(t.Context(), profile("subject"))
				var failure *exchange.Error
				switch {
				case err == nil:
					if got.AccessToken != "t" {
						t.Error("another caller's changes are seen")
					}
					got.AccessToken = "changed" // it is this caller's own
					good.Add(1)
				case errors.As(err, &failure) && failure.Code == "invalid_grant":
					bad.Add(1)
				default:
					t.Error(err)
				}
			})
		}
		arrived.Wait()
		for cache.Calls("Get") < callers { // each has missed and is at the call
			yieldOnce()
		}
		close(release)
		wg.Wait()
		if e.count() != 1 && !fail {
			t.Errorf("%d calls for %d equal requests; want 1", e.count(), callers)
		}
		if want := map[bool]int64{false: callers, true: 0}[fail]; good.Load() != want || good.Load()+bad.Load() != callers {
			t.Errorf("failing %t: %d good and %d bad outcomes of %d", fail, good.Load(), bad.Load(), callers)
		}
		if fail && len(cache.Keys()) != 0 {
			t.Error("a failure was kept")
		}
	}
}

// TestFailureIsNotKept: the next request asks again.
func TestFailureIsNotKept(t *testing.T) {
	broken := atomic.Bool{}
	broken.Store(true)
	e := &endpoint{answer: func(url.Values, http.Header) (int, http.Header, string) {
		if broken.Load() {
			return 500, nil, `{"error":"server_error"}`
		}
		return 200, nil, `{"access_token":"t"}`
	}}
	c := e.client(t, cached(verifiertest.NewCache(nil, 0)))
	for range 2 {
		if _, err := c.ExchangeProfile(t.Context(), profile("subject")); !errors.Is(err, exchange.ErrRefused) {
			t.Errorf("%v; want ErrRefused", err)
		}
	}
	broken.Store(false)
	if _, err := c.ExchangeProfile(t.Context(), profile("subject")); err != nil || e.count() != 3 {
		t.Errorf("after the failure: %v with %d requests; want 3", err, e.count())
	}
}

// TestUsersAreApart: whatever a thousand requests of many users ask at once,
// each gets its own answer.
func TestUsersAreApart(t *testing.T) {
	e := echo()
	var faults atomic.Int64 // a busy machine may take longer than a look at the cache may
	c := e.client(t, func(cfg *exchange.Config) {
		cached(verifiertest.NewCache(nil, 0))(cfg)
		cfg.Observer = onFault(func(error) { faults.Add(1) })
	})
	var wg sync.WaitGroup
	for worker := range 16 {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 7))
			for range 200 {
				pick := func() string { return []string{"", "a", "b", "ab", "aa"}[random.IntN(5)] }
				r := profile("u" + pick())
				r.Audience = pick()
				r.Header = http.Header{"X-Tenant": {pick()}}
				got, err := c.ExchangeProfile(t.Context(), r)
				if err != nil {
					t.Error(err)
					return
				}
				if want := "for " + r.SubjectToken + " " + r.Audience + " " + r.Header.Get("X-Tenant"); got.AccessToken != want {
					t.Errorf("got the token %q; want %q", got.AccessToken, want)
				}
			}
		})
	}
	wg.Wait()
	if most := 5*5*5 + int(faults.Load()); e.count() > most {
		t.Errorf("%d requests for %d different ones and %d faults", e.count(), 5*5*5, faults.Load())
	}
}

// TestTamperedCache: what somebody else put into the cache, or moved in it, is
// not served, and is reported.
func TestTamperedCache(t *testing.T) {
	for _, private := range []bool{false, true} {
		cache := verifiertest.NewCache(nil, 0)
		e := echo()
		var faults atomic.Int64
		c := e.client(t, func(cfg *exchange.Config) {
			cfg.Cache, cfg.CachePrivate = cache, private
			if !private {
				cfg.SealKeys = [][]byte{sealKey}
			}
			cfg.Observer = onFault(func(error) { faults.Add(1) })
		})
		get := func(user string) string {
			t.Helper()
			got, err := c.ExchangeProfile(t.Context(), profile(user))
			if err != nil {
				t.Fatal(err)
			}
			return got.AccessToken
		}
		one, two := get("one"), get("two")
		var values [][]byte
		cache.Corrupt(func(_ string, value []byte) []byte { values = append(values, value); return value })
		i := 0
		cache.Corrupt(func(_ string, value []byte) []byte { // swap the two
			i++
			if string(value) == string(values[0]) {
				return values[1]
			}
			return values[0]
		})
		if get("one") != one || get("two") != two {
			t.Error("a user got another user's token")
		}
		if faults.Load() == 0 {
			t.Error("nothing was reported")
		}
		before := e.count()
		for _, garbage := range []string{"", "x", "{}", `{"key":"x","access_token":"t","until":9000000000000000000}`, strings.Repeat("\x01", 64)} {
			cache.Corrupt(func(string, []byte) []byte { return []byte(garbage) })
			if get("one") != one {
				t.Errorf("%.20q was served", garbage)
			}
		}
		if e.count() != before+5 {
			t.Errorf("%d requests for 5 faults", e.count()-before)
		}
	}
}

// TestKeysOfSeals: results outlive the rotation of keys, and another key opens
// nothing.
func TestKeysOfSeals(t *testing.T) {
	cache := verifiertest.NewCache(nil, 0)
	e := echo()
	other := []byte("another key of 32 bytes, rotated")
	for i, step := range []struct {
		keys  [][]byte
		calls int
	}{{[][]byte{sealKey}, 1}, {[][]byte{other, sealKey}, 1}, {[][]byte{other}, 2}, {[][]byte{other}, 2}} {
		c := e.client(t, func(cfg *exchange.Config) { cfg.Cache, cfg.SealKeys = cache, step.keys })
		if _, err := c.ExchangeProfile(t.Context(), profile("subject")); err != nil {
			t.Fatal(err)
		}
		if e.count() != step.calls {
			t.Errorf("step %d: %d requests; want %d", i, e.count(), step.calls)
		}
	}
}

// TestCacheFaults: a cache that fails or hangs costs at most its deadline, and
// no exchange.
func TestCacheFaults(t *testing.T) {
	cache := verifiertest.NewCache(nil, 0)
	e := echo()
	var mu sync.Mutex
	var faults []error
	c := e.client(t, func(cfg *exchange.Config) {
		cached(cache)(cfg)
		cfg.Observer = onFault(func(err error) {
			mu.Lock()
			defer mu.Unlock()
			faults = append(faults, err)
		})
	})
	boom := errors.New("boom")
	cache.FailNext(-1, boom)
	if _, err := c.ExchangeProfile(t.Context(), profile("subject")); err != nil {
		t.Errorf("failing cache: %v", err)
	}
	mu.Lock()
	if len(faults) != 3 || !errors.Is(faults[0], boom) { // two looks and a write
		t.Errorf("faults %v; want 3 of boom", faults)
	}
	mu.Unlock()
	cache.Recover()
	cache.Hang()
	if _, err := c.ExchangeProfile(t.Context(), profile("subject")); err != nil {
		t.Errorf("hanging cache: %v", err)
	}
	before, reported := e.count(), len(faults)
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
	defer cancel()
	if _, err := c.ExchangeProfile(ctx, profile("subject")); !errors.Is(err, exchange.ErrTimeout) || e.count() != before || len(faults) != reported {
		t.Errorf("a caller who left while the cache hung: %v, %d requests, %d faults", err, e.count()-before, len(faults)-reported)
	}
	cache.Recover()
	huge := answering(200, `{"access_token":"`+strings.Repeat("t", 300<<10)+`"}`)
	h := huge.client(t, cached(cache))
	for range 2 {
		if _, err := h.ExchangeProfile(t.Context(), profile("subject")); err != nil {
			t.Error(err)
		}
	}
	if huge.count() != 2 {
		t.Errorf("%d requests; want 2: a huge result is not kept", huge.count())
	}
}

// TestWaiterLeaves: the first caller of a shared call gives up; the others get
// the result.
func TestWaiterLeaves(t *testing.T) {
	started, release := make(chan struct{}), make(chan struct{})
	e := answering(200, `{"access_token":"t","expires_in":600}`)
	c := e.client(t, func(cfg *exchange.Config) {
		cached(verifiertest.NewCache(nil, 0))(cfg)
		cfg.Doer = verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
			if r.Method == http.MethodPost {
				close(started)
				select {
				case <-release:
				case <-r.Context().Done():
					return nil, r.Context().Err()
				}
			}
			return e.Do(r)
		})
	})
	ctx, cancel := context.WithCancel(t.Context())
	first, second := make(chan error), make(chan error)
	go func() {
		_, err := c.ExchangeProfile(ctx, profile("subject"))
		first <- err
	}()
	<-started
	go func() {
		_, err := c.ExchangeProfile(t.Context(), profile("subject"))
		second <- err
	}()
	cancel()
	if err := <-first; !errors.Is(err, exchange.ErrCanceled) {
		t.Errorf("who left: %v; want ErrCanceled", err)
	}
	close(release)
	if err := <-second; err != nil {
		t.Errorf("who stayed: %v", err)
	}
	if e.count() != 1 {
		t.Errorf("%d requests; want 1", e.count())
	}
}

// TestCloseEndsCalls: nothing is left behind, and those who wait are told.
func TestCloseEndsCalls(t *testing.T) {
	t.Run("shared", func(t *testing.T) { closeEndsCalls(t, cached(verifiertest.NewCache(nil, 0))) })
	t.Run("single", func(t *testing.T) { closeEndsCalls(t, func(*exchange.Config) {}) })
}

func closeEndsCalls(t *testing.T, change func(*exchange.Config)) {
	t.Helper()
	started := make(chan struct{})
	doer := verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
		if r.Method != http.MethodPost {
			return echo().Do(r)
		}
		close(started)
		<-r.Context().Done()
		return nil, r.Context().Err()
	})
	c := echo().client(t, func(cfg *exchange.Config) {
		change(cfg)
		cfg.Doer = doer
	})
	outcome := make(chan error)
	go func() {
		_, err := c.ExchangeProfile(t.Context(), profile("subject"))
		outcome <- err
	}()
	<-started
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	wantedAnswer{503, "closed", exchange.ErrClosed}.check(t, "under way", <-outcome)
	_, err := c.ExchangeProfile(t.Context(), profile("other"))
	wantedAnswer{503, "closed", exchange.ErrClosed}.check(t, "after Close", err)
}

// TestPanics: in a call that is shared they would end the program, and in one that
// is not they would reach the caller. An error may be a nil pointer, too.
func TestPanics(t *testing.T) {
	for name, cache := range map[string]verifier.Cache{"cache": verifiertest.NewCache(nil, 0), "none": nil, "broken cache": panickingCache{}} {
		for kind, post := range map[string]func() (*http.Response, error){
			"panic":       func() (*http.Response, error) { panic("upstream-body-marker") },
			"nil pointer": func() (*http.Response, error) { return nil, (*exchange.Error)(nil) },
		} {
			c := echo().client(t, func(cfg *exchange.Config) {
				if cache != nil {
					cached(cache)(cfg)
				}
				cfg.Doer = verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
					if r.Method == http.MethodPost {
						return post()
					}
					return echo().Do(r)
				})
			})
			for range 2 {
				_, err := c.ExchangeProfile(t.Context(), profile("subject-token"))
				wantedAnswer{502, "network_error", exchange.ErrNetwork}.check(t, name+", "+kind, err)
			}
		}
	}
}

// panickingCache panics in all of its methods.
type panickingCache struct{ verifier.Cache }

// TestRetryAfter: equal requests fail at once until the time that the endpoint
// gave, other requests go on (RFC 6585, Section 4; RFC 9110, Section 10.2.3).
func TestRetryAfter(t *testing.T) {
	clock := verifiertest.NewClock(time.Unix(1_750_000_000, 0))
	tests := []struct {
		status int
		header string
		want   time.Duration
	}{
		{429, "30", 30 * time.Second},
		{429, "", time.Second},
		{429, "soon", time.Second},
		{429, "-5", time.Second},
		{429, "999999999", time.Hour}, // one answer cannot shut a user out for longer
		{503, "10", 10 * time.Second},
		{503, "", 0},
		{500, "10", 0},
	}
	for _, kept := range []bool{false, true} {
		for _, test := range tests {
			clock.Set(time.Unix(1_750_000_000, 0))
			e := &endpoint{answer: func(form url.Values, _ http.Header) (int, http.Header, string) {
				if form.Get("subject_token") == "another" {
					return 200, nil, `{"access_token":"t"}`
				}
				return test.status, http.Header{"Content-Type": {"application/json"}, "Retry-After": {test.header}}, `{"error":"too_many_requests"}`
			}}
			c := e.client(t, func(cfg *exchange.Config) {
				cfg.Clock = clock
				if kept {
					cached(verifiertest.NewCache(clock, 0))(cfg)
				}
			})
			name := fmt.Sprintf("%d %q", test.status, test.header)
			ask := func(left time.Duration, calls int) {
				t.Helper()
				_, err := c.ExchangeProfile(t.Context(), profile("subject"))
				var got *exchange.Error
				if !errors.As(err, &got) || got.Status != test.status || got.Code != "too_many_requests" || errors.Is(err, exchange.ErrRateLimited) != (test.status == 429) {
					t.Errorf("%s: %v", name, err)
				} else if left > 0 && got.RetryAfter != left && test.want != time.Hour {
					t.Errorf("%s: RetryAfter %v; want %v", name, got.RetryAfter, left)
				}
				if e.count() != calls {
					t.Errorf("%s: %d requests; want %d", name, e.count(), calls)
				}
			}
			ask(test.want, 1)
			if test.want == 0 {
				ask(0, 2)
				continue
			}
			ask(test.want, 1)
			if _, err := c.ExchangeProfile(t.Context(), profile("another")); err != nil {
				t.Errorf("%s: another user's request: %v", name, err)
			}
			clock.Advance(test.want - time.Nanosecond)
			ask(time.Nanosecond, 2)
			clock.Advance(time.Nanosecond)
			ask(test.want, 3)
			clock.Advance(-2 * time.Hour) // a clock that is set back holds nobody
			ask(test.want, 4)
			clock.Advance(-time.Second) // however little
			ask(test.want, 5)
		}
	}
}

// TestRetryAfterDate: the header may have a date as well.
func TestRetryAfterDate(t *testing.T) {
	clock := verifiertest.NewClock(time.Unix(1_750_000_000, 0))
	for after, want := range map[time.Duration]time.Duration{time.Minute: time.Minute, -time.Minute: time.Second, 1000 * time.Hour: 24 * time.Hour} {
		date := clock.Now().Add(after).UTC().Format(http.TimeFormat)
		e := &endpoint{answer: func(url.Values, http.Header) (int, http.Header, string) {
			return 429, http.Header{"Retry-After": {date}}, ""
		}}
		_, err := e.client(t, func(cfg *exchange.Config) { cfg.Clock = clock }).ExchangeProfile(t.Context(), profile("subject"))
		var got *exchange.Error
		if !errors.As(err, &got) || got.RetryAfter != want {
			t.Errorf("a date in %v: %v; want RetryAfter %v", after, err, want)
		}
	}
}

// TestHoldsAreBounded: many users that are told to wait fill no memory.
func TestHoldsAreBounded(t *testing.T) {
	clock := verifiertest.NewClock(time.Time{})
	e := &endpoint{answer: func(url.Values, http.Header) (int, http.Header, string) {
		return 429, http.Header{"Retry-After": {"60"}}, ""
	}}
	c := e.client(t, func(cfg *exchange.Config) { cfg.Clock = clock })
	const users = 10_050
	ask := func(i int) {
		if _, err := c.ExchangeProfile(t.Context(), profile(fmt.Sprintf("user-%d", i))); !errors.Is(err, exchange.ErrRateLimited) {
			t.Fatal(err)
		}
	}
	for i := range users {
		ask(i)
	}
	for i := range users {
		ask(i)
	}
	if again := e.count() - users; again == 0 || again > users/2 {
		t.Errorf("%d of %d users were forgotten; want a few", again, users)
	}
	clock.Advance(time.Hour) // all are over; the next ones find room
	ask(users)
	before := e.count()
	ask(users)
	if e.count() != before {
		t.Error("a new user was not held")
	}
}
