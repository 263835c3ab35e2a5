package revocation_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/revocation"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

const api = "https://api.example.com/"

var start = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

func newList(t *testing.T, store verifier.RevocationStore, clock verifier.Clock) *revocation.List {
	t.Helper()
	l, err := revocation.NewList(revocation.ListConfig{Store: store, MaxTokenLife: time.Hour, Clock: clock})
	if err != nil {
		t.Fatal(err)
	}
	return l
}

const issuerName = "https://id.example.com/"

// request is about a token of the start's time; change may alter it.
func request(change func(*verifier.RevocationRequest)) verifier.RevocationRequest {
	r := verifier.RevocationRequest{
		Issuer: issuerName, ID: "token-1", Subject: "user-1", SessionID: "session-1", IssuedAt: start, ExpiresAt: start.Add(time.Hour),
	}
	if change != nil {
		change(&r)
	}
	return r
}

func TestList(t *testing.T) {
	token := func(l *revocation.List) error { return l.RevokeToken(context.Background(), issuerName, "token-1") }
	session := func(l *revocation.List) error { return l.RevokeSession(context.Background(), issuerName, "session-1") }
	subject := func(at time.Time) func(*revocation.List) error {
		return func(l *revocation.List) error { return l.RevokeSubject(context.Background(), issuerName, "user-1", at) }
	}
	set := func(f func(*verifier.RevocationRequest)) verifier.RevocationRequest { return request(f) }
	for _, test := range []struct {
		name   string
		revoke func(*revocation.List) error
		ask    verifier.RevocationRequest
		want   bool
	}{
		{"nothing", func(*revocation.List) error { return nil }, request(nil), false},
		{"token", token, request(nil), true},
		{"another token", token, set(func(r *verifier.RevocationRequest) { r.ID = "token-2" }), false},
		{"token of another issuer", token, set(func(r *verifier.RevocationRequest) { r.Issuer = "https://other.example.com/" }), false},
		{"token whose subject has the name", token, set(func(r *verifier.RevocationRequest) { r.ID, r.Subject, r.SessionID = "", "token-1", "token-1" }), false},
		{"issuer in another spelling", func(l *revocation.List) error {
			return l.RevokeToken(context.Background(), "ID.example.com", "token-1")
		}, request(nil), true},
		{"session", session, request(nil), true},
		{"another session", session, set(func(r *verifier.RevocationRequest) { r.SessionID = "session-2" }), false},
		{"no session", session, set(func(r *verifier.RevocationRequest) { r.SessionID = "" }), false},
		{"subject, issued before", subject(start.Add(time.Second)), request(nil), true},
		{"subject, issued in that second", subject(start), request(nil), true},
		{"subject, issued after", subject(start.Add(-time.Second)), request(nil), false},
		{"subject, issued after by less than a second", subject(start.Add(500 * time.Millisecond)), request(nil), true},
		{"subject, without iat", subject(start.Add(-time.Second)), set(func(r *verifier.RevocationRequest) { r.IssuedAt = time.Time{} }), true},
		{"another subject", subject(start), set(func(r *verifier.RevocationRequest) { r.Subject = "user-2" }), false},
		{"token without any name", token, set(func(r *verifier.RevocationRequest) { r.ID, r.Subject, r.SessionID = "", "", "" }), false},
	} {
		t.Run(test.name, func(t *testing.T) {
			clock := verifiertest.NewClock(start)
			l := newList(t, verifiertest.NewRevocationStore(clock), clock)
			if err := test.revoke(l); err != nil {
				t.Fatal(err)
			}
			if got, err := l.Revoked(t.Context(), test.ask); err != nil || got != test.want {
				t.Errorf("Revoked = %v, %v; want %v", got, err, test.want)
			}
		})
	}
}

// A denial lives until the last token that it is about has ended, leeway included,
// and not much longer.
func TestDenialsOutliveTheirTokens(t *testing.T) {
	clock := verifiertest.NewClock(start)
	l := newList(t, verifiertest.NewRevocationStore(clock), clock)
	if err := l.RevokeToken(t.Context(), issuerName, "token-1"); err != nil {
		t.Fatal(err)
	}
	if err := l.RevokeSubject(t.Context(), issuerName, "user-2", start.Add(30*time.Minute)); err != nil {
		t.Fatal(err)
	}
	late := request(func(r *verifier.RevocationRequest) {
		r.ID, r.Subject = "", "user-2"
		r.IssuedAt, r.ExpiresAt = start.Add(30*time.Minute), start.Add(90*time.Minute)
	})
	for _, step := range []struct {
		at            time.Duration
		first, second bool
	}{
		{time.Hour + 6*time.Minute, true, true}, {time.Hour + 7*time.Minute, false, true}, {time.Hour + 36*time.Minute, false, true}, {time.Hour + 37*time.Minute, false, false},
	} {
		clock.Set(start.Add(step.at))
		first, err := l.Revoked(t.Context(), request(nil))
		if err != nil || first != step.first {
			t.Errorf("after %v the token is revoked: %v, %v; want %v", step.at, first, err, step.first)
		}
		second, err := l.Revoked(t.Context(), late)
		if err != nil || second != step.second {
			t.Errorf("after %v the subject's token is revoked: %v, %v; want %v", step.at, second, err, step.second)
		}
	}
}

func TestTokenThatLivesTooLongIsNotDecided(t *testing.T) {
	clock := verifiertest.NewClock(start)
	l := newList(t, verifiertest.NewRevocationStore(clock), clock)
	for name, ask := range map[string]verifier.RevocationRequest{
		"by iat": request(func(r *verifier.RevocationRequest) { r.ExpiresAt = start.Add(time.Hour + time.Second) }),
		"by an iat that is to come": request(func(r *verifier.RevocationRequest) {
			r.IssuedAt, r.ExpiresAt = start.Add(1000*time.Hour), start.Add(1000*time.Hour+time.Minute)
		}),
		"without iat": request(func(r *verifier.RevocationRequest) { r.IssuedAt, r.ExpiresAt = time.Time{}, start.Add(2*time.Hour) }),
	} {
		if _, err := l.Revoked(t.Context(), ask); !errors.Is(err, revocation.ErrTokenLife) {
			t.Errorf("%s: Revoked = %v; want ErrTokenLife", name, err)
		}
	}
}

// TestTokensOfTheFuture: an iat that is to come does not save a token from the
// revocation of its subject. One within the difference of two clocks counts.
func TestTokensOfTheFuture(t *testing.T) {
	for after, want := range map[time.Duration]bool{0: true, time.Second: false, time.Minute: false, time.Minute + time.Second: true, 24 * time.Hour: true} {
		clock := verifiertest.NewClock(start)
		l := newList(t, verifiertest.NewRevocationStore(clock), clock)
		if err := l.RevokeSubject(t.Context(), issuerName, "user-1", start); err != nil {
			t.Fatal(err)
		}
		ask := request(func(r *verifier.RevocationRequest) { r.IssuedAt, r.ExpiresAt = start.Add(after), start.Add(time.Hour) })
		if got, err := l.Revoked(t.Context(), ask); got != want || err != nil {
			t.Errorf("issued %v after the revocation: %v, %v; want %v", after, got, err, want)
		}
	}
}

func TestListFailsClosed(t *testing.T) {
	down := errors.New("down")
	store := verifiertest.NewRevocationStore(nil)
	store.FailNext(-1, down)
	l := newList(t, store, verifiertest.NewClock(start))
	if _, err := l.Revoked(t.Context(), request(nil)); !errors.Is(err, down) {
		t.Errorf("Revoked = %v; want the store's error", err)
	}
	if err := l.RevokeToken(t.Context(), issuerName, "x"); !errors.Is(err, down) {
		t.Errorf("RevokeToken = %v; want the store's error", err)
	}
	short := newList(t, shortStore{}, verifiertest.NewClock(start))
	if _, err := short.Revoked(t.Context(), request(nil)); err == nil {
		t.Error("Revoked = nil error from a store that answers for no key")
	}
}

type shortStore struct{ verifier.RevocationStore }

func (shortStore) Revoked(context.Context, []string) ([]time.Time, error) { return nil, nil }

func TestListArguments(t *testing.T) {
	clock := verifiertest.NewClock(start)
	l := newList(t, verifiertest.NewRevocationStore(clock), clock)
	for name, err := range map[string]error{
		"no issuer":  l.RevokeToken(t.Context(), "", "x"),
		"no jti":     l.RevokeToken(t.Context(), issuerName, ""),
		"no sid":     l.RevokeSession(t.Context(), issuerName, ""),
		"no sub":     l.RevokeSubject(t.Context(), issuerName, "", start),
		"no time":    l.RevokeSubject(t.Context(), issuerName, "x", time.Time{}),
		"far future": l.RevokeSubject(t.Context(), issuerName, "x", start.Add(2*time.Hour)),
	} {
		if !errors.Is(err, revocation.ErrArgument) {
			t.Errorf("%s: %v; want ErrArgument", name, err)
		}
	}
	for _, cfg := range []revocation.ListConfig{
		{MaxTokenLife: time.Hour}, {Store: verifiertest.NewRevocationStore(nil)}, {Store: verifiertest.NewRevocationStore(nil), MaxTokenLife: 1000 * time.Hour * 24},
	} {
		if _, err := revocation.NewList(cfg); !errors.Is(err, revocation.ErrConfig) {
			t.Errorf("NewList = %v; want ErrConfig", err)
		}
	}
}

func TestKeysTellNothing(t *testing.T) {
	store := verifiertest.NewRevocationStore(nil)
	l := newList(t, store, nil)
	_ = l.RevokeSubject(t.Context(), issuerName, "SECRET-subject", time.Now())
	if text := fmt.Sprint(store.Keys()); strings.Contains(text, "SECRET") || strings.Contains(text, "example") || len(store.Keys()) != 1 {
		t.Errorf("the store holds %s", text)
	}
}

// What one process revokes every other one refuses at its next request, whether it
// remembers the token or not; with the list down nothing is accepted.
func TestFleet(t *testing.T) {
	clock := verifiertest.NewClock(start)
	issuer := verifiertest.NewIssuer(t, verifiertest.WithURL(issuerName), verifiertest.WithClock(clock), verifiertest.WithAlgorithm("ES256"))
	store := verifiertest.NewRevocationStore(clock)
	fleet := make([]*verifier.Verifier, 3)
	lists := make([]*revocation.List, len(fleet))
	for i := range fleet {
		lists[i] = newList(t, store, clock)
		cfg := issuer.Config(api)
		cfg.TokenMemo = 100
		cfg.Revocation.Checker = lists[i]
		v, err := verifier.New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		defer v.Close()
		fleet[i] = v
	}
	token := issuer.Sign(api, map[string]any{"jti": "stolen"})
	all := func(want error) {
		t.Helper()
		for i, v := range fleet {
			if _, err := v.VerifyAccessToken(t.Context(), token); !errors.Is(err, want) {
				t.Errorf("process %d: %v; want %v", i, err, want)
			}
		}
	}
	all(nil)
	all(nil) // remembered
	if err := lists[0].RevokeToken(t.Context(), issuer.Domain(), "stolen"); err != nil {
		t.Fatal(err)
	}
	all(verifier.ErrInvalidToken)
	store.FailNext(-1, errors.New("down"))
	all(verifier.ErrUnavailable)
}

func TestMemory(t *testing.T) {
	clock := verifiertest.NewClock(start)
	m, err := revocation.NewMemory(2, clock)
	if err != nil {
		t.Fatal(err)
	}
	revoke := func(key string, ttl time.Duration) error { return m.Revoke(t.Context(), key, start, ttl) }
	if err := errors.Join(revoke("a", time.Minute), revoke("b", time.Hour), revoke("a", time.Minute)); err != nil {
		t.Fatal(err)
	}
	if err := revoke("c", time.Hour); !errors.Is(err, revocation.ErrFull) {
		t.Errorf("Revoke = %v; want ErrFull", err)
	}
	if got, err := m.Revoked(t.Context(), []string{"a", "b", "c"}); err != nil || got[0].IsZero() || got[1].IsZero() || !got[2].IsZero() {
		t.Errorf("Revoked = %v, %v; nothing must have been dropped to make room", got, err)
	}
	clock.Advance(time.Minute + time.Second)
	if err := revoke("c", time.Hour); err != nil {
		t.Errorf("Revoke = %v after one has ended", err)
	}
	for _, max := range []int{-1, 1 << 30} {
		if _, err := revocation.NewMemory(max, nil); !errors.Is(err, revocation.ErrConfig) {
			t.Errorf("NewMemory(%d) = %v; want ErrConfig", max, err)
		}
	}
}

func TestOverCacheNeedsTheCallersWord(t *testing.T) {
	cache := verifiertest.NewCache(nil, 0)
	for _, cfg := range []revocation.CacheConfig{{}, {Cache: cache}, {NeverEvicts: true}} {
		if _, err := revocation.OverCache(cfg); !errors.Is(err, revocation.ErrConfig) {
			t.Errorf("OverCache = %v; want ErrConfig", err)
		}
	}
	store, err := revocation.OverCache(revocation.CacheConfig{Cache: cache, NeverEvicts: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Revoke(t.Context(), "a", start, time.Hour); err != nil {
		t.Fatal(err)
	}
	cache.Corrupt(func(string, []byte) []byte { return []byte("x") })
	if _, err := store.Revoked(t.Context(), []string{"a"}); err == nil {
		t.Error("Revoked = nil error; what cannot be read must not count as not revoked")
	}
}

type checker func() (bool, error)

func (c checker) Revoked(context.Context, verifier.RevocationRequest) (bool, error) { return c() }

func TestAny(t *testing.T) {
	down := errors.New("down")
	yes, no, fails := checker(func() (bool, error) { return true, nil }), checker(func() (bool, error) { return false, nil }), checker(func() (bool, error) { return false, down })
	for _, test := range []struct {
		name string
		all  []verifier.RevocationChecker
		want bool
		err  error
	}{
		{"none", nil, false, nil},
		{"no, no", []verifier.RevocationChecker{no, no}, false, nil},
		{"no, yes", []verifier.RevocationChecker{no, yes}, true, nil},
		{"fails, yes", []verifier.RevocationChecker{fails, yes}, true, nil},
		{"fails, no", []verifier.RevocationChecker{fails, no}, false, down},
		{"no, fails", []verifier.RevocationChecker{no, fails}, false, down},
	} {
		if got, err := revocation.Any(test.all...).Revoked(t.Context(), request(nil)); got != test.want || !errors.Is(err, test.err) {
			t.Errorf("%s: Revoked = %v, %v; want %v, %v", test.name, got, err, test.want, test.err)
		}
	}
}
