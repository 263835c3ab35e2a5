package verifier_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// countedEdDSA checks signatures of EdDSA, and counts how many.
type countedEdDSA struct{ checks atomic.Int64 }

func (*countedEdDSA) Spec() verifier.AlgorithmSpec {
	return verifier.AlgorithmSpec{Name: "EdDSA", KeyType: "OKP", Curve: "Ed25519", Members: []verifier.KeyMember{{Name: "x", MinSize: 32, MaxSize: 32}}}
}

func (c *countedEdDSA) PrepareKey(members map[string][]byte) (verifier.SignatureKey, error) {
	return &countedKey{c, members["x"]}, nil
}

type countedKey struct {
	of     *countedEdDSA
	public ed25519.PublicKey
}

func (k *countedKey) Verify(input string, signature []byte) bool {
	k.of.checks.Add(1)
	return ed25519.Verify(k.public, []byte(input), signature)
}

// memory is a Verifier that remembers tokens, and all that it depends on.
type memory struct {
	*fuzzWorld
	counted countedEdDSA
	now     time.Time
	stated  string // the issuer, by the source of the keys
	keys    string // instead of the world's
	err     error  // of that source
	fetched int    // how often it was asked
}

func newMemory(t *testing.T, entries int, change func(*verifier.Config)) *memory {
	t.Helper()
	m := &memory{now: time.Unix(fuzzNow, 0), stated: fuzzIssuer}
	m.fuzzWorld = newFuzzWorld(t, func(cfg *verifier.Config) {
		cfg.TokenMemo, cfg.SignatureAlgorithms = entries, []verifier.SignatureAlgorithm{&m.counted}
		cfg.Clock = verifier.ClockFunc(func() time.Time { return m.now })
		cfg.CacheTTL, cfg.Refresh = time.Minute, verifier.RefreshConfig{Jitter: -1, Ahead: -1, StaleIfError: -1}
		useFetcher(cfg, verifier.KeyFetcherFunc(func(context.Context, verifier.KeyRequest) (verifier.KeySet, error) {
			m.fetched++
			keys := m.keys
			if keys == "" {
				keys = string(m.jwks())
			}
			return verifier.KeySet{Issuer: m.stated, JWKS: []byte(keys)}, m.err
		}))
		if change != nil {
			change(cfg)
		}
	})
	return m
}

// of is a token of this subject.
func (m *memory) of(t *testing.T, subject any) string {
	return m.token(fuzzHeader, change(t, fuzzClaims, `"sub":"s"`, fmt.Sprintf(`"sub":"%v"`, subject)))
}

// checked verifies a token and returns how many signatures that took.
func (m *memory) checked(t *testing.T, token string, want verifier.Reason, opts ...verifier.VerifyOption) int64 {
	t.Helper()
	before := m.counted.checks.Load()
	if got, err := m.v.VerifyAccessToken(t.Context(), token, opts...); reasonOf(t, err) != want || (got != nil) != (want == "") {
		t.Errorf("VerifyAccessToken = %v, %v; want %q", got, err, want)
	}
	return m.counted.checks.Load() - before
}

// TestMemoSavesSignatures: so many tokens as it has room for are remembered, and a
// new one is, whatever has to go for it.
func TestMemoSavesSignatures(t *testing.T) {
	for _, size := range []int{1, 3, 8, 9, 64} {
		m := newMemory(t, size, nil)
		tokens := min(size, 8) // more may meet in one place
		if size > 8 {
			tokens = 2
		}
		for subject := range tokens {
			if got := m.checked(t, m.of(t, subject), ""); got != 1 {
				t.Errorf("size %d, token %d: %d signatures; want 1", size, subject, got)
			}
		}
		for subject := range tokens {
			if got := m.checked(t, m.of(t, subject), ""); got != 0 {
				t.Errorf("size %d, token %d again: %d signatures; want 0", size, subject, got)
			}
		}
		for subject := range 50 {
			token := m.of(t, fmt.Sprint("new ", subject))
			if first, again := m.checked(t, token, ""), m.checked(t, token, ""); first != 1 || again != 0 {
				t.Errorf("size %d, new token %d: %d and %d signatures; want 1 and 0", size, subject, first, again)
			}
		}
	}
}

// TestMemoTakesTurns: of new tokens none drives the one before it out.
func TestMemoTakesTurns(t *testing.T) {
	m := newMemory(t, 8, nil)
	for subject := range 40 {
		m.checked(t, m.of(t, subject), "")
	}
	for subject := range 7 {
		if got := m.checked(t, m.of(t, 39-subject), ""); got != 0 {
			t.Errorf("the token %d before the last: %d signatures; want 0", subject, got)
		}
	}
}

// TestMemoLooksAgain: what can change between two uses of a token is looked at
// again, and the signature is not, where its key is the same.
func TestMemoLooksAgain(t *testing.T) {
	const later = 2 * time.Minute // the key set is fetched again
	for name, test := range map[string]struct {
		change func(m *memory)
		opts   []verifier.VerifyOption
		want   verifier.Reason
		checks int64
	}{
		"nothing":                {func(*memory) {}, nil, "", 0},
		"its end":                {func(m *memory) { m.now = time.Unix(1767229200, 0) }, nil, reason.Expired, 0},
		"before its start":       {func(m *memory) { m.now = time.Unix(1767225540, 0) }, nil, reason.NotYetValid, 0},
		"an audience of the use": {func(*memory) {}, []verifier.VerifyOption{verifier.WithAudience("x")}, "", 0},
		"another audience":       {func(*memory) {}, []verifier.VerifyOption{verifier.WithAudience("y")}, reason.Audience, 0},
		"a claim that it has":    {func(*memory) {}, []verifier.VerifyOption{verifier.WithRequiredClaims("scope")}, "", 0},
		"a claim that it lacks":  {func(*memory) {}, []verifier.VerifyOption{verifier.WithRequiredClaims("scope", "role")}, reason.ClaimMissing, 0},
		"the same keys, fetched": {func(m *memory) { m.now = m.now.Add(later) }, nil, "", 0},
		"no keys to be had":      {func(m *memory) { m.now, m.err = m.now.Add(later), errors.New("down") }, nil, reason.Keys, 0},
		"another key": {func(m *memory) {
			m.now, m.keys = m.now.Add(later), `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"1","use":"sig","x":"`+b64(fixedPublicKey(9))+`"}]}`
		}, nil, reason.Signature, 1},
		"a key more": {func(m *memory) {
			m.now, m.keys = m.now.Add(later), change(t, string(m.jwks()), `]`, `,{"kty":"OKP","crv":"Ed25519","kid":"2","x":"`+b64(fixedPublicKey(9))+`"}]`)
		}, nil, "", 1},
		"an issuer of another spelling": {func(m *memory) {
			m.now, m.stated = m.now.Add(later), "https://tenant.example.com"
		}, nil, reason.IssuerMismatch, 1},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMemory(t, 8, nil)
			token := m.of(t, "s")
			if got := m.checked(t, token, ""); got != 1 {
				t.Errorf("first: %d signatures; want 1", got)
			}
			test.change(m)
			if got := m.checked(t, token, test.want, test.opts...); got != test.checks {
				t.Errorf("%d signatures; want %d", got, test.checks)
			}
		})
	}
}

// TestMemoForgetsTheDead: a token that has ended makes room, and one whose key has
// gone does, too.
func TestMemoForgetsTheDead(t *testing.T) {
	for name, test := range map[string]struct {
		end  func(m *memory)
		want verifier.Reason
	}{
		"ended": {func(m *memory) { m.now = time.Unix(1767229200, 0) }, reason.Expired},
		"its key has gone": {func(m *memory) {
			m.now, m.keys = m.now.Add(2*time.Minute), `{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"2","x":"`+b64(fixedPublicKey(9))+`"}]}`
		}, reason.KeyUnknown},
	} {
		m := newMemory(t, 8, func(cfg *verifier.Config) { cfg.Refresh.UnknownKeyAttempts = -1 })
		for subject := range 8 {
			m.checked(t, m.of(t, subject), "")
		}
		began := m.now
		test.end(m)
		m.checked(t, m.of(t, 5), test.want)
		m.now, m.keys = began.Add(3*time.Minute+time.Second), ""
		if test.want == reason.Expired {
			m.now = began
		}
		// The others are where they were: the first new one took the free place.
		m.checked(t, m.of(t, "new"), "")
		for _, subject := range []any{0, 1, 2, 3, 4, 6, 7, "new"} {
			if got := m.checked(t, m.of(t, subject), ""); test.want == reason.Expired && got != 0 {
				t.Errorf("%s: token %v took %d signatures; want 0", name, subject, got)
			}
		}
	}
}

// TestMemoFollowsTheRules: an issuer whose rules have changed judges anew.
func TestMemoFollowsTheRules(t *testing.T) {
	issuer := verifier.Issuer{Name: "tenant.example.com"}
	m := newMemory(t, 8, nil)
	var counted countedEdDSA
	asked := 0
	v, err := verifier.New(verifier.Config{
		Audience: fuzzAudience, Algorithms: []string{"EdDSA"}, TokenMemo: 8, SignatureAlgorithms: []verifier.SignatureAlgorithm{&counted},
		Clock: verifier.ClockFunc(func() time.Time { return time.Unix(fuzzNow, 0) }),
		Domains: onlyIssuers(func(context.Context, verifier.ResolveRequest) (*verifier.Issuer, error) {
			asked++
			if issuer.Audiences[0] == "closed" {
				return nil, verifier.ErrNotAllowed
			}
			i := issuer
			i.Keys = verifier.KeysStatic(m.jwks())
			return &i, nil
		}),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	token := m.of(t, "s")
	for i, test := range []struct {
		audience string
		want     verifier.Reason
		checks   int64
	}{{fuzzAudience, "", 1}, {fuzzAudience, "", 0}, {"y", reason.Audience, 0}, {"x", "", 1}, {"x", "", 0}, {"y", reason.Audience, 0}, {"closed", reason.IssuerNotAllowed, 0}} {
		issuer.Audiences = []string{test.audience}
		before := counted.checks.Load()
		asked = 0
		_, err := v.VerifyAccessToken(t.Context(), token)
		if got := counted.checks.Load() - before; reasonOf(t, err) != test.want || got != test.checks || asked != 1 {
			t.Errorf("step %d: %v after %d signatures and %d questions to the resolver; want %q after %d and 1", i, err, got, asked, test.want, test.checks)
		}
	}
}

// TestMemoAsksAboutJWTs: where JWTs are asked about, remembered ones are, too.
func TestMemoAsksAboutJWTs(t *testing.T) {
	d := &desk{answer: &verifier.Introspection{Active: true}}
	m := newMemory(t, 8, func(cfg *verifier.Config) { cfg.Issuers[0].Opaque = verifier.OpaqueTokens{Introspector: d, JWTs: true} })
	token := m.of(t, "s")
	m.checked(t, token, "")
	m.checked(t, token, "")
	d.answer = &verifier.Introspection{}
	if got := m.checked(t, token, reason.TokenInactive); got != 0 || d.count() != 3 {
		t.Errorf("%d signatures, asked %d times; want 0 and 3", got, d.count())
	}
	if last := d.asked[2]; last.Token != token || last.Issuer != fuzzIssuer {
		t.Errorf("asked about %+v", last)
	}
}

// TestClosedVerifiersFetchNothing: they answer from what they hold while it is fresh.
func TestClosedVerifiersFetchNothing(t *testing.T) {
	m := newMemory(t, 0, nil)
	token := m.of(t, 1)
	m.checked(t, token, "")
	if err := m.v.Close(); err != nil {
		t.Error(err)
	}
	m.checked(t, token, "")
	m.now = m.now.Add(10 * time.Minute)
	m.checked(t, token, reason.Keys)
	if m.fetched != 1 {
		t.Errorf("the keys were fetched %d times; want once", m.fetched)
	}
}
