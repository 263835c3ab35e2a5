//go:build !race

package verifier_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"net/http/httptest"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// The tests of this file guard the budget of the documentation's performance
// page. They count allocations, and compare CPU time with that of the bare
// signature checks in the same run; no absolute time decides. The ratios are
// loose: they are to find a lock, a fetch or a second parse on the path, not a
// per cent. The benchmark module measures exactly.
//
// The race detector changes both allocations and times. So `make test` runs
// TestBudget..., TestMemory... and TestMany... of the core without it.

// cpuTime returns how much CPU time this process has used, all of its threads
// and the garbage collector included. Other processes do not count.
func cpuTime(t testing.TB) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// ratio returns how much CPU time target takes for each unit of limit: the
// median over pairs of short slices in which the two alternate, so that a noisy
// machine strikes both. prepare, if not nil, is told how often target will be
// called next, and its time does not count.
func ratio(t testing.TB, limit, target func(), prepare func(n int)) float64 {
	const pairs, slice = 31, 5 * time.Millisecond
	measure := func(f func(), n int) float64 {
		if prepare != nil {
			prepare(n)
		}
		began := cpuTime(t)
		for range n {
			f()
		}
		return float64(cpuTime(t)-began) / float64(n)
	}
	fit := func(f func()) int {
		n := 1
		for measure(f, n)*float64(n) < float64(slice) {
			n *= 2
		}
		return n
	}
	limits, targets := fit(limit), fit(target)
	ratios := make([]float64, pairs)
	for i := range ratios {
		l := measure(limit, limits)
		ratios[i] = measure(target, targets) / l
	}
	slices.Sort(ratios)
	return ratios[pairs/2]
}

// course is an issuer, a token of the usual size, and a Verifier that has the
// keys.
type course struct {
	*harness
	claims map[string]any
	token  string
	limit  func() // SHA-256 and RSA of the token alone
}

func newCourse(t *testing.T, change func(*verifier.Config)) *course {
	t.Helper()
	c := &course{harness: newHarness(t, change)}
	c.claims = map[string]any{
		"exp": c.clock.Now().Unix() + 1e6, "org_id": "org_8Qh2ZkBvR1", "auth_time": c.clock.Now().Unix(),
		"scope":                        "openid profile email orders:read orders:write invoices:read",
		"permissions":                  []string{"orders:read", "orders:write", "invoices:read"},
		"https://claims.example/roles": []string{"admin", "editor"},
		"cnf":                          nil,
	}
	c.token = c.issuer.Sign(audience, c.claims)
	c.limit = c.bareRSA(c.token)
	c.accept(c.token)
	return c
}

func (c *course) publicKey() *rsa.PublicKey {
	c.t.Helper()
	response, err := c.issuer.Client().Get(c.issuer.URL() + ".well-known/jwks.json")
	if err != nil {
		c.t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	data, err := io.ReadAll(response.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(data, &set); err != nil {
		c.t.Fatal(err)
	}
	return set.Keys[0].Key.(*rsa.PublicKey)
}

// parts returns what a signature is over, and the signature.
func (c *course) parts(compact string) (input, signature []byte) {
	c.t.Helper()
	dot := strings.LastIndexByte(compact, '.')
	signature, err := base64.RawURLEncoding.DecodeString(compact[dot+1:])
	if err != nil {
		c.t.Fatal(err)
	}
	return []byte(compact[:dot]), signature
}

// bareRSA is the least that a verifier of the token must do.
func (c *course) bareRSA(token string) func() {
	c.t.Helper()
	key := c.publicKey()
	input, signature := c.parts(token)
	return func() {
		sum := sha256.Sum256(input)
		if err := rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature); err != nil {
			c.t.Fatal(err)
		}
	}
}

// bareECDSA is the least that a verifier of the proof must do.
func (c *course) bareECDSA(proof string) func() {
	c.t.Helper()
	segment, _, _ := strings.Cut(proof, ".")
	data, err := base64.RawURLEncoding.DecodeString(segment)
	if err != nil {
		c.t.Fatal(err)
	}
	var header struct{ JWK jose.JSONWebKey }
	if err := json.Unmarshal(data, &header); err != nil {
		c.t.Fatal(err)
	}
	key := header.JWK.Key.(*ecdsa.PublicKey)
	input, signature := c.parts(proof)
	return func() {
		sum := sha256.Sum256(input)
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		if !ecdsa.Verify(key, sum[:], r, s) {
			c.t.Fatal("a good proof fails")
		}
	}
}

// accepting verifies the token.
func (c *course) accepting() func() {
	ctx := c.t.Context()
	return func() {
		if _, err := c.VerifyAccessToken(ctx, c.token); err != nil {
			c.t.Fatal(err)
		}
	}
}

// refusing verifies a token that must fail for a reason.
func (c *course) refusing(token string, reason verifier.Reason) func() {
	c.t.Helper()
	ctx := c.t.Context()
	c.refuse(token, reason)
	return func() {
		if _, err := c.VerifyAccessToken(ctx, token); err == nil {
			c.t.Fatal("a bad token was accepted")
		}
	}
}

// within checks a budget: allocations beyond those of the limit, and CPU time
// as a multiple of the limit's.
func within(t *testing.T, what string, limit, target func(), allocations int, times float64) {
	t.Helper()
	withinPrepared(t, what, limit, target, nil, allocations, times)
}

func withinPrepared(t *testing.T, what string, limit, target func(), prepare func(n int), allocations int, times float64) {
	t.Helper()
	const runs = 100
	if prepare != nil {
		prepare(runs + 2)
	}
	target() // what is learnt at the first time is not counted
	if got := testing.AllocsPerRun(runs, target) - testing.AllocsPerRun(runs, limit); got > float64(allocations) {
		t.Errorf("%s: %v allocations more than the bare crypto; want at most %d", what, got, allocations)
	}
	if got := ratio(t, limit, target, prepare); got > times {
		t.Errorf("%s: %.3f times the bare crypto; want at most %v", what, got, times)
	}
}

func TestBudgetOfBearer(t *testing.T) {
	c := newCourse(t, nil)
	// The payload, the signature and the Token.
	within(t, "VerifyAccessToken", c.limit, c.accepting(), 3, 1.3)
	if got := testing.AllocsPerRun(100, c.accepting()); got > 13 {
		t.Errorf("VerifyAccessToken: %v allocations; want at most 13", got)
	}
}

// TestBudgetOfSignatureAlgorithms counts what is left when the check itself
// allocates nothing.
func TestBudgetOfSignatureAlgorithms(t *testing.T) {
	c := newCourse(t, func(cfg *verifier.Config) {
		cfg.SignatureAlgorithms = []verifier.SignatureAlgorithm{accelerator{spec: rs256, key: verdict(func() bool { return true })}}
	})
	if got := testing.AllocsPerRun(100, c.accepting()); got > 5 {
		t.Errorf("VerifyAccessToken: %v allocations beside the check; want at most 5", got)
	}
}

func TestBudgetOfMemo(t *testing.T) {
	c := newCourse(t, func(cfg *verifier.Config) { cfg.TokenMemo = 100 })
	if got := testing.AllocsPerRun(100, c.accepting()); got > 2 {
		t.Errorf("memo hit: %v allocations; want at most 2", got)
	}
	within(t, "memo hit", c.limit, c.accepting(), 0, 0.08)
}

func TestBudgetOfMiddleware(t *testing.T) {
	c := newCourse(t, nil)
	handler := verifier.Middleware(c.Verifier, verifier.MiddlewareConfig{})(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	request := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example/orders/1?expand=lines", nil)
	request.Header.Set("Authorization", "Bearer "+c.token)
	request.Header.Set("Accept", "application/json")
	request.Header.Set("User-Agent", "test")
	answer := httptest.NewRecorder()
	serve := func() { handler.ServeHTTP(answer, request) }
	within(t, "middleware", c.limit, serve, 12, 1.4)
	if answer.Code != http.StatusOK {
		t.Errorf("status %d", answer.Code)
	}
}

func TestBudgetOfDPoP(t *testing.T) {
	c := newCourse(t, func(cfg *verifier.Config) { cfg.DPoP.ReplayQuota = 1_000_000 })
	client := verifiertest.NewDPoPClient(t, c.clock, "")
	c.claims["cnf"] = client.Confirmation()
	token := c.issuer.Sign(audience, c.claims)
	const url = "https://api.example/orders/1"
	proof := client.Proof(http.MethodGet, url, token)
	checkRSA, checkECDSA := c.bareRSA(token), c.bareECDSA(proof)

	var requests []*http.Request // each with a proof of its own
	prepare := func(n int) {
		for len(requests) < n {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, url+"?expand=lines", nil)
			r.Header.Set("Authorization", "DPoP "+token)
			r.Header.Set("DPoP", client.Proof(http.MethodGet, url, token))
			requests = append(requests, r)
		}
	}
	serve := func() {
		last := len(requests) - 1
		r := requests[last]
		requests = requests[:last]
		if _, err := c.VerifyHTTPRequest(r); err != nil {
			t.Fatal(err)
		}
	}
	withinPrepared(t, "DPoP request", func() { checkRSA(); checkECDSA() }, serve, prepare, 34, 1.4)
}

func TestBudgetOfRefusals(t *testing.T) {
	c := newCourse(t, nil)
	with := func(name string, value any) string {
		claims := make(map[string]any, len(c.claims)+1)
		for n, v := range c.claims {
			claims[n] = v
		}
		claims[name] = value
		return c.issuer.Sign(audience, claims)
	}
	cases := []struct {
		name   string
		token  string
		reason verifier.Reason
		times  float64
	}{
		{"expired", with("exp", c.clock.Now().Unix()), reason.Expired, 0.25},
		{"other audience", with("aud", "https://other.example"), reason.Audience, 0.25},
		{"foreign issuer", with("iss", "https://other.example/"), reason.IssuerNotAllowed, 0.25},
		{"bad base64", c.token + "!", reason.TokenMalformed, 0.25},
		{"no dots", strings.Repeat("a", len(c.token)), reason.TokenMalformed, 0.05},
		{"oversize", strings.Repeat("a.", 1<<15), reason.TokenTooLarge, 0.05},
	}
	for _, refusal := range cases {
		within(t, refusal.name, c.limit, c.refusing(refusal.token, refusal.reason), 0, refusal.times)
	}
	before := c.issuer.Requests()
	signature := c.token[strings.LastIndexByte(c.token, '.')+1:]
	forged := strings.TrimSuffix(c.token, signature) + strings.Repeat("A", len(signature))
	within(t, "bad signature", c.limit, c.refusing(forged, reason.Signature), 8, 1.4)
	if got := c.issuer.Requests(); got != before {
		t.Errorf("bad signatures caused requests: %+v after %+v", got, before)
	}
}

// TestBudgetOfIssuers: a verification among a thousand issuers costs what it
// costs with one.
func TestBudgetOfIssuers(t *testing.T) {
	const issuers = 1000
	source := verifiertest.NewIssuer(t)
	response, err := source.Client().Get(source.URL() + ".well-known/jwks.json")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	jwks, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	course := func(n int) func() {
		var domains, tokens []string
		for i := range n {
			name := fmt.Sprintf("https://tenant-%d.example/", i)
			domains, tokens = append(domains, name), append(tokens, source.Sign(audience, map[string]any{"iss": name}))
		}
		v := newVerifier(t, source, func(cfg *verifier.Config) {
			cfg.Domain, cfg.Doer, cfg.Refresh.MaxIssuers = "", nil, n
			cfg.Domains = staticDomains(domains)
			useFetcher(cfg, verifier.KeyFetcherFunc(func(_ context.Context, req verifier.KeyRequest) (verifier.KeySet, error) {
				return verifier.KeySet{Issuer: req.Issuer, JWKS: jwks}, nil
			}))
		})
		if err := v.Warmup(t.Context(), domains...); err != nil {
			t.Fatal(err)
		}
		ctx, i := t.Context(), 0
		return func() {
			if _, err := v.VerifyAccessToken(ctx, tokens[i%n]); err != nil {
				t.Fatal(err)
			}
			i++
		}
	}
	one, many := course(1), course(issuers)
	if got := ratio(t, one, many, nil); got > 1.3 {
		t.Errorf("with %d issuers a verification costs %.2f times that with one", issuers, got)
	}
}

// TestBudgetOfMemory: verifying leaves nothing behind, neither goroutines nor
// memory.
func TestBudgetOfMemory(t *testing.T) {
	c := newCourse(t, nil)
	forged := c.token[:len(c.token)-8] + "AAAAAAAA"
	round := func(n int) {
		for range n {
			c.accepting()()
			if _, err := c.VerifyAccessToken(t.Context(), forged); !errors.Is(err, verifier.ErrSignature) {
				t.Fatalf("a forged token: %v", err)
			}
		}
	}
	live := func() (goroutines int, heap uint64) {
		runtime.GC()
		runtime.GC() // the first one only retires what pools hold
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return runtime.NumGoroutine(), m.HeapAlloc
	}
	round(1000)
	goroutines, heap := live()
	round(10_000)
	goroutinesAfter, heapAfter := live()
	if goroutinesAfter > goroutines {
		t.Errorf("%d goroutines; %d before", goroutinesAfter, goroutines)
	}
	if heapAfter > heap+64<<10 {
		t.Errorf("%d bytes are live; %d before", heapAfter, heap)
	}
}
