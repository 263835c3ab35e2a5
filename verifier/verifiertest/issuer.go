package verifiertest

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// Issuer is a fake OpenID Connect issuer on real TLS: discovery document, key
// set, token endpoint and introspection endpoint. It is closed when its test ends, and is safe for
// concurrent use.
type Issuer struct {
	t           testing.TB
	name        string       // as it states it
	path        string       // of the name, without the slash at its end
	client      *http.Client // reaches it
	certificate *x509.Certificate
	clock       verifier.Clock
	alg         string
	newKey      func() signingKey

	mu        sync.Mutex
	serial    int
	keys      []issuerKey // the last one signs
	headers   http.Header // of discovery and key set
	discovery []byte      // nil: as it should be
	jwks      []byte
	failures  int // answers left to fail; negative: all
	status    int
	hang      chan struct{} // not nil: answers wait for it
	counts    Counts
	answer    func(url.Values) (status int, body any)
	exchanges []Exchange
	endpoint  tokenEndpoint

	issued     map[string]map[string]any // claims of opaque and encrypted tokens
	revoked    map[string]bool
	introspect func(url.Values) (status int, body any)
	asked      []Exchange
}

type issuerKey struct {
	id  string
	key signingKey
}

// Counts is how many requests came in.
type Counts struct {
	// Discovery, JWKS, Token and Introspection are the requests of each endpoint.
	Discovery, JWKS, Token, Introspection int
}

// Exchange is a request that the token endpoint got.
type Exchange struct {
	// Form and Header as they came in.
	Form   url.Values
	Header http.Header
}

// Option changes an Issuer.
type Option func(*Issuer)

// WithClock makes the issuer sign and date by a clock. Default: time.Now.
func WithClock(clock verifier.Clock) Option { return func(i *Issuer) { i.clock = clock } }

// WithAlgorithm makes the issuer sign with an algorithm other than RS256.
func WithAlgorithm(name string) Option {
	return func(i *Issuer) { i.alg, i.newKey = name, func() signingKey { return newStandardKey(i.t, name) } }
}

// WithURL gives the issuer a name, such as "https://login.example.com/" or
// "https://idp.example.com/realms/one", which it states exactly so. No server
// is started: the issuer answers inside the process whatever is sent through
// its [Issuer.Client], and nothing else reaches it.
func WithURL(name string) Option { return func(i *Issuer) { i.name = name } }

// NewIssuer starts an issuer and stops it when the test ends.
func NewIssuer(t testing.TB, options ...Option) *Issuer {
	t.Helper()
	i := &Issuer{t: t, clock: verifier.ClockFunc(time.Now), headers: make(http.Header)}
	WithAlgorithm("RS256")(i)
	for _, option := range options {
		option(i)
	}
	i.RotateKeys()
	i.start()
	return i
}

// URL returns the issuer's name, such as "https://127.0.0.1:4321/".
func (i *Issuer) URL() string { return i.name }

// Domain returns what goes into verifier.Config.Domain: the issuer's host, or
// the name where that has a path.
func (i *Issuer) Domain() string {
	if i.path != "" {
		return i.name
	}
	return strings.TrimSuffix(strings.TrimPrefix(i.name, "https://"), "/")
}

// Client returns a client that reaches this issuer, for verifier.Config.Doer.
// See [Client] for one that reaches several.
func (i *Issuer) Client() *http.Client { return i.client }

// Config returns a configuration that trusts this issuer, for an API of this
// audience and with the issuer's clock and algorithm, to be changed at will.
func (i *Issuer) Config(audience string) verifier.Config {
	return verifier.Config{
		Domain: i.Domain(), Audience: audience, Doer: i.Client(), Clock: i.clock, Algorithms: []string{i.alg},
	}
}

// Claims returns good claims for an audience: iss, sub, aud, iat, exp (an hour
// later), jti and client_id, with extra ones on top. An extra claim of nil
// removes the claim.
func (i *Issuer) Claims(audience string, extra map[string]any) map[string]any {
	now := i.clock.Now().Unix()
	i.mu.Lock()
	i.serial++
	serial := i.serial
	i.mu.Unlock()
	claims := map[string]any{
		"iss": i.URL(), "sub": "user-1", "aud": audience, "iat": now, "exp": now + 3600,
		"jti": "token-" + strconv.Itoa(serial), "client_id": "client-1",
	}
	maps.Copy(claims, extra)
	maps.DeleteFunc(claims, func(_ string, value any) bool { return value == nil })
	return claims
}

// Sign returns an access token with the claims of [Issuer.Claims].
func (i *Issuer) Sign(audience string, extra map[string]any) string {
	i.t.Helper()
	return i.SignWith(nil, i.Claims(audience, extra))
}

// SignWith signs exactly these claims. Header parameters come on top of alg,
// kid and typ "at+jwt"; nil removes one.
func (i *Issuer) SignWith(header, claims map[string]any) string {
	i.t.Helper()
	i.mu.Lock()
	key := i.keys[len(i.keys)-1]
	i.mu.Unlock()
	all := map[string]any{"kid": key.id, "typ": "at+jwt"}
	maps.Copy(all, header)
	maps.DeleteFunc(all, func(_ string, value any) bool { return value == nil })
	token, err := key.key.sign(all, claims)
	if err != nil {
		i.t.Fatalf("verifiertest: %v", err)
	}
	return token
}

// RotateKeys makes a new signing key, publishes it, and forgets all older ones.
func (i *Issuer) RotateKeys() { i.rotate(false) }

// AddKey makes a new signing key and publishes it beside the older ones.
func (i *Issuer) AddKey() { i.rotate(true) }

func (i *Issuer) rotate(keep bool) {
	i.t.Helper()
	key := i.newKey()
	i.mu.Lock()
	defer i.mu.Unlock()
	i.serial++
	if !keep {
		i.keys = nil
	}
	i.keys = append(i.keys, issuerKey{"key-" + strconv.Itoa(i.serial), key})
}

// JWKS returns the key set that the issuer publishes, for verifier.NewStaticKeys
// and the like.
func (i *Issuer) JWKS() []byte {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.keySet())
}

// SetHeader sets a header of the discovery document and the key set, such as
// Cache-Control; an empty value removes it.
func (i *Issuer) SetHeader(name, value string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.headers.Del(name)
	if value != "" {
		i.headers.Set(name, value)
	}
}

// SetDiscovery answers with this body instead of a good document; nil restores
// that.
func (i *Issuer) SetDiscovery(body []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.discovery = body
}

// SetJWKS answers with this body instead of the key set; nil restores that.
func (i *Issuer) SetJWKS(body []byte) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.jwks = body
}

// FailNext answers the next n requests with a status; a negative n answers all
// so until [Issuer.Recover].
func (i *Issuer) FailNext(n, status int) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.failures, i.status = n, status
}

// Hang lets requests wait until [Issuer.Recover] or their own end.
func (i *Issuer) Hang() {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.hang == nil {
		i.hang = make(chan struct{})
	}
}

// Recover ends FailNext and Hang.
func (i *Issuer) Recover() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.failures = 0
	if i.hang != nil {
		close(i.hang)
		i.hang = nil
	}
}

// Requests returns how many requests came in so far.
func (i *Issuer) Requests() Counts {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.counts
}

// AnswerExchanges lets f answer token requests: a status and a value for the
// JSON body. Default: 200 with a token of RFC 8693.
func (i *Issuer) AnswerExchanges(f func(form url.Values) (status int, body any)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = f
}

// Exchanges returns the token requests that came in, oldest first.
func (i *Issuer) Exchanges() []Exchange {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]Exchange(nil), i.exchanges...)
}

// Handler returns the issuer as a handler, for servers of the test's own. It
// answers to the path of the issuer's name and sets no CORS headers.
func (i *Issuer) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+i.path+"/.well-known/openid-configuration", func(w http.ResponseWriter, r *http.Request) {
		i.serve(w, r, &i.counts.Discovery, func() []byte { return i.discoveryDocument() })
	})
	mux.HandleFunc("GET "+i.path+"/.well-known/jwks.json", func(w http.ResponseWriter, r *http.Request) {
		i.serve(w, r, &i.counts.JWKS, func() []byte { return i.keySet() })
	})
	mux.HandleFunc("POST "+i.path+"/oauth/token", i.serveToken)
	mux.HandleFunc("POST "+i.path+"/mtls/oauth/token", i.serveToken)
	mux.HandleFunc("POST "+i.path+"/oauth/introspect", i.serveIntrospection)
	mux.HandleFunc("POST "+i.path+"/mtls/oauth/introspect", i.serveIntrospection)
	return mux
}

// serve counts, fails or hangs, and answers with the document.
func (i *Issuer) serve(w http.ResponseWriter, r *http.Request, count *int, document func() []byte) {
	if !i.admit(w, r, count) {
		return
	}
	i.mu.Lock()
	body := document()
	for name := range i.headers {
		w.Header().Set(name, i.headers.Get(name))
	}
	i.mu.Unlock()
	if etag := w.Header().Get("ETag"); etag != "" && r.Header.Get("If-None-Match") == etag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = w.Write(body)
}

// admit reports whether a request is to be answered.
func (i *Issuer) admit(w http.ResponseWriter, r *http.Request, count *int) bool {
	i.mu.Lock()
	*count++
	hang, fail, status := i.hang, i.failures != 0, i.status
	if i.failures > 0 {
		i.failures--
	}
	i.mu.Unlock()
	if hang != nil {
		select {
		case <-hang:
		case <-r.Context().Done():
			// A client may still see it: the end of its connection reaches the server
			// in two steps.
			http.Error(w, "the client has gone", http.StatusServiceUnavailable)
			return false
		}
	}
	if fail {
		http.Error(w, http.StatusText(status), status)
	}
	return !fail
}

func (i *Issuer) discoveryDocument() []byte {
	if i.discovery != nil {
		return i.discovery
	}
	base := strings.TrimSuffix(i.name, "/") + "/"
	document := map[string]any{
		"issuer": i.name, "jwks_uri": base + ".well-known/jwks.json", "token_endpoint": base + "oauth/token",
		"introspection_endpoint": base + "oauth/introspect", "authorization_endpoint": base + "authorize", "response_types_supported": []string{"code"},
		"subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{i.alg},
	}
	if i.endpoint.mtls {
		document["mtls_endpoint_aliases"] = map[string]string{
			"token_endpoint": base + "mtls/oauth/token", "introspection_endpoint": base + "mtls/oauth/introspect",
		}
	}
	return mustJSON(document)
}

func (i *Issuer) keySet() []byte {
	if i.jwks != nil {
		return i.jwks
	}
	keys := make([]any, 0, len(i.keys))
	for _, key := range i.keys {
		keys = append(keys, key.key.published(key.id))
	}
	return mustJSON(map[string]any{"keys": keys})
}

func (i *Issuer) serveToken(w http.ResponseWriter, r *http.Request) {
	if !i.admit(w, r, &i.counts.Token) {
		return
	}
	if err := r.ParseForm(); err != nil {
		http.Error(w, "malformed form", http.StatusBadRequest)
		return
	}
	i.mu.Lock()
	i.exchanges = append(i.exchanges, Exchange{Form: r.PostForm, Header: r.Header.Clone()})
	answer, tokenType := i.answer, "Bearer"
	if i.endpoint.proofs {
		tokenType = "DPoP"
	}
	i.mu.Unlock()
	if !i.admitClient(w, r) {
		return
	}
	status, body := http.StatusOK, any(map[string]any{
		"access_token": "exchanged", "token_type": tokenType, "expires_in": 3600,
		"issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
	})
	if answer != nil {
		status, body = answer(r.PostForm)
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(mustJSON(body))
}

// mustJSON is for values that always marshal; others show up in the body.
func mustJSON(value any) []byte {
	data, err := json.Marshal(value)
	if err != nil {
		return fmt.Appendf(nil, "verifiertest: %v", err)
	}
	return data
}
