package exchange_test

import (
	"cmp"
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// downstreamAPI is an API behind a Verifier of its own, as an http.RoundTripper.
type downstreamAPI struct {
	handler http.Handler

	mu   sync.Mutex
	sent []*http.Request
}

func (a *downstreamAPI) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	a.sent = append(a.sent, r)
	a.mu.Unlock()
	served := r.Clone(r.Context())
	served.RequestURI = r.URL.RequestURI()
	if served.Host == "" {
		served.Host = r.URL.Host
	}
	if served.Body == nil {
		served.Body = http.NoBody
	}
	served.URL = &url.URL{Path: r.URL.Path, RawQuery: r.URL.RawQuery}
	w := httptest.NewRecorder()
	a.handler.ServeHTTP(w, served)
	if r.Body != nil {
		_ = r.Body.Close()
	}
	resp := w.Result()
	resp.Request = r
	return resp, nil
}

func (a *downstreamAPI) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.sent)
}

// newDownstream returns an API that answers with whose token it was called, and
// the body that it was sent, and a client whose tokens are for it.
func newDownstream(t *testing.T, key crypto.Signer, nonces bool, change func(*exchange.Config)) (*downstreamAPI, *exchange.Client) {
	t.Helper()
	issuer := verifiertest.NewIssuer(t, verifiertest.WithURL("https://tenant.example/"), verifiertest.WithAlgorithm("ES256"))
	tokenType, more := "Bearer", map[string]any{}
	if key != nil {
		tokenType = "DPoP"
		more["cnf"] = map[string]any{"jkt": thumbprint(t, key)}
	}
	issuer.AnswerExchanges(func(form url.Values) (int, any) {
		claims := map[string]any{"sub": "the user of " + form.Get("subject_token")}
		for name, value := range more {
			claims[name] = value
		}
		return 200, map[string]any{"access_token": issuer.Sign(form.Get("audience"), claims), "token_type": tokenType, "expires_in": 600}
	})
	cfg := issuer.Config(backend)
	if nonces {
		source, err := verifier.NewNonceSource(verifier.NonceConfig{Secrets: [][]byte{sealKey}})
		if err != nil {
			t.Fatal(err)
		}
		cfg.DPoP.Nonces = source
	}
	cfg.ExternalURL = backend
	v, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = v.Close() })
	api := &downstreamAPI{handler: verifier.Middleware(v, verifier.MiddlewareConfig{})(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token, _ := verifier.TokenFromContext(r.Context())
		data, _ := io.ReadAll(r.Body)
		_, _ = fmt.Fprintf(w, "%s|%s|%s", token.Subject, token.Scheme, data)
	}))}
	c := newClient(t, issuer, func(cfg *exchange.Config) {
		cfg.DPoPKey = key
		if change != nil {
			change(cfg)
		}
	})
	return api, c
}

func downstreamClient(t *testing.T, api *downstreamAPI, c *exchange.Client) *http.Client {
	t.Helper()
	source, err := c.TokenSource(exchange.OnBehalfOfRequest{Audience: backend})
	if err != nil {
		t.Fatal(err)
	}
	transport, err := source.Transport(api, backend)
	if err != nil {
		t.Fatal(err)
	}
	return &http.Client{Transport: transport}
}

func call(ctx context.Context, client *http.Client, method, target, body string) (status int, text string, err error) {
	var reader io.Reader
	if body != "" {
		reader = strings.NewReader(body)
	}
	r, err := http.NewRequestWithContext(ctx, method, target, reader)
	if err != nil {
		return 0, "", err
	}
	r.Header.Set("Authorization", "Bearer of somebody else")
	r.Header.Set("DPoP", "a proof of somebody else")
	resp, err := client.Do(r)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if resp.Request.Header.Get("Authorization") != "Bearer of somebody else" {
		return 0, "", errors.New("the response's request is not the caller's")
	}
	return resp.StatusCode, string(data), err
}

// TestTransport: the API sees the caller's token, bound where there is a key, and
// the body of a request that was repeated for a nonce.
func TestTransport(t *testing.T) {
	for name, c := range map[string]struct {
		dpop, nonces bool
		scheme       string
		first, later int // requests
	}{
		"Bearer":           {false, false, "Bearer", 1, 1},
		"DPoP":             {true, false, "DPoP", 1, 1},
		"DPoP with nonces": {true, true, "DPoP", 2, 1},
	} {
		var key crypto.Signer
		if c.dpop {
			key = newKey(t, "ES256")
		}
		api, client := newDownstream(t, key, c.nonces, nil)
		h := downstreamClient(t, api, client)
		ctx := exchange.ContextWithSubject(t.Context(), "alice")
		for i, want := range []int{c.first, c.later, c.later} {
			before := api.count()
			status, text, err := call(ctx, h, http.MethodPost, backend+"/x?y=1", "the body")
			if err != nil || status != 200 || text != "the user of alice|"+c.scheme+"|the body" {
				t.Fatalf("%s, %d: %d %q, %v", name, i, status, text, err)
			}
			if got := api.count() - before; got != want {
				t.Errorf("%s, %d: %d requests; want %d", name, i, got, want)
			}
		}
	}
}

// TestTransportRetriesOnce: an API that always asks for another nonce is asked
// twice; a body that cannot be had again is sent once.
func TestTransportRetriesOnce(t *testing.T) {
	_, client := newDownstream(t, newKey(t, "ES256"), false, nil)
	n := 0
	api := &downstreamAPI{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n++
		w.Header().Set("DPoP-Nonce", fmt.Sprint("nonce-", n))
		w.Header().Add("WWW-Authenticate", `Bearer realm="api"`)
		w.Header().Add("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
		w.WriteHeader(http.StatusUnauthorized)
	})}
	h := downstreamClient(t, api, client)
	ctx := exchange.ContextWithSubject(t.Context(), "alice")
	if status, _, err := call(ctx, h, http.MethodGet, backend+"/", ""); err != nil || status != 401 || n != 2 {
		t.Errorf("%d after %d requests, %v; want 401 after 2", status, n, err)
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, backend+"/", io.MultiReader(strings.NewReader("once")))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := h.Do(r)
	if err != nil || resp.StatusCode != 401 || n != 3 {
		t.Errorf("a body that is there once: %v after %d requests; want 401 after 3", err, n)
	}
	// A refusal for another reason, or without a nonce, is not repeated.
	for header, value := range map[string]string{"WWW-Authenticate": `DPoP error="invalid_token"`, "DPoP-Nonce": ""} {
		n = 0
		api := &downstreamAPI{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n++
			w.Header().Set("DPoP-Nonce", "another")
			w.Header().Set("WWW-Authenticate", `DPoP error="use_dpop_nonce"`)
			w.Header().Set(header, value)
			w.WriteHeader(http.StatusUnauthorized)
		})}
		if status, _, err := call(ctx, downstreamClient(t, api, client), http.MethodGet, backend+"/", ""); err != nil || status != 401 || n != 1 {
			t.Errorf("%s: %d after %d requests, %v; want 401 after 1", header, status, n, err)
		}
	}
}

// inTurn is a RoundTripper that gives one answer after the other, and remembers
// what it was sent.
type inTurn struct {
	list []func(*http.Request) (*http.Response, error)
	sent []*http.Request
}

func (a *inTurn) RoundTrip(r *http.Request) (*http.Response, error) {
	a.sent = append(a.sent, r)
	return a.list[len(a.sent)-1](r)
}

// answer has a status, a nonce, a challenge and a body that says when it was read
// to its end and closed.
func answer(status int, nonce, challenge string, body *watchedBody) func(*http.Request) (*http.Response, error) {
	return func(r *http.Request) (*http.Response, error) {
		header := http.Header{"Dpop-Nonce": {nonce}, "Www-Authenticate": {challenge}}
		return &http.Response{StatusCode: status, Header: header, Body: body, Request: r}, nil
	}
}

type watchedBody struct {
	io.Reader
	read, closed bool
}

func (b *watchedBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.read = b.read || err == io.EOF
	return n, err
}

func (b *watchedBody) Close() error { b.closed = true; return nil }

func newBody() *watchedBody { return &watchedBody{Reader: strings.NewReader("refused")} }

// nonceOf returns the nonce and method of the proof that a request was sent with.
func nonceOf(t *testing.T, r *http.Request) (nonce, method any) {
	t.Helper()
	_, claims := assertion(t, verifiertest.Exchange{Form: url.Values{"client_assertion": {r.Header.Get("DPoP")}}})
	return claims["nonce"], claims["htm"]
}

// TestNoncesOfAPIs: the last one counts, and an answer that is not given to the
// caller is read and closed.
func TestNoncesOfAPIs(t *testing.T) {
	_, client := newDownstream(t, newKey(t, "ES256"), false, nil)
	source, err := client.TokenSource(exchange.OnBehalfOfRequest{Audience: backend})
	if err != nil {
		t.Fatal(err)
	}
	down := errors.New("down")
	failing := func(*http.Request) (*http.Response, error) { return nil, down }
	const wants = `DPoP error="use_dpop_nonce"`
	bodies := []*watchedBody{newBody(), newBody(), newBody(), newBody(), newBody()}
	api := &inTurn{list: []func(*http.Request) (*http.Response, error){
		answer(401, "n1", "dpop ERROR=USE_DPOP_NONCE", bodies[0]), answer(200, "n2", "", bodies[1]),
		answer(400, "n3", wants, bodies[2]),
		answer(401, "n4", wants, bodies[3]), failing,
		failing,
		answer(200, "n5", "", bodies[4]),
	}}
	transport, err := source.Transport(api, backend)
	if err != nil {
		t.Fatal(err)
	}
	ctx := exchange.ContextWithSubject(t.Context(), "alice")
	for i, c := range []struct {
		method string
		body   io.ReadCloser
		status int
		err    error
		nonces []any
	}{
		{http.MethodPost, http.NoBody, 200, nil, []any{nil, "n1"}},
		{http.MethodGet, nil, 400, nil, []any{"n2"}},
		{"", nil, 0, down, []any{"n3", "n4"}},
		{http.MethodPut, nil, 0, down, []any{"n4"}},
		{http.MethodGet, nil, 200, nil, []any{"n4"}},
	} {
		before := len(api.sent)
		r, err := http.NewRequestWithContext(ctx, c.method, backend+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Method, r.Body = c.method, c.body
		resp, err := transport.RoundTrip(r)
		if !errors.Is(err, c.err) || (resp == nil) != (c.status == 0) || resp != nil && (resp.StatusCode != c.status || resp.Request != r) {
			t.Errorf("%d: %v, %v; want status %d, error %v", i, resp, err, c.status, c.err)
		}
		for j, sent := range api.sent[before:] {
			nonce, method := nonceOf(t, sent)
			if j >= len(c.nonces) || nonce != c.nonces[j] || method != cmp.Or(c.method, http.MethodGet) {
				t.Errorf("%d: request %d with nonce %v for %v; want %v and %s", i, j, nonce, method, c.nonces, c.method)
			}
		}
		if got := len(api.sent) - before; got != len(c.nonces) {
			t.Errorf("%d: %d requests; want %d", i, got, len(c.nonces))
		}
	}
	for i, want := range []bool{true, false, false, true, false} {
		if got := bodies[i]; got.read != want || got.closed != want {
			t.Errorf("answer %d: read to its end %v, closed %v; want %v", i, got.read, got.closed, want)
		}
	}
}

// TestBodiesThatAreGone: what cannot be sent again is not, and the caller gets the
// first answer.
func TestBodiesThatAreGone(t *testing.T) {
	_, client := newDownstream(t, newKey(t, "ES256"), false, nil)
	source, err := client.TokenSource(exchange.OnBehalfOfRequest{Audience: backend})
	if err != nil {
		t.Fatal(err)
	}
	body := newBody()
	api := &inTurn{list: []func(*http.Request) (*http.Response, error){answer(401, "n1", `DPoP error="use_dpop_nonce"`, body)}}
	transport, err := source.Transport(api, backend)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(exchange.ContextWithSubject(t.Context(), "alice"), http.MethodPost, backend+"/", strings.NewReader("x"))
	if err != nil {
		t.Fatal(err)
	}
	r.GetBody = func() (io.ReadCloser, error) { return nil, errors.New("gone") }
	if resp, err := transport.RoundTrip(r); err != nil || resp.StatusCode != 401 || body.closed || len(api.sent) != 1 {
		t.Errorf("%v, %v, closed %v, after %d requests; want the open answer of the first", resp, err, body.closed, len(api.sent))
	}
}

// TestBodiesThatAreSentAgain are whole, though the first answer came after they were
// read.
func TestBodiesThatAreSentAgain(t *testing.T) {
	_, client := newDownstream(t, newKey(t, "ES256"), false, nil)
	source, err := client.TokenSource(exchange.OnBehalfOfRequest{Audience: backend})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	reading := func(answer func(*http.Request) (*http.Response, error)) func(*http.Request) (*http.Response, error) {
		return func(r *http.Request) (*http.Response, error) {
			data, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			got = append(got, string(data))
			return answer(r)
		}
	}
	api := &inTurn{list: []func(*http.Request) (*http.Response, error){
		reading(answer(401, "n1", `DPoP error="use_dpop_nonce"`, newBody())), reading(answer(200, "n2", "", newBody())),
	}}
	transport, err := source.Transport(api, backend)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(exchange.ContextWithSubject(t.Context(), "alice"), http.MethodPost, backend+"/", strings.NewReader("the body"))
	if err != nil {
		t.Fatal(err)
	}
	if resp, err := transport.RoundTrip(r); err != nil || resp.StatusCode != 200 || !slices.Equal(got, []string{"the body", "the body"}) {
		t.Errorf("%v, %v, bodies %q; want the whole body twice", resp, err, got)
	}
}

// TestPlainTransport: a token that is bound to no key goes without proof, over the
// usual transport where none is given.
func TestPlainTransport(t *testing.T) {
	sent := make(chan http.Header, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { sent <- r.Header }))
	defer server.Close()
	source, err := answering(200, `{"access_token":"t"}`).client(t, nil).TokenSource(exchange.OnBehalfOfRequest{Audience: backend})
	if err != nil {
		t.Fatal(err)
	}
	transport, err := source.Transport(nil, server.URL)
	if err != nil {
		t.Fatal(err)
	}
	if status, _, err := call(exchange.ContextWithSubject(t.Context(), "alice"), &http.Client{Transport: transport}, http.MethodGet, server.URL+"/", ""); err != nil || status != 200 {
		t.Fatalf("%d, %v", status, err)
	}
	if header := <-sent; header.Get("Authorization") != "Bearer t" || header.Values("DPoP") != nil {
		t.Errorf("sent Authorization %q, DPoP %q; want Bearer t and none", header.Values("Authorization"), header.Values("DPoP"))
	}
	if _, err := transport.RoundTrip(&http.Request{Header: http.Header{}}); !errors.Is(err, exchange.ErrArgument) {
		t.Errorf("no URL: %v; want ErrArgument", err)
	}
}

// TestTokenSourceIsApart: what is changed after it was made is not sent.
func TestTokenSourceIsApart(t *testing.T) {
	var sent url.Values
	var header http.Header
	e := &endpoint{answer: func(form url.Values, h http.Header) (int, http.Header, string) {
		sent, header = form, h
		return 200, nil, `{"access_token":"t"}`
	}}
	r := exchange.OnBehalfOfRequest{Audiences: []string{"a"}, Resource: []string{"urn:r"}, Extra: url.Values{"x": {"e"}}, Header: http.Header{"X-A": {"h"}}}
	source, err := e.client(t, nil).TokenSource(r)
	if err != nil {
		t.Fatal(err)
	}
	r.Audiences[0], r.Resource[0], r.Extra["x"][0], r.Header["X-A"][0] = "no", "urn:no", "no", "no"
	r.Extra.Set("y", "no")
	r.Header.Set("X-B", "no")
	if _, err := source.Token(exchange.ContextWithSubject(t.Context(), "alice")); err != nil {
		t.Fatal(err)
	}
	if sent.Get("audience") != "a" || sent.Get("resource") != "urn:r" || sent.Get("x") != "e" || sent.Has("y") || sent.Get("subject_token") != "alice" || header.Get("X-A") != "h" || header.Get("X-B") != "" {
		t.Errorf("sent %v with %v", sent, header)
	}
}

// TestTransportSendsTokensToTheirAPI alone: not to where a redirect leads, not
// over http, and nothing without a caller.
func TestTransportSendsTokensToTheirAPI(t *testing.T) {
	_, client := newDownstream(t, nil, false, nil)
	api := &downstreamAPI{handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://elsewhere.example/", http.StatusTemporaryRedirect)
	})}
	h := downstreamClient(t, api, client)
	ctx := exchange.ContextWithSubject(t.Context(), "alice")
	for target, want := range map[string]int{
		backend + "/":                 1, // and not what the redirect names
		"HTTPS://BACKEND.example:443": 1,
		"https://elsewhere.example/":  0, "http://backend.example/": 0, "https://backend.example:8443/": 0, "https://backend.example.evil.example/": 0, "https://x.backend.example/": 0, "https://backend.example./": 0,
		"https://u:p@backend.example/": 0,
	} {
		before := api.count()
		_, _, err := call(ctx, h, http.MethodPost, target, "b")
		if !errors.Is(err, exchange.ErrArgument) || api.count()-before != want {
			t.Errorf("%s: %v, %d requests; want ErrArgument and %d", target, err, api.count()-before, want)
		}
	}
	before := api.count()
	if _, _, err := call(t.Context(), h, http.MethodGet, backend+"/", ""); !errors.Is(err, exchange.ErrArgument) || api.count() != before {
		t.Errorf("without a caller: %v; want ErrArgument", err)
	}
	// RoundTrip closes the body of what it does not send.
	closed := false
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, "https://elsewhere.example/", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Body = closer{strings.NewReader("x"), &closed}
	if _, err := h.Transport.RoundTrip(r); err == nil || !closed {
		t.Errorf("%v, body closed: %v", err, closed)
	}
}

type closer struct {
	io.Reader
	closed *bool
}

func (c closer) Close() error { *c.closed = true; return nil }

// TestUsersOfATransportAreApart: many users at once through one transport with a cache; each
// request arrives with the token of its own caller, and each user costs one
// exchange.
func TestUsersOfATransportAreApart(t *testing.T) {
	const users, requests = 40, 2_000
	for name, key := range map[string]crypto.Signer{"Bearer": nil, "DPoP": newKey(t, "ES256")} {
		var exchanges atomic.Int64
		api, client := newDownstream(t, key, key != nil, func(cfg *exchange.Config) {
			cached(verifiertest.NewCache(nil, 0))(cfg)
			cfg.Observer = exchange.ObserverFunc(func(e exchange.Event) {
				if e.Kind == exchange.EventExchanged && !e.Shared {
					exchanges.Add(1)
				}
			})
		})
		h := downstreamClient(t, api, client)
		var wg sync.WaitGroup
		for worker := range 8 {
			wg.Go(func() {
				random := rand.New(rand.NewPCG(5, uint64(worker)))
				for range requests / 8 {
					user := fmt.Sprintf("user-%d", random.IntN(users))
					status, text, err := call(exchange.ContextWithSubject(t.Context(), user), h, http.MethodPost, backend+"/", user)
					if err != nil || status != 200 || !strings.HasPrefix(text, "the user of "+user+"|") || !strings.HasSuffix(text, "|"+user) {
						t.Errorf("%s: %s got %d %q, %v", name, user, status, text, err)
						return
					}
				}
			})
		}
		wg.Wait()
		if got := exchanges.Load(); got != users {
			t.Errorf("%s: %d exchanges; want one for each of %d users", name, got, users)
		}
	}
}

// TestCallersShareOneCall: 64 callers of one user at once make one request to the
// token endpoint.
func TestCallersShareOneCall(t *testing.T) {
	const callers = 64
	release := make(chan struct{})
	e := &endpoint{answer: func(url.Values, http.Header) (int, http.Header, string) {
		<-release
		return 200, nil, `{"access_token":"t","expires_in":600}`
	}}
	var shared, hit, made atomic.Int64
	c := e.client(t, func(cfg *exchange.Config) {
		cached(verifiertest.NewCache(nil, 0))(cfg)
		cfg.Observer = exchange.ObserverFunc(func(e exchange.Event) {
			switch {
			case e.Kind == exchange.EventCacheHit:
				hit.Add(1)
			case e.Shared:
				shared.Add(1)
			case e.Kind == exchange.EventExchanged:
				made.Add(1)
			}
		})
	})
	source, err := c.TokenSource(exchange.OnBehalfOfRequest{Audience: backend})
	if err != nil {
		t.Fatal(err)
	}
	var arrived, wg sync.WaitGroup
	arrived.Add(callers)
	ctx := exchange.ContextWithSubject(t.Context(), "alice")
	for range callers {
		wg.Go(func() {
			arrived.Done()
			if got, err := source.Token(ctx); err != nil || got.AccessToken != "t" {
				t.Error(err)
			}
		})
	}
	arrived.Wait()
	time.AfterFunc(20*time.Millisecond, func() { close(release) })
	wg.Wait()
	if e.count() != 1 || made.Load() != 1 || shared.Load()+hit.Load() != callers-1 {
		t.Errorf("%d requests; events: %d made, %d shared, %d hits; want 1 request and 63 that shared or found it", e.count(), made.Load(), shared.Load(), hit.Load())
	}
}

func TestTokenSourceArguments(t *testing.T) {
	c := answering(200, `{"access_token":"t"}`).client(t, nil)
	for name, r := range map[string]exchange.OnBehalfOfRequest{
		"no audience": {}, "a token": {AccessToken: "a", Audience: "b"}, "reserved": {Audience: "b", Extra: url.Values{"scope[]": {"x"}}}, "domain": {Audience: "b", Domain: "other.example"},
	} {
		if _, err := c.TokenSource(r); !errors.Is(err, exchange.ErrArgument) {
			t.Errorf("%s: %v; want ErrArgument", name, err)
		}
	}
	source, err := c.TokenSource(exchange.OnBehalfOfRequest{Audience: "b"})
	if err != nil {
		t.Fatal(err)
	}
	var e *exchange.Error
	if _, err := source.Token(t.Context()); !errors.As(err, &e) || e.Description != "the token of the caller in the context is required" {
		t.Errorf("no caller: %v", err)
	}
	for _, origins := range [][]string{
		nil, {"http://backend.example"}, {"https://backend.example/path"}, {"https://backend.example?x"}, {"https://backend.example?"}, {"https://u@backend.example"}, {"backend.example"}, {""}, {"https://backend.example", "ftp://x"},
	} {
		if _, err := source.Transport(nil, origins...); !errors.Is(err, exchange.ErrArgument) {
			t.Errorf("origins %q: %v; want ErrArgument", origins, err)
		}
	}
	for _, origins := range [][]string{{"https://backend.example/"}, {"https://a.example", "https://b.example:8443"}, {"http://127.0.0.1:8080", "http://localhost"}} {
		if _, err := source.Transport(nil, origins...); err != nil {
			t.Errorf("origins %q: %v", origins, err)
		}
	}
}

// TestSubjectOfARequest: the token that was verified, wherever it was in the
// request, and no other one that the request has.
func TestSubjectOfARequest(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	v, err := verifier.New(issuer.Config(backend))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	token, other := issuer.Sign(backend, nil), "a.token.of-somebody-else"
	for name, c := range map[string]struct {
		cfg    verifier.MiddlewareConfig
		header http.Header
		want   string
	}{
		"Authorization": {verifier.MiddlewareConfig{}, http.Header{"Authorization": {"Bearer  " + token}}, token},
		"cookie":        {verifier.MiddlewareConfig{Source: verifier.TokenSource{Cookie: "t"}}, http.Header{"Cookie": {"t=" + token}, "Authorization": {"Bearer " + other}}, token},
		"field":         {verifier.MiddlewareConfig{Source: verifier.TokenSource{Header: "X-Token"}}, http.Header{"X-Token": {token}, "Authorization": {"Bearer " + other}}, token},
		"optional":      {verifier.MiddlewareConfig{Optional: true}, http.Header{}, ""},
	} {
		served := false
		handler := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			served = true
			got, _ := exchange.SubjectFromContext(r.Context())
			if got != c.want {
				t.Errorf("%s: another subject than the verified token", name)
			}
			if got, _ := exchange.SubjectToken(r); got != c.want {
				t.Errorf("%s: SubjectToken is another one than the verified token", name)
			}
			// What is put there on purpose counts, as long as nobody else is verified.
			explicit := exchange.ContextWithSubject(r.Context(), "mine")
			if got, _ := exchange.SubjectFromContext(explicit); got != "mine" {
				t.Errorf("%s: an explicit subject does not count", name)
			}
			if _, ok := exchange.SubjectFromContext(verifier.ContextWithToken(explicit, &verifier.Token{Subject: "another"})); ok {
				t.Errorf("%s: the subject of one caller counts for the next", name)
			}
		})
		r := httptest.NewRequest(http.MethodGet, backend+"/", nil)
		r.Header = c.header
		verifier.Middleware(v, c.cfg)(handler).ServeHTTP(httptest.NewRecorder(), r)
		if !served {
			t.Errorf("%s: refused", name)
		}
	}
	if _, ok := exchange.SubjectFromContext(exchange.ContextWithSubject(t.Context(), "")); ok {
		t.Error("an empty token is one")
	}
	if _, ok := exchange.SubjectFromContext(t.Context()); ok {
		t.Error("a subject out of nothing")
	}
}
