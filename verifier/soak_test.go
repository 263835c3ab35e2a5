package verifier_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/replay"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// The times and numbers of the defaults, which the oracle reckons with.
const (
	soakTTL      = 10 * time.Minute
	soakStale    = time.Hour
	soakPause    = 31 * time.Second // longer than the back-off and the window for unknown kids
	soakAttempts = 2                // to look for unknown kids, in a window
	soakIssuers  = 24
	soakOpaque   = "https://opaque.example.com/"
)

// soakKey is a key of an issuer. Its kid is its number, the same at every
// issuer.
type soakKey struct {
	kid  string
	jwk  map[string]any
	alg  string
	sign func(input []byte) []byte
}

// keySet is a set of kids.
type kidSet map[string]bool

// soakIssuer is an issuer with what the oracle knows of it.
type soakIssuer struct {
	name string

	mu        sync.Mutex
	published []*soakKey // newest last
	fault     string     // "" when healthy
	etags     bool
	control   string // Cache-Control

	// held is what every Verifier holds, downSince when the fault began: the
	// documents were fetched then.
	held      kidSet
	downSince time.Time
}

func (i *soakIssuer) kids() kidSet {
	set := make(kidSet)
	for _, key := range i.published {
		set[key.kid] = true
	}
	return set
}

var soakFaults = []string{"500", "network", "html", "empty", "truncated", "redirect", "other issuer", "keys only", "metadata only"}

// serve answers for the issuer.
func (i *soakIssuer) serve(req *http.Request) (*http.Response, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	metadata := strings.HasSuffix(req.URL.Path, "/openid-configuration")
	var body any = map[string]any{"issuer": i.name, "jwks_uri": i.name + "jwks"}
	if !metadata {
		keys := make([]any, 0, len(i.published))
		for _, key := range i.published {
			keys = append(keys, key.jwk)
		}
		body = map[string]any{"keys": keys}
	}
	fault := i.fault
	if fault == "keys only" && metadata || fault == "metadata only" && !metadata {
		fault = ""
	}
	data, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	header := http.Header{"Cache-Control": {i.control}}
	status := http.StatusOK
	switch fault {
	case "":
		if etag := `"` + strconv.Itoa(len(i.published)) + i.published[len(i.published)-1].kid + `"`; i.etags {
			header.Set("ETag", etag)
			if req.Header.Get("If-None-Match") == etag {
				status, data = http.StatusNotModified, nil
			}
		}
	case "network":
		return nil, errors.New("connection refused")
	case "html":
		data = []byte("<html>down for maintenance</html>")
	case "empty":
		data = []byte(`{"issuer":"` + i.name + `","keys":[]}`)
		if metadata {
			data = []byte(`{}`)
		}
	case "truncated":
		data = data[:len(data)/2]
	case "redirect":
		status = http.StatusFound
		header.Set("Location", "https://evil.example/")
	case "other issuer":
		data = []byte(`{"issuer":"https://evil.example/","jwks_uri":"https://evil.example/jwks"}`)
	default:
		status = http.StatusInternalServerError
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader(data)), ContentLength: -1, Request: req}, nil
}

// soakCache is a shared cache that can fail and lie.
type soakCache struct {
	*verifiertest.Cache
	failing, garbage atomic.Bool
}

func (c *soakCache) Get(ctx context.Context, key string) ([]byte, bool, error) {
	if c.failing.Load() {
		return nil, false, errors.New("cache is down")
	}
	value, ok, err := c.Cache.Get(ctx, key)
	if ok && c.garbage.Load() {
		value = value[:len(value)/2]
	}
	return value, ok, err
}

func (c *soakCache) Set(ctx context.Context, key string, value []byte, ttl time.Duration) error {
	if c.failing.Load() {
		return errors.New("cache is down")
	}
	return c.Cache.Set(ctx, key, value, ttl)
}

// soakReplays is a replay store that can fail.
type soakReplays struct {
	verifier.ReplayStore
	failing atomic.Bool
}

func (s *soakReplays) Add(ctx context.Context, key string, ttl time.Duration) (bool, error) {
	if s.failing.Load() {
		return false, errors.New("store is down")
	}
	return s.ReplayStore.Add(ctx, key, ttl)
}

// soakServer is what is asked about opaque tokens and about revocations. It can
// fail.
type soakServer struct {
	now     func() time.Time
	failing atomic.Bool

	mu      sync.Mutex
	revoked map[string]bool // by jti
}

func (s *soakServer) Introspect(_ context.Context, req verifier.IntrospectionRequest) (verifier.Introspection, error) {
	if s.failing.Load() {
		return verifier.Introspection{}, errors.New("server is down")
	}
	if req.Issuer != soakOpaque || !strings.HasPrefix(req.Token, "active") {
		return verifier.Introspection{}, nil
	}
	now := s.now().Unix()
	claims := fmt.Appendf(nil, `{"active":true,"iss":%q,"aud":%q,"sub":"s","jti":%q,"iat":%d,"exp":%d}`, soakOpaque, fuzzAudience, req.Token, now, now+60)
	return verifier.Introspection{Active: true, Claims: claims}, nil
}

func (s *soakServer) Revoked(_ context.Context, token verifier.RevocationRequest) (bool, error) {
	if s.failing.Load() {
		return false, errors.New("server is down")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.revoked[token.ID], nil
}

func (s *soakServer) revoke(jti string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.revoked[jti] = true
}

// soakToken is a token that was issued, good while its key and time are.
type soakToken struct {
	text    string
	issuer  *soakIssuer
	kid     string
	jti     string
	expires time.Time
	client  int // it is bound to, or -1
}

// outcomes is a set of statuses.
type outcomes map[int]bool

func statuses(list ...int) outcomes {
	set := make(outcomes)
	for _, status := range list {
		set[status] = true
	}
	return set
}

// instead returns the outcomes of a request that fails with a status where the
// token alone would be accepted.
func (o outcomes) instead(status int) outcomes {
	set := maps.Clone(o)
	if set[http.StatusOK] {
		delete(set, http.StatusOK)
		set[status] = true
	}
	return set
}

type soakRequest struct {
	what    string
	v       int
	req     verifier.Request
	allowed outcomes
	serial  bool // looks for a kid: the order counts
	once    bool // of all copies one is accepted, and the others are refused
	copies  int  // of a proof that is used several times, at once
	status  []int
	reason  []verifier.Reason
}

// soak is the world, the Verifiers and the oracle.
type soak struct {
	t         *testing.T
	rng       *rand.Rand
	clock     *verifiertest.Clock
	top       time.Time // the latest that the clock has shown
	issuers   []*soakIssuer
	cache     *soakCache
	replays   *soakReplays
	server    *soakServer
	verifiers []*verifier.Verifier
	sought    map[string]*sought // in this batch, by Verifier and issuer
	clients   []*verifiertest.DPoPClient
	rsaKeys   []*rsa.PrivateKey
	tokens    []soakToken
	fetching  atomic.Int64
	serial    int

	requests, exact, wrong int
	answers                map[int]int
	events                 map[string]int
}

func newSoak(t *testing.T, seed uint64) *soak {
	s := &soak{t: t, rng: rand.New(rand.NewPCG(seed, 1)), clock: verifiertest.NewClock(time.Unix(fuzzNow, 0)), answers: make(map[int]int), events: make(map[string]int)}
	s.top = s.clock.Now()
	for range 4 {
		s.rsaKeys = append(s.rsaKeys, testKey(t))
	}
	s.server = &soakServer{now: s.clock.Now, revoked: make(map[string]bool)}
	configured := []verifier.Issuer{{Name: soakOpaque, Opaque: verifier.OpaqueTokens{Introspector: s.server, MaxLength: 100}}}
	for n := range soakIssuers {
		i := &soakIssuer{name: "https://" + string(rune('a'+n)) + ".example.com/", control: "max-age=600"}
		s.issuers = append(s.issuers, i)
		configured = append(configured, verifier.Issuer{Name: i.name})
		i.published = []*soakKey{s.newKey(i)}
	}
	s.cache = &soakCache{Cache: verifiertest.NewCache(s.clock, 10*soakIssuers)}
	store, err := replay.New(replay.Config{Now: s.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	s.replays = &soakReplays{ReplayStore: store}
	lease, err := replay.New(replay.Config{Now: s.clock.Now})
	if err != nil {
		t.Fatal(err)
	}
	for _, memo := range []int{0, 256} {
		v, err := verifier.New(verifier.Config{
			Issuers: configured, Audience: fuzzAudience, Revocation: verifier.RevocationConfig{Checker: s.server},
			Algorithms: []string{"EdDSA", "RS256"}, TokenMemo: memo, Clock: s.clock, Cache: s.cache, Lease: lease,
			Doer: verifier.DoerFunc(s.do), DPoP: verifier.DPoPConfig{ReplayStore: s.replays},
		})
		if err != nil {
			t.Fatal(err)
		}
		s.verifiers = append(s.verifiers, v)
	}
	for range 3 {
		s.clients = append(s.clients, verifiertest.NewDPoPClient(t, s.clock, "ES256"))
	}
	return s
}

func (s *soak) do(req *http.Request) (*http.Response, error) {
	s.fetching.Add(1)
	defer s.fetching.Add(-1)
	for _, i := range s.issuers {
		if strings.HasPrefix(req.URL.String(), i.name) {
			return i.serve(req)
		}
	}
	s.t.Errorf("asked %s", req.URL.Host)
	return nil, errors.New("no such host")
}

// newKey makes a key: of the last issuer an RSA key, of which there are a few
// only, of the others a new one.
func (s *soak) newKey(i *soakIssuer) *soakKey {
	s.serial++
	key := &soakKey{kid: "k" + strconv.Itoa(s.serial/len(s.issuers))}
	if i.name == "https://c.example.com/" {
		key.kid += "-" + strconv.Itoa(s.serial)
		private := s.rsaKeys[s.serial%len(s.rsaKeys)]
		key.alg = "RS256"
		key.jwk = map[string]any{"kty": "RSA", "n": b64(private.N.Bytes()), "e": "AQAB"}
		key.sign = func(input []byte) []byte {
			sum := sha256.Sum256(input)
			signature, err := rsa.SignPKCS1v15(nil, private, crypto.SHA256, sum[:])
			if err != nil {
				s.t.Error(err)
			}
			return signature
		}
	} else {
		key.kid += "-" + strconv.Itoa(s.serial)
		seed := sha256.Sum256(fmt.Appendf(nil, "%d", s.serial))
		private := ed25519.NewKeyFromSeed(seed[:])
		key.alg = "EdDSA"
		key.jwk = map[string]any{"kty": "OKP", "crv": "Ed25519", "x": b64(private.Public().(ed25519.PublicKey))}
		key.sign = func(input []byte) []byte { return ed25519.Sign(private, input) }
	}
	key.jwk["kid"] = key.kid
	return key
}

func (s *soak) signed(key *soakKey, header, claims map[string]any) string {
	h := map[string]any{"alg": key.alg, "typ": "at+jwt", "kid": key.kid}
	maps.Copy(h, header)
	head, err := json.Marshal(h)
	if err != nil {
		s.t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		s.t.Fatal(err)
	}
	input := b64(head) + "." + b64(payload)
	return input + "." + b64(key.sign([]byte(input)))
}

func (s *soak) claims(i *soakIssuer, extra map[string]any) map[string]any {
	now := s.clock.Now().Unix()
	s.serial++
	c := map[string]any{"iss": i.name, "sub": "s", "aud": fuzzAudience, "iat": now, "exp": now + 60 + s.rng.Int64N(3600), "jti": s.serial}
	c["jti"] = strconv.Itoa(s.serial)
	for name, value := range extra {
		if c[name] = value; value == nil {
			delete(c, name)
		}
	}
	return c
}

// issue makes a good token, signed by one of the keys that are published.
func (s *soak) issue(i *soakIssuer, client int) soakToken {
	key := i.published[s.rng.IntN(len(i.published))]
	var extra map[string]any
	if client >= 0 {
		extra = map[string]any{"cnf": s.clients[client].Confirmation()}
	}
	claims := s.claims(i, extra)
	return soakToken{
		text: s.signed(key, nil, claims), issuer: i, kid: key.kid, jti: claims["jti"].(string), client: client,
		expires: time.Unix(claims["exp"].(int64), 0),
	}
}

// keysFail reports whether a look for a kid fails.
func (i *soakIssuer) keysFail() bool { return i.fault != "" && i.fault != "metadata only" }

// dead reports whether nothing that was held of an issuer is served any more.
// Steps of the clock leap over the time in which that is not certain.
func (i *soakIssuer) dead(now time.Time) bool {
	return i.fault != "" && now.After(i.downSince.Add(soakStale))
}

// judgeToken is the oracle: what is answered to a token with a good signature,
// right now, by one Verifier; and whether that looks for a kid.
func (s *soak) judgeToken(v int, i *soakIssuer, kid string, expires time.Time) (answer outcomes, looks bool) {
	switch now := s.clock.Now(); {
	case !now.Before(expires):
		return statuses(401), false
	case i.dead(now):
		return statuses(503), false
	case i.held[kid]:
		return statuses(200), false
	case i.keysFail():
		return statuses(503), true
	default:
		return statuses(s.look(v, i, kid)), true
	}
}

// look says what comes of a look for a kid that does not exist: 401 once it was
// looked for, 503 while the limiter keeps the Verifier from looking.
func (s *soak) look(v int, i *soakIssuer, kid string) int {
	place := strconv.Itoa(v) + i.name
	w := s.sought[place]
	if w == nil {
		w = &sought{kids: make(map[string]bool)}
		s.sought[place] = w
	}
	looked, seen := w.kids[kid]
	if !seen {
		if looked = w.attempts < soakAttempts; looked {
			w.attempts++
		}
		w.kids[kid] = looked
	}
	if looked {
		return 401
	}
	return 503
}

// judged returns what is answered to a good token, after the question whether it
// was revoked.
func (s *soak) judged(known outcomes, jti string) outcomes {
	if s.server.failing.Load() {
		return known.instead(503)
	}
	s.server.mu.Lock()
	defer s.server.mu.Unlock()
	if s.server.revoked[jti] {
		return known.instead(401)
	}
	return known
}

// event changes the world between batches.
func (s *soak) event() {
	i := s.issuers[s.rng.IntN(len(s.issuers))]
	if s.rng.IntN(2) == 0 { // what all requests need is down for a short time only
		s.server.failing.Store(false)
		s.replays.failing.Store(false)
	}
	switch s.rng.IntN(13) {
	case 0, 1, 2:
		s.rotate(i)
	case 3, 4:
		s.fail(i)
	case 5:
		for _, i := range s.issuers {
			if i.fault != "" && s.rng.IntN(2) == 0 {
				s.recover(i)
			}
		}
	case 6:
		s.count("clock back")
		s.clock.Advance(-time.Duration(s.rng.IntN(60)) * time.Second)
	case 7:
		s.count("cache fault")
		s.cache.failing.Store(s.rng.IntN(2) == 0)
		s.cache.garbage.Store(s.rng.IntN(2) == 0)
	case 8:
		s.count("replay store fault")
		s.replays.failing.Store(!s.replays.failing.Load())
		s.count("server fault")
		s.server.failing.Store(s.rng.IntN(3) == 0)
	case 9:
		i.mu.Lock()
		i.etags = s.rng.IntN(2) == 0
		i.control = []string{"", "max-age=15", "max-age=600", "no-store", "no-cache", "max-age=99999999", "private, max-age=\"x\""}[s.rng.IntN(7)]
		i.mu.Unlock()
	case 10:
		s.advance(time.Duration(s.rng.IntN(90)) * time.Minute)
	case 11:
		s.count("revocation")
		for range min(10, len(s.tokens)) {
			s.server.revoke(s.tokens[s.rng.IntN(len(s.tokens))].jti)
		}
	default:
		s.advance(time.Duration(s.rng.IntN(900)) * time.Second)
	}
}

func (s *soak) count(event string) { s.events[event]++ }

// pass makes every back-off and window end, also those that began before the
// clock was set back.
func (s *soak) pass() { s.advance(s.top.Sub(s.clock.Now()) + soakPause) }

// advance moves the clock, and leaps over the time in which it is not certain
// whether the documents of a failing issuer are served: a jittered freshness and
// what is stale end in it.
func (s *soak) advance(d time.Duration) {
	s.count("clock forward")
	s.clock.Advance(d)
	for again := true; again; {
		again = false
		for _, i := range s.issuers {
			over := s.clock.Now().Sub(i.downSince)
			if i.fault != "" && over > soakStale-time.Second-soakPause && over <= soakStale+soakTTL+time.Minute {
				s.clock.Advance(soakStale + soakTTL + time.Minute + time.Second - over)
				again = true
			}
		}
	}
	if now := s.clock.Now(); now.After(s.top) {
		s.top = now
	}
}

// fail makes an issuer fail right after its documents were fetched.
func (s *soak) fail(i *soakIssuer) {
	if i.fault != "" {
		return
	}
	s.count("outage")
	s.advance(s.top.Sub(s.clock.Now()) + soakTTL + soakPause)
	s.touchAll()
	i.mu.Lock()
	i.fault, i.downSince = soakFaults[s.rng.IntN(len(soakFaults))], s.clock.Now()
	i.mu.Unlock()
}

// rotate publishes a new key; old ones go one by one, or all at once. Where the
// issuer is healthy the new key is accepted at once, and then the old ones are
// not. Where it fails, nothing of this is known.
func (s *soak) rotate(i *soakIssuer) {
	if i.fault == "metadata only" {
		return // the keys might be fetched, or not
	}
	s.count("rotation")
	key := s.newKey(i)
	i.mu.Lock()
	keep := min(len(i.published), s.rng.IntN(3))
	i.published = append(slices.Clone(i.published[len(i.published)-keep:]), key)
	i.mu.Unlock()
	if i.fault == "" {
		s.pass()
		s.sync(i)
	}
}

// sync makes every Verifier hold what an issuer publishes.
func (s *soak) sync(i *soakIssuer) {
	key := i.published[len(i.published)-1]
	token := s.signed(key, nil, s.claims(i, nil))
	for n := range s.verifiers {
		known := statuses(200)
		if s.server.failing.Load() {
			known = statuses(503)
		}
		s.expect("the newest key of "+i.name, n, token, known)
	}
	i.held = i.kids()
}

// recover ends a fault. It must not leave traces for longer than the back-off.
func (s *soak) recover(i *soakIssuer) {
	s.count("recovery")
	i.mu.Lock()
	i.fault = ""
	i.mu.Unlock()
	s.pass()
	s.touch(i)
	s.pass()
	s.sync(i)
	s.touch(i)
}

// touch makes every Verifier hold what is fresh. Where the source failed before, the
// request that asks for a refresh does not wait for it; and one that comes while the
// last attempt before is still ending begins none, so it comes again.
func (s *soak) touch(i *soakIssuer) {
	if i.fault != "" {
		return
	}
	for n, v := range s.verifiers {
		eventually(s.t, "fresh documents of "+i.name, func() bool {
			s.send(&soakRequest{v: n, req: bearer(s.issue(i, -1).text), copies: 1})
			fresh := 0
			for _, h := range v.Health() {
				if h.Issuer == i.name && h.State == verifier.StateFresh {
					fresh++
				}
			}
			return fresh == 2
		})
	}
	if i.held == nil {
		i.held = i.kids()
	}
}

func (s *soak) touchAll() {
	for _, i := range s.issuers {
		s.touch(i)
	}
	s.quiet()
}

// quiet waits for the fetches that go on behind the scenes.
func (s *soak) quiet() {
	eventually(s.t, "the fetches end", func() bool { return s.fetching.Load() == 0 })
}

func bearer(token string) verifier.Request {
	return verifier.Request{Method: "GET", URL: fuzzURL, Header: http.Header{"Authorization": {"Bearer " + token}}}
}

func dpop(token string, proofs ...string) verifier.Request {
	return verifier.Request{Method: "GET", URL: fuzzURL, Header: http.Header{"Authorization": {"DPoP " + token}, "Dpop": proofs}}
}

// someToken returns a token that was issued before, or a new one.
func (s *soak) someToken(client int) soakToken {
	if len(s.tokens) > 0 && s.rng.IntN(2) == 0 {
		if token := s.tokens[s.rng.IntN(len(s.tokens))]; (token.client >= 0) == (client >= 0) {
			return token
		}
	}
	token := s.issue(s.issuers[s.rng.IntN(len(s.issuers))], client)
	if len(s.tokens) < 400 {
		s.tokens = append(s.tokens, token)
	} else {
		s.tokens[s.rng.IntN(len(s.tokens))] = token
	}
	return token
}

// request makes one request, and what it must be answered with.
func (s *soak) request() *soakRequest {
	r := &soakRequest{v: s.rng.IntN(len(s.verifiers)), copies: 1}
	client := s.rng.IntN(len(s.clients))
	kind := s.rng.IntN(22)
	if kind < 5 {
		token := s.someToken(-1)
		r.what, r.req = "good", bearer(token.text)
		r.allowed, r.serial = s.judgeToken(r.v, token.issuer, token.kid, token.expires)
		r.allowed = s.judged(r.allowed, token.jti)
		return r
	}
	if kind < 12 {
		s.boundRequest(r, kind, s.someToken(client))
		return r
	}
	if kind >= 20 {
		r.what, r.allowed = "opaque", s.judged(statuses(200), "")
		token := "active-" + strconv.Itoa(s.rng.IntN(1000))
		if s.rng.IntN(2) == 0 {
			token = "unknown-" + token
			r.allowed = r.allowed.instead(401)
		}
		r.req = bearer(token)
		return r
	}
	s.badRequest(r, kind)
	return r
}

// badRequest makes a request with one thing that is wrong.
func (s *soak) badRequest(r *soakRequest, kind int) {
	i := s.issuers[s.rng.IntN(len(s.issuers))]
	key := i.published[s.rng.IntN(len(i.published))]
	now := s.clock.Now()
	var header, claims map[string]any
	r.allowed = statuses(401)
	valid := func() outcomes {
		var answer outcomes
		answer, r.serial = s.judgeToken(r.v, i, key.kid, now.Add(time.Hour))
		return answer
	}
	switch kind {
	case 12:
		r.what, claims = "expired", map[string]any{"exp": now.Unix()}
	case 13:
		r.what, claims = "not yet valid", map[string]any{"nbf": now.Unix() + 1}
	case 14:
		r.what, claims = "other audience", map[string]any{"aud": []string{"x", fuzzIssuer}}
	case 15:
		r.what, claims = "issuer that is not allowed", map[string]any{"iss": "https://evil.example/"}
	case 16:
		kid := "junk" + strconv.Itoa(s.rng.IntN(6))
		r.what, header = "junk kid", map[string]any{"kid": kid}
		r.allowed, r.serial = s.judgeToken(r.v, i, kid, now.Add(time.Hour))
	case 17:
		r.what, header = "algorithm", map[string]any{"alg": []string{"none", "HS256", "PS256", "eddsa"}[s.rng.IntN(4)]}
	case 18:
		r.what, claims, r.allowed = "confirmation", map[string]any{"cnf": map[string]any{"x": 1}}, valid().instead(401)
	default:
		r.what, r.allowed = "bad signature", valid().instead(401)
		token := s.signed(key, nil, s.claims(i, nil))
		r.req = bearer(token[:len(token)-6] + "AAAAA" + string("AQgw"[s.rng.IntN(4)]))
		return
	}
	r.req = bearer(s.signed(key, header, s.claims(i, claims)))
}

// boundRequest makes a request with a token that is bound to a client.
func (s *soak) boundRequest(r *soakRequest, kind int, token soakToken) {
	client := s.clients[token.client]
	proof := client.Proof("GET", fuzzURL, token.text)
	if kind == 10 {
		r.what, r.req, r.allowed = "no proof", dpop(token.text), statuses(401)
		return
	}
	known, looks := s.judgeToken(r.v, token.issuer, token.kid, token.expires)
	known = s.judged(known, token.jti) // before the proof
	good := known
	if s.replays.failing.Load() {
		good = good.instead(503)
	}
	r.what, r.req, r.allowed, r.serial = "bound", dpop(token.text, proof), good, looks
	switch kind {
	case 5, 6:
	case 7:
		r.what, r.req, r.allowed = "bound as Bearer", bearer(token.text), known.instead(401)
	case 8:
		r.what, r.req, r.allowed = "proof of another client", dpop(token.text, s.clients[(token.client+1)%len(s.clients)].Proof("GET", fuzzURL, token.text)), known.instead(401)
	case 9:
		r.what, r.req, r.allowed = "proof for another request", dpop(token.text, client.Proof("POST", fuzzURL, token.text)), known.instead(401)
	default:
		r.what, r.copies = "proof used several times", 2+s.rng.IntN(3)
		if looks { // by one Verifier, one after the other
			r.copies = 1
		}
		if r.once = good[200] && r.copies > 1; r.once {
			r.allowed = statuses(200, 401)
		}
	}
}

// send sends a request, as often as it says, to one Verifier or several.
func (s *soak) send(r *soakRequest) {
	r.status, r.reason = make([]int, r.copies), make([]verifier.Reason, r.copies)
	one := func(n int) {
		_, err := s.verifiers[(r.v+n)%len(s.verifiers)].VerifyRequest(s.t.Context(), r.req)
		var e *verifier.Error
		switch {
		case err == nil:
			r.status[n] = 200
		case errors.As(err, &e):
			r.status[n], r.reason[n] = e.Status, e.Reason
		}
	}
	if r.copies == 1 {
		one(0)
		return
	}
	var group sync.WaitGroup
	for n := range r.copies {
		group.Go(func() { one(n) })
	}
	group.Wait()
}

// sought is what one Verifier did, in one window, about the kids of one issuer
// that it does not hold.
type sought struct {
	attempts int
	kids     map[string]bool // whether it was looked for
}

// judge compares the answers with what the oracle allows.
func (s *soak) judge(r *soakRequest) {
	accepted := 0
	for n, status := range r.status {
		s.requests++
		s.answers[status]++
		if len(r.allowed) == 1 || r.once {
			s.exact++
		}
		if status == 200 {
			accepted++
		}
		if !r.allowed[status] {
			s.mistake("%s: answered with %d %s; want one of %v", r.what, status, r.reason[n], slices.Sorted(maps.Keys(r.allowed)))
		}
	}
	if r.once && accepted != 1 {
		s.mistake("%s: accepted %d times; want once", r.what, accepted)
	}
}

func (s *soak) mistake(format string, args ...any) {
	s.wrong++
	if s.wrong <= 20 {
		state := ""
		for _, i := range s.issuers {
			if i.fault != "" {
				state += fmt.Sprintf(" %s %q for %v;", i.name, i.fault, s.clock.Now().Sub(i.downSince))
			}
		}
		s.t.Errorf("after %d requests: "+format+"; %s", append(append([]any{s.requests}, args...), state)...)
	}
}

func (s *soak) expect(what string, n int, token string, allowed outcomes) {
	r := &soakRequest{what: what, v: n, req: bearer(token), allowed: allowed, copies: 1}
	s.send(r)
	s.judge(r)
}

// batch sends a number of requests at once and judges them. Those that look for
// a kid are sent one after the other.
func (s *soak) batch(size int) {
	s.sought = make(map[string]*sought)
	var requests, serial []*soakRequest
	for range size {
		if r := s.request(); r.serial {
			serial = append(serial, r)
		} else {
			requests = append(requests, r)
		}
	}
	var next atomic.Int64
	var group sync.WaitGroup
	group.Go(func() {
		for _, r := range serial {
			s.send(r)
		}
	})
	for range 3 {
		group.Go(func() {
			for n := next.Add(1); n <= int64(len(requests)); n = next.Add(1) {
				s.send(requests[n-1])
			}
		})
	}
	group.Wait()
	for _, r := range slices.Concat(requests, serial) {
		s.judge(r)
	}
}

func (s *soak) run(d time.Duration) (early, late int64) {
	s.touchAll()
	began := time.Now()
	for rounds := 0; rounds < 20 || time.Since(began) < d; rounds++ {
		s.event()
		s.pass()
		s.touchAll()
		s.batch(200 + s.rng.IntN(800))
		s.quiet()
		if early == 0 && time.Since(began) > d/4 {
			early = soakHeap()
		}
	}
	return early, soakHeap()
}

func soakHeap() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestSoak sends a random mix of good and bad requests, for many issuers and for
// one that is asked about opaque tokens, through rotations, outages, revocations,
// faults of the cache, the replay store and the server that is asked, and steps
// of the clock, to two Verifiers that share a cache and a lease. It compares
// every answer with an oracle that knows what it is.
// PORTCULLIS_SOAK says for how long, PORTCULLIS_SOAK_SEED repeats a run.
func TestSoak(t *testing.T) {
	d := 4 * time.Second
	if text := os.Getenv("PORTCULLIS_SOAK"); text != "" {
		var err error
		if d, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	} else if testing.Short() {
		d = 0
	}
	seed := rand.Uint64()
	if text := os.Getenv("PORTCULLIS_SOAK_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	goroutines := runtime.NumGoroutine()
	s := newSoak(t, seed)
	early, late := s.run(d)
	t.Logf("seed %d: %d requests (%v by status), %d of which had one right answer; %v; heap %d KiB early, %d KiB late: %d wrong answers",
		seed, s.requests, s.answers, s.exact, s.events, early>>10, late>>10, s.wrong)
	if s.answers[200] == 0 || s.answers[401] == 0 || s.exact*100 < s.requests*98 {
		t.Error("the mix is not what it should be")
	}
	if late > 2*early+(16<<20) {
		t.Errorf("the heap grew from %d to %d bytes", early, late)
	}
	for _, v := range s.verifiers {
		if err := v.Close(); err != nil {
			t.Error(err)
		}
	}
	eventually(t, "the goroutines end", func() bool { return runtime.NumGoroutine() <= goroutines })
}
