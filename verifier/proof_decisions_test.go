package verifier_test

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
)

// proofDecisions are decisions on a proof, each by one small change of a good
// one (RFC 9449, Section 4.3).
var proofDecisions = []struct {
	name             string
	headerOld, toNew string
	claimOld, newTo  string
	want             verifier.Reason
	claim            string
}{
	{name: "good"},
	{name: "typ in capitals", headerOld: `"dpop+jwt"`, toNew: `"DPoP+JWT"`},
	{name: "typ with prefix", headerOld: `"dpop+jwt"`, toNew: `"Application/dpop+jwt"`},
	{name: "typ of the prefix alone", headerOld: `"dpop+jwt"`, toNew: `"application/"`, want: reason.ProofType},
	{name: "typ as long as the prefix", headerOld: `"dpop+jwt"`, toNew: `"xxxxdpop+jwt"`, want: reason.ProofType},
	{name: "typ with another prefix", headerOld: `"dpop+jwt"`, toNew: `"xpplication/dpop+jwt"`, want: reason.ProofType},
	{name: "typ at+jwt", headerOld: `"dpop+jwt"`, toNew: `"at+jwt"`, want: reason.ProofType},
	{name: "no typ", headerOld: `,"typ":"dpop+jwt"`, toNew: ``, want: reason.ProofType},
	{name: "alg none", headerOld: `"ES256"`, toNew: `"none"`, want: reason.ProofAlgorithm},
	{name: "alg not allowed", headerOld: `"ES256"`, toNew: `"ES384"`, want: reason.ProofAlgorithm},
	{name: "alg that the key is not for", headerOld: `"ES256"`, toNew: `"EdDSA"`, want: reason.ProofKey},
	{name: "no alg", headerOld: `"alg":"ES256",`, toNew: ``, want: reason.ProofAlgorithm},
	{name: "crit", headerOld: `"typ"`, toNew: `"crit":[],"typ"`, want: reason.ProofMalformed},
	{name: "no jwk", headerOld: `"jwk":`, toNew: `"JWK":`, want: reason.ProofKey},
	{name: "jwk no object", headerOld: `"jwk":{`, toNew: `"jwk":[],"x":{`, want: reason.ProofKey},
	{name: "jwk private", headerOld: `"jwk":{`, toNew: `"jwk":{"d":"AA",`, want: reason.ProofKey},
	{name: "jwk for encryption", headerOld: `"jwk":{`, toNew: `"jwk":{"use":"enc",`, want: reason.ProofKey},
	{name: "jwk to sign", headerOld: `"jwk":{`, toNew: `"jwk":{"key_ops":["sign"],`, want: reason.ProofKey},
	{name: "jwk to verify", headerOld: `"jwk":{`, toNew: `"jwk":{"key_ops":["verify"],"use":"sig","alg":"ES256","kid":"x",`},
	{name: "jwk of another alg", headerOld: `"jwk":{`, toNew: `"jwk":{"alg":"ES384",`, want: reason.ProofKey},
	{name: "jwk of another curve", headerOld: `"P-256"`, toNew: `"P-384"`, want: reason.ProofKey},
	{name: "jwk of another type", headerOld: `"EC"`, toNew: `"RSA"`, want: reason.ProofKey},
	{name: "kid beside", headerOld: `"typ"`, toNew: `"kid":"x","typ"`},

	{name: "no jti", claimOld: `"jti":"j"`, newTo: `"x":1`, want: reason.ProofClaim, claim: "jti"},
	{name: "jti empty", claimOld: `"jti":"j"`, newTo: `"jti":""`, want: reason.ProofClaim, claim: "jti"},
	{name: "jti number", claimOld: `"jti":"j"`, newTo: `"jti":1`, want: reason.ProofClaim, claim: "jti"},
	{name: "htm number", claimOld: `"htm":"GET"`, newTo: `"htm":1`, want: reason.ProofClaim, claim: "htm"},
	{name: "htm other", claimOld: `"GET"`, newTo: `"POST"`, want: reason.ProofMethod},
	{name: "htm in small letters", claimOld: `"GET"`, newTo: `"get"`, want: reason.ProofMethod},
	{name: "htu null", claimOld: `"htu":"`, newTo: `"htu":null,"x":"`, want: reason.ProofClaim, claim: "htu"},
	{name: "htu relative", claimOld: fuzzURL, newTo: `/orders`, want: reason.ProofURL},
	{name: "htu other", claimOld: fuzzURL, newTo: fuzzURL + `/`, want: reason.ProofURL},
	{name: "htu http", claimOld: `https:`, newTo: `http:`, want: reason.ProofURL},
	{name: "htu with query", claimOld: fuzzURL, newTo: fuzzURL + `?a=b`},
	{name: "htu with default port", claimOld: `example.com`, newTo: `EXAMPLE.com:443`},
	{name: "iat missing", claimOld: `"iat"`, newTo: `"x"`, want: reason.ProofClaim, claim: "iat"},
	{name: "iat text", claimOld: `1767225600`, newTo: `"1767225600"`, want: reason.ProofClaim, claim: "iat"},
	{name: "iat oldest", claimOld: `1767225600`, newTo: `1767225300`},
	{name: "iat older", claimOld: `1767225600`, newTo: `1767225299.999999999`, want: reason.ProofIssuedAt},
	{name: "iat latest", claimOld: `1767225600`, newTo: `1767225630`},
	{name: "iat later", claimOld: `1767225600`, newTo: `1767225630.000000001`, want: reason.ProofIssuedAt},
	{name: "ath missing", claimOld: `"ath"`, newTo: `"x"`, want: reason.ProofClaim, claim: "ath"},
	{name: "ath other", claimOld: `"ath":"`, newTo: `"ath":"A`, want: reason.ProofTokenHash},
	{name: "nonce", claimOld: `"jti"`, newTo: `"nonce":"n","jti"`},
	{name: "nonce number", claimOld: `"jti"`, newTo: `"nonce":1,"jti"`, want: reason.ProofClaim, claim: "nonce"},
}

func TestProofDecisions(t *testing.T) {
	w := newFuzzWorld(t, func(cfg *verifier.Config) { cfg.DPoP.Algorithms = []string{"ES256", "EdDSA"} })
	bound := w.boundToken()
	for _, d := range proofDecisions {
		header, claims := w.proofHeader(), w.proofClaims(bound)
		if d.headerOld != "" {
			header = change(t, header, d.headerOld, d.toNew)
		}
		if d.claimOld != "" {
			claims = change(t, claims, d.claimOld, d.newTo)
		}
		// Twice: the second time the key of the header may be remembered.
		for range 2 {
			_, err := w.v.VerifyDPoPProof(t.Context(), verifier.ProofRequest{
				Proof: w.proof(t, header, claims), AccessToken: bound, Method: "GET", URL: fuzzURL, JWKThumbprint: w.thumbprint(),
			})
			if got := reasonOf(t, err); got != d.want {
				t.Errorf("%s: %q; want %q", d.name, got, d.want)
			}
			var e *verifier.Error
			if errors.As(err, &e) && e.Claim != d.claim {
				t.Errorf("%s: claim %q; want %q", d.name, e.Claim, d.claim)
			}
		}
	}
}

func TestProofRequests(t *testing.T) {
	w := newFuzzWorld(t, nil)
	bound := w.boundToken()
	good := verifier.ProofRequest{
		Proof: w.proof(t, w.proofHeader(), w.proofClaims(bound)), AccessToken: bound, Method: "GET", URL: fuzzURL, JWKThumbprint: w.thumbprint(),
	}
	for name, c := range map[string]struct {
		change func(*verifier.ProofRequest)
		want   verifier.Reason
	}{
		"good":              {func(*verifier.ProofRequest) {}, ""},
		"binding unchecked": {func(r *verifier.ProofRequest) { r.JWKThumbprint = "" }, ""},
		"binding":           {func(r *verifier.ProofRequest) { r.JWKThumbprint = strings.Repeat("A", 43) }, reason.BindingMismatch},
		"token":             {func(r *verifier.ProofRequest) { r.AccessToken += "x" }, reason.ProofTokenHash},
		"no method":         {func(r *verifier.ProofRequest) { r.Method = "" }, reason.Argument},
		"no URL":            {func(r *verifier.ProofRequest) { r.URL = "" }, reason.Argument},
		"relative URL":      {func(r *verifier.ProofRequest) { r.URL = "/orders" }, reason.Argument},
		"URL without host":  {func(r *verifier.ProofRequest) { r.URL = "https://" }, reason.Argument},
		"URL of ftp":        {func(r *verifier.ProofRequest) { r.URL = "ftp://api.example.com/orders" }, reason.Argument},
		"bad path, https":   {func(r *verifier.ProofRequest) { r.URL = "https://api.example.com/%zz" }, reason.ProofURL},
		"bad path, HTTP":    {func(r *verifier.ProofRequest) { r.URL = "HTTP://api.example.com/%zz" }, reason.ProofURL},
		"no proof":          {func(r *verifier.ProofRequest) { r.Proof = "" }, reason.ProofMalformed},
		"two proofs":        {func(r *verifier.ProofRequest) { r.Proof += "," + r.Proof }, reason.ProofMultiple},
		"signature":         {func(r *verifier.ProofRequest) { r.Proof = r.Proof[:len(r.Proof)-8] + "AAAAAAAA" }, reason.ProofSignature},
	} {
		req := good
		c.change(&req)
		_, err := w.v.VerifyDPoPProof(t.Context(), req)
		if got := reasonOf(t, err); got != c.want {
			t.Errorf("%s: %q; want %q", name, got, c.want)
		}
	}
	for size, want := range map[int]verifier.Reason{len(good.Proof): "", len(good.Proof) - 1: reason.ProofTooLarge} {
		small := newFuzzWorld(t, func(cfg *verifier.Config) { cfg.DPoP.MaxProofSize = size })
		_, err := small.v.VerifyDPoPProof(t.Context(), good)
		if got := reasonOf(t, err); got != want {
			t.Errorf("%d bytes of at most %d: %q; want %q", len(good.Proof), size, got, want)
		}
	}
}

// fixedNonces issues and accepts what it is told to.
type fixedNonces struct {
	next, good         string
	issueErr, checkErr error
}

func (n fixedNonces) Issue(context.Context) (string, error) { return n.next, n.issueErr }
func (n fixedNonces) Check(_ context.Context, nonce string) (bool, error) {
	return nonce == n.good, n.checkErr
}

func TestNonceDecisions(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		nonces fixedNonces
		claim  string
		want   verifier.Reason
	}{
		"good":            {fixedNonces{next: "m", good: "n"}, `"n"`, ""},
		"none":            {fixedNonces{next: "m", good: ""}, ``, reason.NonceRequired},
		"empty":           {fixedNonces{next: "m", good: ""}, `""`, reason.NonceRequired},
		"number":          {fixedNonces{next: "m", good: "1"}, `1`, reason.NonceRequired},
		"other":           {fixedNonces{next: "m", good: "n"}, `"o"`, reason.NonceNotAccepted},
		"check fails":     {fixedNonces{next: "m", good: "n", checkErr: broken}, `"n"`, reason.NonceSource},
		"issue fails":     {fixedNonces{next: "m", good: "n", issueErr: broken}, `"n"`, reason.NonceSource},
		"issues nothing":  {fixedNonces{next: "", good: "n"}, `"n"`, reason.NonceSource},
		"issues a space":  {fixedNonces{next: "a b", good: "n"}, `"n"`, reason.NonceSource},
		"issues a quote":  {fixedNonces{next: `a"b`, good: "n"}, `"n"`, reason.NonceSource},
		"issues a slash":  {fixedNonces{next: `a\b`, good: "n"}, `"n"`, reason.NonceSource},
		"issues a delete": {fixedNonces{next: "a\x7fb", good: "n"}, `"n"`, reason.NonceSource},
		"issues a line":   {fixedNonces{next: "a\r\nb", good: "n"}, `"n"`, reason.NonceSource},
		"issues the ends": {fixedNonces{next: "!#[]~", good: "n"}, `"n"`, ""},
	} {
		w := newFuzzWorld(t, func(cfg *verifier.Config) { cfg.DPoP.Nonces = c.nonces })
		bound := w.boundToken()
		claims := w.proofClaims(bound)
		if c.claim != "" {
			claims = change(t, claims, `"jti"`, `"nonce":`+c.claim+`,"jti"`)
		}
		got, err := w.v.VerifyRequest(t.Context(), dpop(bound, w.proof(t, w.proofHeader(), claims)))
		if reason := reasonOf(t, err); reason != c.want {
			t.Errorf("%s: %q; want %q", name, reason, c.want)
		}
		var e *verifier.Error
		switch errors.As(err, &e); c.want {
		case "":
			if got == nil || got.Proof.NextNonce != c.nonces.next {
				t.Errorf("%s: the next nonce is missing", name)
			}
		case reason.NonceRequired, reason.NonceNotAccepted:
			if e.DPoPNonce != "m" || e.Code != verifier.CodeUseDPoPNonce || e.Status != 401 {
				t.Errorf("%s: %d %s with nonce %q", name, e.Status, e.Code, e.DPoPNonce)
			}
		}
	}
}

// recordingStore tells what it was asked to remember.
type recordingStore struct {
	keys  []string
	ttls  []time.Duration
	known bool
	err   error
}

func (s *recordingStore) Add(_ context.Context, key string, ttl time.Duration) (bool, error) {
	s.keys, s.ttls = append(s.keys, key), append(s.ttls, ttl)
	return !s.known, s.err
}

type quotaUsed struct{ is bool }

func (quotaUsed) Error() string         { return "quota" }
func (q quotaUsed) QuotaExceeded() bool { return q.is }

func TestReplayDecisions(t *testing.T) {
	for name, c := range map[string]struct {
		store *recordingStore
		open  bool
		want  verifier.Reason
		event verifier.EventKind
		tells bool
	}{
		"new":                  {store: &recordingStore{}},
		"known":                {store: &recordingStore{known: true}, want: reason.ProofReplayed, event: verifier.EventReplay, tells: true},
		"down":                 {store: &recordingStore{err: errors.New("down")}, want: reason.ReplayStore, event: verifier.EventReplayFault, tells: true},
		"down, open":           {store: &recordingStore{err: errors.New("down")}, open: true, event: verifier.EventReplayFault, tells: true},
		"known, open":          {store: &recordingStore{known: true}, open: true, want: reason.ProofReplayed, event: verifier.EventReplay, tells: true},
		"quota":                {store: &recordingStore{err: fmt.Errorf("x: %w", quotaUsed{true})}, want: reason.ProofQuota},
		"quota, open":          {store: &recordingStore{err: quotaUsed{true}}, open: true, want: reason.ProofQuota},
		"a quota that is none": {store: &recordingStore{err: quotaUsed{false}}, want: reason.ReplayStore, event: verifier.EventReplayFault, tells: true},
	} {
		told := make(map[verifier.EventKind]int)
		w := newFuzzWorld(t, func(cfg *verifier.Config) {
			cfg.DPoP.AllowReplays, cfg.DPoP.ReplayStore, cfg.DPoP.AllowReplayStoreFailure = false, c.store, c.open
			cfg.Observer = verifier.ObserverFunc(func(e verifier.Event) { told[e.Kind]++ })
		})
		bound := w.boundToken()
		_, err := w.v.VerifyRequest(t.Context(), dpop(bound, w.proof(t, w.proofHeader(), w.proofClaims(bound))))
		if got := reasonOf(t, err); got != c.want {
			t.Errorf("%s: %q; want %q", name, got, c.want)
		}
		if got := told[verifier.EventReplay] + told[verifier.EventReplayFault]; c.tells && told[c.event] != 1 || !c.tells && got != 0 {
			t.Errorf("%s: events %v", name, told)
		}
		if len(c.store.keys) != 1 || c.store.ttls[0] < 329*time.Second || c.store.ttls[0] > 331*time.Second {
			t.Errorf("%s: remembered %v for %v", name, c.store.keys, c.store.ttls)
		}
	}
}

// TestReplayKeysTellProofsApart: by key, identifier, method and URL, each by
// itself.
func TestReplayKeysTellProofsApart(t *testing.T) {
	store := &recordingStore{}
	w := newFuzzWorld(t, func(cfg *verifier.Config) { cfg.DPoP.AllowReplays, cfg.DPoP.ReplayStore = false, store })
	bound := w.boundToken()
	send := func(claims, method, url string) {
		t.Helper()
		_, err := w.v.VerifyDPoPProof(t.Context(), verifier.ProofRequest{
			Proof: w.proof(t, w.proofHeader(), claims), AccessToken: bound, Method: method, URL: url,
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	claims := w.proofClaims(bound)
	send(claims, "GET", fuzzURL)
	send(claims, "GET", fuzzURL+"?other=query")
	send(change(t, claims, `"jti":"j"`, `"jti":"jG"`), "GET", fuzzURL)
	send(change(t, claims, `"GET"`, `"ET"`), "ET", fuzzURL)
	send(change(t, change(t, claims, `"GET"`, `"ET"`), `"jti":"j"`, `"jti":"jG"`), "ET", fuzzURL)
	send(change(t, claims, fuzzURL, fuzzURL+"/1"), "GET", fuzzURL+"/1")
	seen := make(map[string]bool)
	prefix, _, _ := strings.Cut(store.keys[0], ".")
	for _, key := range store.keys {
		if !strings.HasPrefix(key, prefix+".") || len(key) != 2*43+1 {
			t.Errorf("key %q", key)
		}
		seen[key] = true
	}
	if len(seen) != len(store.keys)-1 || store.keys[0] != store.keys[1] {
		t.Errorf("%d different keys of %d proofs, the first two of which are the same", len(seen), len(store.keys))
	}
}

func TestSchemeDecisions(t *testing.T) {
	for mode, name := range map[verifier.DPoPMode]string{verifier.DPoPAllowed: "allowed", verifier.DPoPRequired: "required", verifier.DPoPDisabled: "disabled"} {
		w := newFuzzWorld(t, func(cfg *verifier.Config) { cfg.DPoP.Mode = mode })
		plain, bound := w.token(fuzzHeader, fuzzClaims), w.boundToken()
		proof := w.proof(t, w.proofHeader(), w.proofClaims(bound))
		plainProof := w.proof(t, w.proofHeader(), w.proofClaims(plain))
		none, unsupported, several := reason.NoCredentials, reason.UnsupportedScheme, reason.MultipleCredentials
		for _, c := range []struct {
			name                        string
			h                           http.Header
			allowed, required, disabled verifier.Reason
		}{
			{"nothing", nil, none, none, none},
			{"empty", http.Header{"Authorization": {""}}, none, none, none},
			{"white space", http.Header{"Authorization": {" \t"}}, none, none, none},
			{"Bearer alone", http.Header{"Authorization": {"Bearer"}}, none, none, none},
			{"bearer and space", http.Header{"Authorization": {"bearer  "}}, none, none, none},
			{"DPoP alone", http.Header{"Authorization": {"dpop"}}, none, none, none},
			{"Basic alone", http.Header{"Authorization": {"Basic"}}, unsupported, unsupported, unsupported},
			{"Basic", http.Header{"Authorization": {"Basic eA=="}}, unsupported, unsupported, unsupported},
			{"BearerX", http.Header{"Authorization": {"BearerX " + plain}}, unsupported, unsupported, unsupported},
			{"Bearer", http.Header{"Authorization": {"Bearer " + plain}}, "", unsupported, ""},
			{"bEARER", http.Header{"Authorization": {" bEARER \t " + plain + " "}}, "", unsupported, ""},
			{"Bearer twice", http.Header{"Authorization": {"Bearer " + plain, "Bearer " + plain}}, several, several, several},
			{"two spellings", http.Header{"Authorization": {"Bearer " + plain}, "AUTHORIZATION": {"Bearer " + plain}}, several, several, several},
			{"Bearer and comma", http.Header{"Authorization": {"Bearer " + plain + ",x"}}, several, unsupported, several},
			{"Bearer and text", http.Header{"Authorization": {"Bearer " + plain + " x"}}, reason.TokenMalformed, unsupported, reason.TokenMalformed},
			{"small letters", http.Header{"authorization": {"Bearer " + plain}}, "", unsupported, ""},
			{"another name of that length", http.Header{"Authorizatiom": {"Bearer " + plain}}, none, none, none},
			{"Bearer with proof", http.Header{"Authorization": {"Bearer " + plain}, "Dpop": {plainProof}}, reason.ProofUnexpected, unsupported, ""},
			{"Bearer with another header", http.Header{"Authorization": {"Bearer " + plain}, "Dpox": {plainProof}}, "", unsupported, ""},
			{"bound as Bearer", http.Header{"Authorization": {"Bearer " + bound}}, reason.BoundTokenAsBearer, unsupported, reason.BoundTokenAsBearer},
			{"DPoP", http.Header{"Authorization": {"DPoP " + bound}, "Dpop": {proof}}, "", "", unsupported},
			{"dpop in small letters", http.Header{"authorization": {"dpop " + bound}, "dpop": {proof}}, "", "", unsupported},
			{"DPoP without proof", http.Header{"Authorization": {"DPoP " + bound}}, reason.ProofMissing, reason.ProofMissing, unsupported},
			{"DPoP with an empty proof", http.Header{"Authorization": {"DPoP " + bound}, "Dpop": {""}}, reason.ProofMissing, reason.ProofMissing, unsupported},
			{"DPoP with two proofs", http.Header{"Authorization": {"DPoP " + bound}, "Dpop": {proof, proof}}, reason.ProofMultiple, reason.ProofMultiple, unsupported},
			{"DPoP with a proof in two spellings", http.Header{"Authorization": {"DPoP " + bound}, "Dpop": {proof}, "DPOP": {proof}}, reason.ProofMultiple, reason.ProofMultiple, unsupported},
			{"DPoP with a plain token", http.Header{"Authorization": {"DPoP " + plain}, "Dpop": {plainProof}}, reason.BindingMissing, reason.BindingMissing, unsupported},
			{"DPoP with a broken proof", http.Header{"Authorization": {"DPoP " + bound}, "Dpop": {"x"}}, reason.ProofMalformed, reason.ProofMalformed, unsupported},
		} {
			want := map[verifier.DPoPMode]verifier.Reason{verifier.DPoPAllowed: c.allowed, verifier.DPoPRequired: c.required, verifier.DPoPDisabled: c.disabled}[mode]
			got, err := w.v.VerifyRequest(t.Context(), verifier.Request{Method: "GET", URL: fuzzURL, Header: c.h})
			if reason := reasonOf(t, err); reason != want {
				t.Errorf("%s, %s: %q; want %q", name, c.name, reason, want)
			}
			if err != nil {
				e := mustBeLegal(t, err)
				if want := map[bool]int{true: 400, false: 401}[e.Reason == several || e.Reason == reason.ProofUnexpected]; e.Status != want && e.Reason != reason.ProofMultiple {
					t.Errorf("%s, %s: status %d; want %d", name, c.name, e.Status, want)
				}
			} else if (got.Scheme == verifier.SchemeDPoP) != (got.Proof != nil) {
				t.Errorf("%s, %s: scheme %s, proof %v", name, c.name, got.Scheme, got.Proof)
			}
		}
	}
}

func TestRequestsWithoutMethodOrURL(t *testing.T) {
	w := newFuzzWorld(t, nil)
	bound := w.boundToken()
	proof := w.proof(t, w.proofHeader(), w.proofClaims(bound))
	for _, req := range []verifier.Request{{Method: "GET"}, {URL: fuzzURL}} {
		req.Header = dpop(bound, proof).Header
		_, err := w.v.VerifyRequest(t.Context(), req)
		if got := reasonOf(t, err); got != reason.Argument {
			t.Errorf("%q %q: %q; want %q", req.Method, req.URL, got, reason.Argument)
		}
	}
}

func TestCertificateDecisions(t *testing.T) {
	certificate, other := &x509.Certificate{Raw: []byte("mine")}, &x509.Certificate{Raw: []byte("another")}
	sum := sha256.Sum256(certificate.Raw)
	w := newFuzzWorld(t, nil)
	token := w.token(fuzzHeader, change(t, fuzzClaims, `"sub"`, `"cnf":{"x5t#S256":"`+b64(sum[:])+`"},"sub"`))
	for name, c := range map[string]struct {
		certificate *x509.Certificate
		want        verifier.Reason
	}{
		"its own": {certificate, ""}, "none": {nil, reason.CertificateMissing}, "another": {other, reason.Certificate},
	} {
		req := bearer(token)
		req.ClientCertificate = c.certificate
		_, err := w.v.VerifyRequest(t.Context(), req)
		if got := reasonOf(t, err); got != c.want {
			t.Errorf("%s: %q; want %q", name, got, c.want)
		}
	}
	for name, c := range map[string]struct {
		find func(*http.Request) (*x509.Certificate, error)
		want verifier.Reason
	}{
		"found": {func(*http.Request) (*x509.Certificate, error) { return certificate, nil }, ""},
		"none":  {func(*http.Request) (*x509.Certificate, error) { return nil, nil }, reason.CertificateMissing},
		"error": {func(*http.Request) (*x509.Certificate, error) { return certificate, errors.New("x") }, reason.CertSource},
		"panic": {func(*http.Request) (*x509.Certificate, error) { panic("x") }, reason.CertSource},
	} {
		w := newFuzzWorld(t, func(cfg *verifier.Config) { cfg.ClientCertificate, cfg.TrustUnixPeers = c.find, true })
		req, err := http.NewRequest(http.MethodGet, fuzzURL, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.RemoteAddr = "@"
		req.Header.Set("Authorization", "Bearer "+token)
		_, err = w.v.VerifyHTTPRequest(req)
		if got := reasonOf(t, err); got != c.want {
			t.Errorf("ClientCertificate, %s: %q; want %q", name, got, c.want)
		}
	}
}

func TestDPoPConfigBoundaries(t *testing.T) {
	store := &recordingStore{}
	for name, c := range map[string]struct {
		dpop  verifier.DPoPConfig
		field string
	}{
		"defaults":                   {verifier.DPoPConfig{}, ""},
		"mode below":                 {verifier.DPoPConfig{Mode: verifier.DPoPAllowed - 1}, "DPoP.Mode"},
		"mode above":                 {verifier.DPoPConfig{Mode: verifier.DPoPDisabled + 1}, "DPoP.Mode"},
		"mode last":                  {verifier.DPoPConfig{Mode: verifier.DPoPDisabled}, ""},
		"age 1 s":                    {verifier.DPoPConfig{MaxAge: time.Second}, ""},
		"age below":                  {verifier.DPoPConfig{MaxAge: time.Second - 1}, "DPoP.MaxAge"},
		"age negative":               {verifier.DPoPConfig{MaxAge: -1}, "DPoP.MaxAge"},
		"age 1 h":                    {verifier.DPoPConfig{MaxAge: time.Hour}, ""},
		"age above":                  {verifier.DPoPConfig{MaxAge: time.Hour + 1}, "DPoP.MaxAge"},
		"skew 5 min":                 {verifier.DPoPConfig{FutureSkew: 5 * time.Minute}, ""},
		"skew above":                 {verifier.DPoPConfig{FutureSkew: 5*time.Minute + 1}, "DPoP.FutureSkew"},
		"skew none":                  {verifier.DPoPConfig{FutureSkew: -1}, ""},
		"store time-out 1 min":       {verifier.DPoPConfig{ReplayStore: store, ReplayStoreTimeout: time.Minute}, ""},
		"store time-out above":       {verifier.DPoPConfig{ReplayStore: store, ReplayStoreTimeout: time.Minute + 1}, "DPoP.ReplayStoreTimeout"},
		"store time-out negative":    {verifier.DPoPConfig{ReplayStore: store, ReplayStoreTimeout: -1}, "DPoP.ReplayStoreTimeout"},
		"algorithm":                  {verifier.DPoPConfig{Algorithms: []string{"HS256"}}, "DPoP.Algorithms"},
		"replays and store":          {verifier.DPoPConfig{AllowReplays: true, ReplayStore: store}, "DPoP.AllowReplays"},
		"replays and quota":          {verifier.DPoPConfig{AllowReplays: true, ReplayQuota: 1}, "DPoP.AllowReplays"},
		"replays and failures":       {verifier.DPoPConfig{AllowReplays: true, AllowReplayStoreFailure: true}, "DPoP.AllowReplays"},
		"replays":                    {verifier.DPoPConfig{AllowReplays: true}, ""},
		"quota and store":            {verifier.DPoPConfig{ReplayStore: store, ReplayQuota: 1}, "DPoP.ReplayQuota"},
		"quota":                      {verifier.DPoPConfig{ReplayQuota: 1}, ""},
		"quota negative":             {verifier.DPoPConfig{ReplayQuota: -1}, "DPoP.ReplayQuota"},
		"failures without own store": {verifier.DPoPConfig{AllowReplayStoreFailure: true}, ""},
	} {
		_, err := verifier.New(verifier.Config{Domain: "tenant.example.com", Audience: "a", DPoP: c.dpop})
		var e *verifier.ConfigError
		switch {
		case c.field == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.field != "" && (!errors.As(err, &e) || strings.TrimSuffix(e.Field, "[0]") != c.field):
			t.Errorf("%s: %v; want Config.%s to be refused", name, err, c.field)
		}
	}
}

func TestProofWindowIsConfigured(t *testing.T) {
	w := newFuzzWorld(t, func(cfg *verifier.Config) { cfg.DPoP.MaxAge, cfg.DPoP.FutureSkew = time.Minute, -1 })
	bound := w.boundToken()
	for iat, want := range map[string]verifier.Reason{
		"1767225540": "", "1767225539.9": reason.ProofIssuedAt, "1767225600": "", "1767225600.1": reason.ProofIssuedAt,
	} {
		claims := change(t, w.proofClaims(bound), `"iat":1767225600`, `"iat":`+iat)
		_, err := w.v.VerifyRequest(t.Context(), dpop(bound, w.proof(t, w.proofHeader(), claims)))
		if got := reasonOf(t, err); got != want {
			t.Errorf("iat %s: %q; want %q", iat, got, want)
		}
	}
}
