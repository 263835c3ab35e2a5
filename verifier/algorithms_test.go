package verifier_test

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// outsideWorld is an issuer and a client that sign with an algorithm that the
// standard library lacks, and a Verifier that was told of it.
type outsideWorld struct {
	*harness
	algorithm *verifiertest.SignatureAlgorithm
	client    *verifiertest.DPoPClient
}

func newOutsideWorld(t *testing.T, change func(*verifier.Config)) *outsideWorld {
	t.Helper()
	algorithm := verifiertest.NewSignatureAlgorithm("TEST-1")
	clock := verifiertest.NewClock(time.Time{})
	issuer := verifiertest.NewIssuer(t, verifiertest.WithClock(clock), verifiertest.WithSigners(algorithm.NewSigner))
	v := newVerifier(t, issuer, func(cfg *verifier.Config) {
		cfg.SignatureAlgorithms = []verifier.SignatureAlgorithm{algorithm}
		cfg.DPoP.Algorithms = []string{"ES256", "TEST-1"}
		if change != nil {
			change(cfg)
		}
	})
	return &outsideWorld{&harness{t, clock, issuer, v}, algorithm, verifiertest.NewDPoPClientWithSigners(t, clock, algorithm.NewSigner)}
}

// request is one with a proof, and the token bound to the client's key.
func (w *outsideWorld) request(options ...verifiertest.ProofOption) *http.Request {
	w.t.Helper()
	r := httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, "https://api.example/orders", nil)
	w.client.Authorize(r, w.issuer.Sign(audience, map[string]any{"cnf": w.client.Confirmation()}), options...)
	return r
}

func TestOutsideAlgorithm(t *testing.T) {
	w := newOutsideWorld(t, nil)
	for range 3 {
		w.accept(w.issuer.Sign(audience, nil))
		token, err := w.VerifyHTTPRequest(w.request())
		if err != nil || token.Algorithm != "TEST-1" || token.Proof.JWKThumbprint != w.client.Thumbprint() {
			t.Fatalf("VerifyHTTPRequest = %+v, %v; want a token with the proof of the client", token, err)
		}
	}
	// The issuer's key and the client's.
	if got := w.algorithm.Prepared(); got != 2 {
		t.Errorf("%d keys were prepared; want 2", got)
	}
	w.issuer.RotateKeys()
	w.accept(w.issuer.Sign(audience, nil))
	if got := w.algorithm.Prepared(); got != 3 {
		t.Errorf("%d keys were prepared after a rotation; want 3", got)
	}
	other := verifiertest.NewIssuer(t, verifiertest.WithClock(w.clock), verifiertest.WithSigners(w.algorithm.NewSigner), verifiertest.WithURL(w.issuer.URL()))
	w.refuse(other.SignWith(map[string]any{"kid": kidOf(t, w.issuer)}, w.issuer.Claims(audience, nil)), reason.Signature)
}

// TestOutsideAlgorithmOfOneIssuer: an issuer may have it though others may not.
func TestOutsideAlgorithmOfOneIssuer(t *testing.T) {
	w := newOutsideWorld(t, func(cfg *verifier.Config) {
		cfg.Issuers, cfg.Domain, cfg.Algorithms = []verifier.Issuer{{Name: cfg.Domain, Algorithms: []string{"TEST-1"}}}, "", nil
	})
	w.accept(w.issuer.Sign(audience, nil))
}

func kidOf(t *testing.T, issuer *verifiertest.Issuer) any {
	t.Helper()
	var set struct {
		Keys []struct {
			ID string `json:"kid"`
		} `json:"keys"`
	}
	if err := json.Unmarshal(issuer.JWKS(), &set); err != nil {
		t.Fatal(err)
	}
	return set.Keys[0].ID
}

func TestOutsideAlgorithmProofFaults(t *testing.T) {
	w := newOutsideWorld(t, nil)
	for _, fault := range verifiertest.ProofFaults() {
		_, err := w.VerifyHTTPRequest(w.request(fault.Options...))
		var refusal *verifier.Error
		if !errors.As(err, &refusal) || refusal.Reason != fault.Reason {
			t.Errorf("%s: %v; want %s", fault.Name, err, fault.Reason)
		}
	}
	r := w.request()
	if _, err := w.VerifyHTTPRequest(r); err != nil {
		t.Fatal(err)
	}
	if _, err := w.VerifyHTTPRequest(r); !errors.Is(err, verifier.ErrReplayed) {
		t.Errorf("a proof that comes again: %v; want %v", err, verifier.ErrReplayed)
	}
}

func TestChallengesListOutsideAlgorithms(t *testing.T) {
	w := newOutsideWorld(t, nil)
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "https://api.example/orders", nil)
	_, err := w.VerifyHTTPRequest(r)
	var refusal *verifier.Error
	if !errors.As(err, &refusal) || !strings.Contains(strings.Join(refusal.Challenges(), "\n"), `algs="ES256 TEST-1"`) {
		t.Errorf("challenges of %v lack the algorithms", err)
	}
}

// TestOutsideAlgorithmIsNotAsked: the key checks and the allow-lists are ours,
// and come first.
func TestOutsideAlgorithmIsNotAsked(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*verifier.Config)
		keys   map[string]any // members of the key that change; nil removes one
		header map[string]any
		want   verifier.Reason
	}{
		"not allowed": {func(cfg *verifier.Config) { cfg.Algorithms = []string{"RS256"} }, nil, nil, reason.Algorithm},
		"not allowed for its issuer": {func(cfg *verifier.Config) {
			cfg.Issuers, cfg.Domain = []verifier.Issuer{{Name: cfg.Domain, Algorithms: []string{"RS256"}}}, ""
		}, nil, nil, reason.Algorithm},
		"not allowed in another case": {nil, nil, map[string]any{"alg": "test-1"}, reason.Algorithm},
		"for encryption":              {nil, map[string]any{"use": "enc"}, nil, reason.NoUsableKey},
		"not to verify":               {nil, map[string]any{"key_ops": []string{"sign"}}, nil, reason.NoUsableKey},
		"for another algorithm":       {nil, map[string]any{"alg": "TEST-2"}, nil, reason.NoUsableKey},
		"for no algorithm":            {nil, map[string]any{"alg": nil}, nil, reason.NoUsableKey},
		"a private key":               {nil, map[string]any{"priv": "AAAA"}, nil, reason.NoUsableKey},
		"too long":                    {nil, map[string]any{"pub": strings.Repeat("A", 44)}, nil, reason.NoUsableKey},
		"too short":                   {nil, map[string]any{"pub": strings.Repeat("A", 42)}, nil, reason.NoUsableKey},
		"under another kid":           {nil, map[string]any{"kid": "another"}, nil, reason.KeyUnknown},
		"of another issuer":           {func(cfg *verifier.Config) { cfg.Domain = "other.example" }, nil, nil, reason.IssuerNotAllowed},
		"expired":                     {func(cfg *verifier.Config) { cfg.Clock = verifiertest.NewClock(time.Now().AddDate(50, 0, 0)) }, nil, nil, reason.Expired},
		"for another audience":        {func(cfg *verifier.Config) { cfg.Audience = "https://other.example" }, nil, nil, reason.Audience},
	} {
		t.Run(name, func(t *testing.T) {
			w := newOutsideWorld(t, c.change)
			var set struct {
				Keys []map[string]any `json:"keys"`
			}
			if err := json.Unmarshal(w.issuer.JWKS(), &set); err != nil {
				t.Fatal(err)
			}
			maps.Copy(set.Keys[0], c.keys)
			maps.DeleteFunc(set.Keys[0], func(_ string, value any) bool { return value == nil })
			data, err := json.Marshal(set)
			if err != nil {
				t.Fatal(err)
			}
			w.issuer.SetJWKS(data)
			w.refuse(w.issuer.SignWith(c.header, w.issuer.Claims(audience, nil)), c.want)
			if w.algorithm.Prepared() != 0 || w.algorithm.Asked() != 0 {
				t.Errorf("prepared %d keys and was asked about %d signatures; want none", w.algorithm.Prepared(), w.algorithm.Asked())
			}
		})
	}
}

// TestOutsideProofsAreNotAsked: a proof names its own key, so what it may be is
// checked all the more.
func TestOutsideProofsAreNotAsked(t *testing.T) {
	for name, change := range map[string]func(*verifier.Config){
		"not allowed for proofs": func(cfg *verifier.Config) { cfg.DPoP.Algorithms = nil },
		"no DPoP":                func(cfg *verifier.Config) { cfg.DPoP.Mode = verifier.DPoPDisabled },
	} {
		w := newOutsideWorld(t, change)
		w.accept(w.issuer.Sign(audience, nil))
		before := w.algorithm.Asked()
		if _, err := w.VerifyHTTPRequest(w.request()); err == nil {
			t.Errorf("%s: accepted", name)
		}
		// The token is checked with the issuer's key, the proof is not.
		if w.algorithm.Prepared() != 1 || w.algorithm.Asked() > before+1 {
			t.Errorf("%s: prepared %d keys, was asked %d times more", name, w.algorithm.Prepared(), w.algorithm.Asked()-before)
		}
	}
}

// TestOutsideAlgorithmFaults: what goes wrong in it is a refusal, of the token
// or proof alone.
func TestOutsideAlgorithmFaults(t *testing.T) {
	for fault, want := range map[verifiertest.AlgorithmFault][2]verifier.Reason{
		verifiertest.AlgorithmRefuses:      {reason.Signature, reason.ProofSignature},
		verifiertest.AlgorithmPanics:       {reason.Signature, reason.ProofSignature},
		verifiertest.AlgorithmRefusesKeys:  {reason.KeyUnknown, reason.ProofKey},
		verifiertest.AlgorithmPanicsOnKeys: {reason.KeyUnknown, reason.ProofKey},
		verifiertest.AlgorithmHasNoKey:     {reason.KeyUnknown, reason.ProofKey},
	} {
		w := newOutsideWorld(t, nil)
		w.algorithm.SetFault(fault)
		w.refuse(w.issuer.Sign(audience, nil), want[0])
		_, err := w.VerifyDPoPProof(t.Context(), verifier.ProofRequest{
			Proof: w.client.Proof("GET", "https://api.example/", "token"), AccessToken: "token", Method: "GET", URL: "https://api.example/",
		})
		var refusal *verifier.Error
		if !errors.As(err, &refusal) || refusal.Reason != want[1] {
			t.Errorf("%s: %v; want %s", fault, err, want[1])
		}
	}
}

// TestKeySetsWithOutsideKeys: keys that nothing reads do not disturb the others,
// and those that are read do neither.
func TestKeySetsWithOutsideKeys(t *testing.T) {
	w := newOutsideWorld(t, nil)
	clock := w.clock
	rs := verifiertest.NewIssuer(t, verifiertest.WithClock(clock))
	var sets [2]struct {
		Keys []map[string]any `json:"keys"`
	}
	for i, issuer := range []*verifiertest.Issuer{w.issuer, rs} {
		if err := json.Unmarshal(issuer.JWKS(), &sets[i]); err != nil {
			t.Fatal(err)
		}
		sets[i].Keys[0]["kid"] = []string{"outside", "inside"}[i]
	}
	both, err := json.Marshal(map[string]any{"keys": append(sets[0].Keys, sets[1].Keys...)})
	if err != nil {
		t.Fatal(err)
	}
	rs.SetJWKS(both)
	sign := func(by *verifiertest.Issuer, kid any) string {
		return by.SignWith(map[string]any{"kid": kid}, rs.Claims(audience, nil))
	}
	for name, change := range map[string]func(*verifier.Config){
		"without": func(*verifier.Config) {},
		"with": func(cfg *verifier.Config) {
			cfg.SignatureAlgorithms = []verifier.SignatureAlgorithm{w.algorithm}
			cfg.Algorithms = []string{"RS256", "TEST-1"}
		},
	} {
		v := newVerifier(t, rs, change)
		for _, kid := range []any{"inside", nil} {
			if _, err := v.VerifyAccessToken(t.Context(), sign(rs, kid)); err != nil {
				t.Errorf("%s: RS256, kid %v: %v", name, kid, err)
			}
			if _, err := v.VerifyAccessToken(t.Context(), sign(w.issuer, map[any]any{"inside": "outside"}[kid])); (err == nil) != (name == "with") {
				t.Errorf("%s: TEST-1, kid %v: %v", name, kid, err)
			}
		}
		if _, err := v.VerifyAccessToken(t.Context(), sign(w.issuer, "inside")); err == nil {
			t.Errorf("%s: a signature of TEST-1 under the kid of another key is accepted", name)
		}
	}
}

// accelerator is a SignatureAlgorithm for RS256.
type accelerator struct {
	verifier.SignatureAlgorithm
	spec verifier.AlgorithmSpec
	key  verifier.SignatureKey
	err  error
}

func (a accelerator) Spec() verifier.AlgorithmSpec { return a.spec }

func (a accelerator) PrepareKey(map[string][]byte) (verifier.SignatureKey, error) {
	return a.key, a.err
}

type verdict func() bool

func (f verdict) Verify(string, []byte) bool { return f() }

var rs256 = verifier.AlgorithmSpec{Name: "RS256", KeyType: "RSA", Members: []verifier.KeyMember{{Name: "n", MinSize: 256, MaxSize: 256}, {Name: "e", MinSize: 3, MaxSize: 3}}}

// TestStandardLibraryDecides: whatever a faster check refuses, the standard
// library decides.
func TestStandardLibraryDecides(t *testing.T) {
	yes, no := verdict(func() bool { return true }), verdict(func() bool { return false })
	for name, c := range map[string]struct {
		a    accelerator
		sure bool // that it accepts what it is asked
	}{
		"accepts":      {accelerator{spec: rs256, key: yes}, true},
		"refuses":      {accelerator{spec: rs256, key: no}, false},
		"panics":       {accelerator{spec: rs256, key: verdict(func() bool { panic("told to") })}, false},
		"refuses keys": {accelerator{spec: rs256, err: errors.New("told to")}, false},
		"error beside": {accelerator{spec: rs256, key: yes, err: errors.New("told to")}, false},
		"has no key":   {accelerator{spec: rs256}, false},
		"a nil key":    {accelerator{spec: rs256, key: verdict(nil)}, false},
	} {
		h := newHarness(t, func(cfg *verifier.Config) { cfg.SignatureAlgorithms = []verifier.SignatureAlgorithm{c.a} })
		token := h.token()
		h.accept(token)
		payload, signature := token[:strings.LastIndexByte(token, '.')], token[strings.LastIndexByte(token, '.'):]
		forged := payload + "." + strings.Repeat("A", len(signature)-2) + "A"
		if _, err := h.VerifyAccessToken(t.Context(), forged); (err == nil) != c.sure {
			t.Errorf("%s: a bad signature: %v", name, err)
		}
	}
}

func TestSignatureAlgorithmsAreChecked(t *testing.T) {
	other := func(change func(*verifier.AlgorithmSpec)) accelerator {
		spec := verifiertest.NewSignatureAlgorithm("TEST-1").Spec()
		change(&spec)
		return accelerator{spec: spec}
	}
	for problem, list := range map[string][]verifier.SignatureAlgorithm{
		"nil":        {nil},
		"say what":   {(*verifiertest.SignatureAlgorithm)(nil)},
		"twice":      {accelerator{spec: rs256}, accelerator{spec: rs256}},
		"asymmetric": {verifiertest.NewSignatureAlgorithm("none")},
		"case only":  {verifiertest.NewSignatureAlgorithm("TEST-1"), verifiertest.NewSignatureAlgorithm("test-1")},
		"key type":   {other(func(s *verifier.AlgorithmSpec) { s.KeyType = "oct" })},
		"public key": {other(func(s *verifier.AlgorithmSpec) { s.Members = nil })},
		"16,384": {other(func(s *verifier.AlgorithmSpec) {
			s.Members = []verifier.KeyMember{{Name: "pub", MinSize: 1, MaxSize: 1 << 20}}
		})},
	} {
		_, err := verifier.New(verifier.Config{Domain: "a.example", Audience: "b", SignatureAlgorithms: list})
		var config *verifier.ConfigError
		if !errors.As(err, &config) || !strings.HasPrefix(config.Field, "SignatureAlgorithms[") || !strings.Contains(config.Problem, problem) || strings.Contains(err.Error(), "\n") {
			t.Errorf("New = %v; want one error of SignatureAlgorithms with %q", err, problem)
		}
	}
	for field, cfg := range map[string]verifier.Config{
		"Algorithms":      {Algorithms: []string{"TEST-1"}},
		"DPoP.Algorithms": {DPoP: verifier.DPoPConfig{Algorithms: []string{"TEST-1"}}},
	} {
		cfg.Domain, cfg.Audience = "a.example", "b"
		_, err := verifier.New(cfg)
		var config *verifier.ConfigError
		if !errors.As(err, &config) || config.Field != field+"[0]" || !strings.Contains(config.Problem, "SignatureAlgorithms") {
			t.Errorf("New = %v; want an error of %s", err, field)
		}
		cfg.SignatureAlgorithms = []verifier.SignatureAlgorithm{verifiertest.NewSignatureAlgorithm("TEST-1")}
		if v, err := verifier.New(cfg); err != nil {
			t.Errorf("%s with the algorithm: %v", field, err)
		} else {
			_ = v.Close()
		}
	}
}

// TestSizesOfProofs: keys and signatures outside of the standard library are
// long, and an error says which bound was met.
func TestSizesOfProofs(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*verifier.Config)
		limit  int
	}{
		"standard": {func(cfg *verifier.Config) { cfg.DPoP.Algorithms = nil }, 8 << 10},
		"outside":  {func(*verifier.Config) {}, 16 << 10},
		"as told":  {func(cfg *verifier.Config) { cfg.DPoP.MaxProofSize = 9000 }, 9000},
		"accelerated": {func(cfg *verifier.Config) {
			cfg.SignatureAlgorithms, cfg.DPoP.Algorithms, cfg.Algorithms = []verifier.SignatureAlgorithm{accelerator{spec: rs256}}, []string{"RS256"}, nil
		}, 8 << 10},
	} {
		w := newOutsideWorld(t, c.change)
		for size, want := range map[int]verifier.Reason{c.limit: reason.ProofMalformed, c.limit + 1: reason.ProofTooLarge} {
			_, err := w.VerifyDPoPProof(t.Context(), verifier.ProofRequest{Proof: strings.Repeat("a", size), Method: "GET", URL: "https://api.example/"})
			var refusal *verifier.Error
			if !errors.As(err, &refusal) || refusal.Reason != want || (refusal.Limit == c.limit) != (size > c.limit) {
				t.Errorf("%s: a proof of %d bytes: %v, limit %d; want %s", name, size, err, refusal.Limit, want)
			}
		}
	}
	w := newOutsideWorld(t, func(cfg *verifier.Config) { cfg.MaxTokenSize = 1000 })
	_, err := w.VerifyAccessToken(t.Context(), strings.Repeat("a", 1001))
	if want := "verifier: the access token is too large (more than 1000 bytes)"; err == nil || err.Error() != want {
		t.Errorf("a long token: %v; want %q", err, want)
	}
}
