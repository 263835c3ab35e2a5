package verifier_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// world is all that can change between two verifications of one token. Two
// Verifiers look at it in turn, one of which remembers tokens.
type world struct {
	t       *testing.T
	random  *rand.Rand
	clock   *verifiertest.Clock
	issuers []*worldIssuer
	allowed []string // what the resolver answers
	down    bool     // the resolver fails
	tokens  []string
	serial  int
}

// worldIssuer is an issuer that lives in memory.
type worldIssuer struct {
	url    string
	stated string // as its documents state its name
	keys   []worldKey
	alg    string // of the keys in the set; "" states none
	broken int    // 0: answers; 1: fails; 2: answers garbage; 3: has no usable key
}

type worldKey struct {
	id  string
	key ed25519.PrivateKey
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{t: t, random: rand.New(rand.NewPCG(seed, 0)), clock: verifiertest.NewClock(time.Time{})}
	for i := range 5 {
		name := fmt.Sprintf("https://issuer-%d.example/", i)
		issuer := &worldIssuer{url: name, stated: name}
		w.issuers = append(w.issuers, issuer)
		w.allowed = append(w.allowed, name)
		w.addKey(issuer)
		for range 3 {
			w.issue(issuer)
		}
	}
	return w
}

func (w *world) addKey(i *worldIssuer) {
	w.serial++
	var seed [ed25519.SeedSize]byte
	binary.LittleEndian.PutUint64(seed[:], w.random.Uint64())
	i.keys = append(i.keys, worldKey{fmt.Sprintf("key-%d", w.serial), ed25519.NewKeyFromSeed(seed[:])})
}

// issue signs a token that may be good, or will be, or was.
func (w *world) issue(i *worldIssuer) {
	w.serial++
	now := w.clock.Now().Unix()
	claims := map[string]any{
		"iss": i.stated, "aud": audience, "iat": now, "exp": now + int64(w.random.IntN(20_000)),
		"jti": fmt.Sprint(w.serial), "sub": "user",
	}
	switch w.random.IntN(8) {
	case 0:
		claims["nbf"] = now + int64(w.random.IntN(500))
	case 1:
		claims["org_id"] = "org"
	case 2:
		claims["aud"] = []string{"https://other.example", audience}
	case 3:
		claims["cnf"] = map[string]any{"jkt": strings.Repeat("A", 43)}
	case 4:
		claims["cnf"] = map[string]any{"unknown": 1}
	case 5:
		claims["iss"] = i.url
	}
	key := i.keys[w.random.IntN(len(i.keys))]
	options := (&jose.SignerOptions{}).WithType("at+jwt")
	if w.random.IntN(6) > 0 {
		options.WithHeader("kid", key.id)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.EdDSA, Key: key.key}, options)
	if err != nil {
		w.t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		w.t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		w.t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		w.t.Fatal(err)
	}
	if w.random.IntN(20) == 0 {
		compact = compact[:len(compact)-8] + "AAAAAAAA"
	}
	w.tokens = append(w.tokens, compact)
}

// step lets something happen. Time moves in steps that are longer than every
// pause with chance in it, so that both Verifiers are past it or neither is.
func (w *world) step() {
	issuer := w.issuers[w.random.IntN(len(w.issuers))]
	const beat = 31 * time.Second
	switch w.random.IntN(120) {
	case 0, 1:
		w.addKey(issuer)
		if len(issuer.keys) > 3 {
			issuer.keys = issuer.keys[1:]
		}
	case 2:
		issuer.keys = nil
		w.addKey(issuer)
	case 3: // a key changes its name and stays the same
		issuer.keys[0].id += "x"
	case 4:
		w.random.Shuffle(len(issuer.keys), func(a, b int) { issuer.keys[a], issuer.keys[b] = issuer.keys[b], issuer.keys[a] })
	case 5:
		issuer.alg = [...]string{"", "EdDSA", "ES256"}[w.random.IntN(3)]
	case 6:
		issuer.broken = w.random.IntN(4)
	case 7, 8:
		issuer.broken = 0
	case 24:
		issuer.stated = [...]string{issuer.url, strings.TrimSuffix(issuer.url, "/")}[w.random.IntN(2)]
	case 9, 10:
		w.clock.Advance(beat * time.Duration(1+w.random.IntN(40)))
	case 11, 12, 13:
		w.clock.Advance(beat)
	case 14:
		w.clock.Advance(-beat * time.Duration(1+w.random.IntN(10)))
	case 15:
		i := w.random.IntN(len(w.allowed))
		w.allowed[i] = [...]string{w.issuers[i].url, "other.example"}[w.random.IntN(2)]
	case 16:
		w.down = w.random.IntN(8) == 0
	case 17:
		w.allowed[0] = [...]string{w.issuers[0].url, "not a domain"}[w.random.IntN(8)/7]
	case 18, 19, 20, 21, 22, 23:
		w.issue(issuer)
	}
}

// side is one of the Verifiers, with what it asked the world.
type side struct {
	*verifier.Verifier
	mu    sync.Mutex
	asked []string
}

func (s *side) ask(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.asked = append(s.asked, what)
}

// verify returns the token, the outcome, and what was asked until nothing went
// on in the background any more.
func (s *side) verify(t *testing.T, token string, options []verifier.VerifyOption) (got *verifier.Token, what string, asked []string) {
	got, err := s.VerifyAccessToken(t.Context(), token, options...)
	time.Sleep(10 * answerTime)
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	asked, s.asked = s.asked, nil
	slices.Sort(asked)
	return got, outcome(got, err), asked
}

func (w *world) newSide(source string, change func(*verifier.Config)) *side {
	w.t.Helper()
	s := &side{}
	cfg := verifier.Config{
		Audience: audience, Algorithms: []string{"EdDSA"}, Clock: w.clock,
		Domains: verifier.DomainResolverFunc(func(_ context.Context, req verifier.ResolveRequest) ([]string, error) {
			s.ask("resolver " + req.UnverifiedIssuer)
			if w.down {
				return nil, errors.New("the resolver is down")
			}
			return slices.Clone(w.allowed), nil
		}),
		// Nothing in the background and nothing by chance. Few issuers are held,
		// so that they drive each other out all the time.
		Refresh: verifier.RefreshConfig{Jitter: -1, Ahead: -1, StaleIfError: 20 * time.Minute, MaxIssuers: 3},
	}
	switch source {
	case "discovery":
		cfg.Doer = verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
			s.ask(r.URL.String())
			return w.answer(r)
		})
	case "fetcher":
		useFetcher(&cfg, verifier.KeyFetcherFunc(func(_ context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
			s.ask("fetcher " + req.Issuer)
			issuer := w.find(req.Issuer)
			body, err := issuer.jwks()
			return verifier.KeySet{Issuer: issuer.stated, JWKS: body}, err
		}))
	}
	if change != nil {
		change(&cfg)
	}
	v, err := verifier.New(cfg)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = v.Close() })
	s.Verifier = v
	return s
}

func (w *world) find(name string) *worldIssuer {
	for _, issuer := range w.issuers {
		if issuer.url == name {
			return issuer
		}
	}
	w.t.Errorf("the Verifier asked for %q", name)
	return w.issuers[0]
}

// answerTime is what an issuer takes to answer, in the time of the bubble. Where a
// source is known to fail, a request does not wait for the attempt that it begins;
// without this it would be chance whether it sees what that brings.
const answerTime = time.Millisecond

func (w *world) answer(r *http.Request) (*http.Response, error) {
	issuer := w.find((&url.URL{Scheme: r.URL.Scheme, Host: r.URL.Host, Path: "/"}).String())
	body, err := issuer.jwks()
	if strings.HasSuffix(r.URL.Path, "/openid-configuration") && err == nil {
		body, err = json.Marshal(map[string]any{"issuer": issuer.stated, "jwks_uri": issuer.url + "keys"})
	}
	if err != nil {
		return nil, err
	}
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
}

func (i *worldIssuer) jwks() ([]byte, error) {
	time.Sleep(answerTime)
	switch i.broken {
	case 1:
		return nil, errors.New("the issuer is down")
	case 2:
		return []byte("<html>"), nil
	case 3:
		return []byte(`{"keys":[]}`), nil
	}
	var set jose.JSONWebKeySet
	for _, k := range i.keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: k.key.Public(), KeyID: k.id, Algorithm: i.alg, Use: "sig"})
	}
	return json.Marshal(set)
}

// outcome is all that a caller can see.
func outcome(token *verifier.Token, err error) string {
	var e *verifier.Error
	switch {
	case errors.As(err, &e):
		return fmt.Sprintf("%s %d %q %s", e.Reason, e.Status, e.Claim, e.Code)
	case err != nil:
		return err.Error()
	default:
		return fmt.Sprint("accepted ", token.Issuer, token.Subject, token.ID, token.Audience, token.ExpiresAt, token.IssuedAt, token.NotBefore,
			token.Confirmation, token.Algorithm, token.KeyID, token.Scheme, token.Proof, token.Claims())
	}
}

// TestMemoIsExact compares a Verifier that remembers tokens with one that does
// not, over random histories: each step has the same outcome, asks the resolver
// and the issuers for the same, and hands out a token that nobody else has.
func TestMemoIsExact(t *testing.T) {
	const steps = 20_000
	for _, c := range []struct {
		name, source string
		memo         int
		change       func(*verifier.Config)
	}{
		{"discovery", "discovery", 1000, nil},
		{"fetcher", "fetcher", 1000, nil},
		{"small memo", "discovery", 3, nil},
		{"required claims and leeway", "discovery", 100, func(cfg *verifier.Config) {
			cfg.RequiredClaims, cfg.Leeway = []string{"sub"}, time.Minute
		}},
		{"no stale keys, no unknown kids, fixed issuers", "discovery", 100, func(cfg *verifier.Config) {
			cfg.Refresh.StaleIfError, cfg.Refresh.UnknownKeyAttempts, cfg.Domains = -1, -1, staticDomains{"issuer-0.example", "issuer-1.example", "issuer-2.example", "issuer-3.example"}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { compareMemo(t, c.source, c.memo, steps, c.change) })
		})
	}
}

func compareMemo(t *testing.T, source string, entries, steps int, change func(*verifier.Config)) {
	seed := rand.Uint64()
	defer func() {
		if t.Failed() {
			t.Logf("seed %d", seed)
		}
	}()
	w := newWorld(t, seed)
	plain := w.newSide(source, change)
	memo := w.newSide(source, func(cfg *verifier.Config) {
		cfg.TokenMemo = entries
		if change != nil {
			change(cfg)
		}
	})
	seen := make(map[string]int)
	for step := range steps {
		w.step()
		token := w.tokens[max(0, len(w.tokens)-1-w.random.IntN(15))]
		var options []verifier.VerifyOption
		switch w.random.IntN(30) {
		case 0:
			options = append(options, verifier.WithRequiredClaims("org_id"))
		case 1:
			options = append(options, verifier.WithRequest("/relative", nil)) // no URL that a resolver can be given
		}
		_, want, asked := plain.verify(t, token, options)
		got, is, askedToo := memo.verify(t, token, options)
		if is != want {
			t.Fatalf("step %d: the memo says\n%s\nplain verification\n%s", step, is, want)
		}
		if !slices.Equal(asked, askedToo) {
			t.Fatalf("step %d: the memo asked %q; plain verification %q", step, askedToo, asked)
		}
		seen[strings.Fields(want)[0]]++
		if got != nil {
			spoil(got)
		}
	}
	if seen["accepted"] < steps/25 || len(seen) < 8 {
		t.Log(seen)
		t.Errorf("the comparison says little: %v", seen)
	}
}

// spoil overwrites all of a token that a caller can reach.
func spoil(token *verifier.Token) {
	for i := range token.Audience[:cap(token.Audience)] {
		token.Audience[:cap(token.Audience)][i] = "spoilt"
	}
	value := reflect.ValueOf(token).Elem()
	for i := range value.NumField() {
		if f := value.Field(i); f.CanSet() {
			f.SetZero()
		}
	}
}

// TestMemoIsForConcurrentUse: tokens that drive each other out of a memo too
// small for them, verified by many at once, each of whom spoils what it gets.
func TestMemoIsForConcurrentUse(t *testing.T) {
	h := newHarness(t, func(cfg *verifier.Config) { cfg.TokenMemo = 3 })
	var tokens []string
	for i := range 8 {
		tokens = append(tokens, h.issuer.Sign(audience, map[string]any{"sub": fmt.Sprint(i), "exp": h.clock.Now().Unix() + 1e6}))
	}
	var wg sync.WaitGroup
	for worker := range 4 {
		wg.Go(func() {
			for i := range 200 {
				n := (i*(worker+1) + worker) % len(tokens)
				got, err := h.VerifyAccessToken(t.Context(), tokens[n])
				if err != nil {
					t.Errorf("token %d: %v", n, err)
					return
				}
				if got.Subject != fmt.Sprint(n) || !slices.Equal(got.Audience, []string{audience}) {
					t.Errorf("token %d: subject %q, audience %q", n, got.Subject, got.Audience)
					return
				}
				spoil(got)
			}
		})
	}
	wg.Wait()
}
