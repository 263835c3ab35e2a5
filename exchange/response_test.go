package exchange_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// TestAnswers is every status with every content type and body.
func TestAnswers(t *testing.T) {
	statuses := []int{200, 201, 202, 204, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 415, 429, 500, 502, 503, 504}
	types := []struct {
		value string
		json  bool
	}{
		{"application/json", true}, {"application/json; charset=utf-8", true}, {"Text/JSON", true}, {"application/problem+json", true},
		{"text/html", false}, {"text/plain", false}, {"", false},
	}
	bodies := []struct {
		name, text string
		code       string // of a body that is an error
		token      bool
		problem    string // code of a 200
	}{
		{"token", `{"access_token":"good","expires_in":60}`, "", true, ""},
		{"error", `{"error":"invalid_grant","error_description":"no"}`, "invalid_grant", false, "invalid_response"},
		{"custom error", `{"error":"mfa_required"}`, "mfa_required", false, "invalid_response"},
		{"error of another type", `{"error":{"x":1}}`, "", false, "invalid_response"},
		{"illegal error", `{"error":"a\"b"}`, "", false, "invalid_response"},
		{"error with line end", `{"error":"a\nb"}`, "", false, "invalid_response"},
		{"empty error", `{"error":""}`, "", false, "invalid_response"},
		{"long error", `{"error":"` + strings.Repeat("x", 129) + `"}`, "", false, "invalid_response"},
		{"two errors", `{"error":"a","error":"b"}`, "", false, "invalid_json"},
		{"empty", ``, "", false, "invalid_json"},
		{"white space", " \n", "", false, "invalid_json"},
		{"html", `<html>upstream-body-marker</html>`, "", false, "invalid_json"},
		{"array", `[{"access_token":"x"}]`, "", false, "invalid_json"},
		{"null", `null`, "", false, "invalid_json"},
		{"text", `"x"`, "", false, "invalid_json"},
		{"cut off", `{"access_token":"upstream-body-marker"`, "", false, "invalid_json"},
		{"text after", `{"access_token":"x"} x`, "", false, "invalid_json"},
		{"bad UTF-8", "{\"access_token\":\"\xff\"}", "", false, "invalid_json"},
		{"deep", `{"access_token":"x","y":` + strings.Repeat("[", 1000) + strings.Repeat("]", 1000) + `}`, "", false, "invalid_json"},
	}
	var status int
	var contentType, body string
	e := &endpoint{answer: func(url.Values, http.Header) (int, http.Header, string) {
		h := make(http.Header)
		if contentType != "" {
			h.Set("Content-Type", contentType)
		}
		h.Set("Location", "https://elsewhere.example/steal")
		return status, h, body
	}}
	calls, subject := 0, 0
	clients := map[string]*exchange.Client{"token_exchange_error": e.client(t, nil), "connection_token_error": e.client(t, nil)}
	for failureCode, c := range clients {
		for _, status = range statuses {
			for _, ct := range types {
				contentType = ct.value
				for _, b := range bodies {
					body = b.text
					subject++ // a rate limit is for equal requests
					token := fmt.Sprintf("subject-token-%d", subject)
					var err error
					if failureCode == "token_exchange_error" {
						_, err = c.ExchangeProfile(t.Context(), profile(token))
					} else {
						_, err = c.ConnectionToken(t.Context(), exchange.ConnectionRequest{Connection: "c", AccessToken: token})
					}
					calls++
					name := fmt.Sprintf("%s: %d %q %s", failureCode, status, ct.value, b.name)
					want := wantedAnswer{status: status, code: failureCode, kind: exchange.ErrRefused}
					switch {
					case status == 200 && b.token:
						if err != nil {
							t.Errorf("%s: %v", name, err)
						}
						continue
					case status == 200:
						want = wantedAnswer{502, b.problem, exchange.ErrInvalidResponse}
					case ct.json && b.code != "":
						want.code = b.code
					}
					if status == 429 {
						want.kind = exchange.ErrRateLimited
					}
					want.check(t, name, err)
				}
			}
		}
	}
	if e.count() != calls {
		t.Errorf("%d requests for %d exchanges", e.count(), calls)
	}
}

// TestLargeAnswers: a body beyond the limit is not read, whatever its status.
func TestLargeAnswers(t *testing.T) {
	body := `{"access_token":"x","error":"invalid_grant","y":"` + strings.Repeat("y", 1<<20) + `"}`
	for status, want := range map[int]wantedAnswer{
		200: {502, "invalid_response", exchange.ErrInvalidResponse}, 400: {400, "token_exchange_error", exchange.ErrRefused},
		503: {503, "token_exchange_error", exchange.ErrRefused},
	} {
		_, err := answering(status, body).client(t, nil).ExchangeProfile(t.Context(), profile("subject-token"))
		want.check(t, fmt.Sprint(status), err)
	}
}

type wantedAnswer struct {
	status int
	code   string
	kind   error
}

var kinds = []error{
	exchange.ErrArgument, exchange.ErrConfig, exchange.ErrMetadata, exchange.ErrCredentials, exchange.ErrTimeout, exchange.ErrNetwork,
	exchange.ErrCanceled, exchange.ErrRefused, exchange.ErrRateLimited, exchange.ErrInvalidResponse, exchange.ErrClosed,
}

// check demands an error of one kind, that repeats nothing of the answer.
func (w wantedAnswer) check(t *testing.T, name string, err error) {
	t.Helper()
	var e *exchange.Error
	if !errors.As(err, &e) {
		t.Errorf("%s: %v is no *Error", name, err)
		return
	}
	if e.Status != w.status || e.Code != w.code {
		t.Errorf("%s: %d %q; want %d %q", name, e.Status, e.Code, w.status, w.code)
	}
	for _, kind := range kinds {
		if errors.Is(err, kind) != (kind == w.kind) {
			t.Errorf("%s: errors.Is(err, %v) = %t", name, kind, kind != w.kind)
		}
	}
	if text := fmt.Sprintf("%v %+v %#v", err, err, err); strings.Contains(text, "upstream-body-marker") || strings.Contains(text, "subject-token") {
		t.Errorf("%s: the error shows what was sent or received: %s", name, text)
	}
}

// unknown is an end of a token that neither it nor the answer states.
const unknown = time.Duration(1 << 40)

func TestTokenFields(t *testing.T) {
	clock := verifiertest.NewClock(time.Unix(1_750_000_000, 900_000_000))
	huge := strings.Repeat("9", 300)
	tests := []struct {
		body string
		want time.Duration // negative: refused
	}{
		{`{"access_token":"t"}`, unknown},
		{`{"access_token":"t","expires_in":0}`, 0},
		{`{"access_token":"t","expires_in":-0}`, 0},
		{`{"access_token":"t","expires_in":60}`, time.Minute},
		{`{"access_token":"t","expires_in":60.0}`, time.Minute},
		{`{"access_token":"t","expires_in":6e1}`, time.Minute},
		{`{"access_token":"t","expires_in":"60"}`, time.Minute},
		{`{"access_token":"t","expires_in":"+060"}`, time.Minute},
		{`{"access_token":"t","expires_in":"-0"}`, 0},
		{`{"access_token":"t","expires_in":` + huge + `}`, 9223372036 * time.Second},
		{`{"access_token":"t","expires_in":"` + huge + `"}`, 9223372036 * time.Second},
		{`{"access_token":"t","expires_in":1e300}`, 9223372036 * time.Second},
		{`{"access_token":"t","expires_in":1e999999999}`, -1},
		{`{"access_token":"t","expires_in":0.0}`, 0},
		{`{"access_token":"t","expires_in":0e5}`, 0},
		{`{"access_token":"t","expires_in":1e400}`, 9223372036 * time.Second},
		{`{"access_token":"t","expires_in":1e401}`, -1},
		{`{"access_token":"t","expires_in":0e-400}`, 0},
		{`{"access_token":"t","expires_in":0e-401}`, -1},
		{`{"access_token":"t","expires_in":"` + strings.Repeat("1", 400) + `"}`, 9223372036 * time.Second},
		{`{"access_token":"t","expires_in":` + strings.Repeat("1", 400) + `}`, 9223372036 * time.Second},
		{`{"access_token":"t","expires_in":"+"}`, -1},
		{`{"access_token":"a.!.c","expires_in":60}`, time.Minute},
		{`{"access_token":"a.e30.c","expires_in":60}`, time.Minute},
		{`{"access_token":"a\u007fb"}`, -1},
		{`{"access_token":"~ !"}`, unknown},
		{`{"access_token":"t","expires_in":60.5}`, -1},
		{`{"access_token":"t","expires_in":-1}`, -1},
		{`{"access_token":"t","expires_in":-1e30}`, -1},
		{`{"access_token":"t","expires_in":"-1"}`, -1},
		{`{"access_token":"t","expires_in":"60.0"}`, -1},
		{`{"access_token":"t","expires_in":"6e1"}`, -1},
		{`{"access_token":"t","expires_in":" 60"}`, -1},
		{`{"access_token":"t","expires_in":"6_0"}`, -1},
		{`{"access_token":"t","expires_in":"0x3c"}`, -1},
		{`{"access_token":"t","expires_in":"120/2"}`, -1},
		{`{"access_token":"t","expires_in":"+-1"}`, -1},
		{`{"access_token":"t","expires_in":""}`, -1},
		{`{"access_token":"t","expires_in":"` + strings.Repeat("1", 401) + `"}`, -1},
		{`{"access_token":"t","expires_in":` + strings.Repeat("1", 401) + `}`, -1},
		{`{"access_token":"t","expires_in":null}`, -1},
		{`{"access_token":"t","expires_in":true}`, -1},
		{`{"access_token":"t","expires_in":[60]}`, -1},
		{`{"access_token":"","expires_in":60}`, -1},
		{`{"access_token":"  ","expires_in":60}`, -1},
		{`{"access_token":5}`, -1},
		{`{"access_token":null}`, -1},
		{`{"ACCESS_TOKEN":"t"}`, -1},
		{`{"access_token":"a\nb"}`, -1},
		{`{"access_token":"\u00e9"}`, -1},
		{`{"access_token":"t","scope":5}`, -1},
		{`{"access_token":"t","token_type":["Bearer"]}`, -1},
		{`{"access_token":"t","token_type":"mac"}`, -1},
		{`{"access_token":"t","token_type":"DPoP"}`, -1},
		{`{"access_token":"t","token_type":"n_a"}`, unknown},
		{`{"access_token":"t","token_type":null,"scope":null}`, unknown},
	}
	body := ""
	e := &endpoint{answer: func(url.Values, http.Header) (int, http.Header, string) { return 200, nil, body }}
	c := e.client(t, func(cfg *exchange.Config) { cfg.Clock = clock })
	for _, test := range tests {
		body = test.body
		got, err := c.ExchangeProfile(t.Context(), profile("subject-token"))
		switch {
		case test.want == -1:
			if !errors.Is(err, exchange.ErrInvalidResponse) {
				t.Errorf("%.80s: %v; want ErrInvalidResponse", test.body, err)
			}
		case err != nil:
			t.Errorf("%.80s: %v", test.body, err)
		case test.want == unknown:
			if got.ExpiresIn != 0 || !got.ExpiresAt.IsZero() {
				t.Errorf("%.80s: ExpiresIn %v, ExpiresAt %v; want both zero", test.body, got.ExpiresIn, got.ExpiresAt)
			}
		case got.ExpiresIn != test.want || !got.ExpiresAt.Equal(time.Unix(1_750_000_000, 0).Add(test.want)):
			t.Errorf("%.80s: ExpiresIn %v, ExpiresAt %v; want %v", test.body, got.ExpiresIn, got.ExpiresAt, test.want)
		}
	}
}

// TestTypes: RFC 8693, Section 2.2.1.
func TestTypes(t *testing.T) {
	tests := []struct {
		requested, answer string
		ok                bool
	}{
		{"", `"issued_token_type":"urn:ietf:params:oauth:token-type:id_token","token_type":"N_A"`, true},
		{exchange.TypeJWT, `"issued_token_type":"urn:ietf:params:oauth:token-type:jwt"`, true},
		{exchange.TypeJWT, `"issued_token_type":"urn:ietf:params:oauth:token-type:access_token"`, false},
		{exchange.TypeJWT, `"issued_token_type":""`, true},
		{exchange.TypeJWT, `"x":1`, true},
		{exchange.TypeJWT, `"token_type":"N_A"`, true},
		{exchange.TypeAccessToken, `"token_type":"N_A"`, false},
		{exchange.TypeAccessToken, `"token_type":"bearer"`, true},
	}
	for _, test := range tests {
		c := answering(200, `{"access_token":"t",`+test.answer+`}`).client(t, nil)
		r := profile("subject-token")
		r.RequestedTokenType = test.requested
		_, err := c.ExchangeProfile(t.Context(), r)
		if (err == nil) != test.ok || err != nil && !(errors.Is(err, exchange.ErrTokenType) && errors.Is(err, exchange.ErrInvalidResponse)) {
			t.Errorf("%q asked, %s answered: %v; want ok %t", test.requested, test.answer, err, test.ok)
		}
	}
	// With a key to bind to, a token that is not bound is refused, whatever it is.
	for answer, ok := range map[string]bool{`"token_type":"DPoP"`: true, `"token_type":"dpop"`: true, `"token_type":"N_A"`: false, `"token_type":"Bearer"`: false, `"x":1`: false} {
		c := answering(200, `{"access_token":"t",`+answer+`}`).client(t, func(cfg *exchange.Config) { cfg.DPoPKey = newKey(t, "ES256") })
		r := profile("subject-token")
		r.RequestedTokenType = exchange.TypeJWT
		if _, err := c.ExchangeProfile(t.Context(), r); (err == nil) != ok || err != nil && !errors.Is(err, exchange.ErrTokenType) {
			t.Errorf("bound, %s answered: %v; want ok %t", answer, err, ok)
		}
	}
}

func TestServerDescription(t *testing.T) {
	tests := []struct{ description, want string }{
		{"The target API is not allowed", "The target API is not allowed"},
		{"bad token subject-token-of-user", ""},
		{"wrong secret " + secret, ""},
		{strings.Repeat("x", 513), ""},
		{`a \"quoted\" one`, ""},
		{"", ""},
	}
	for _, test := range tests {
		c := answering(400, `{"error":"invalid_target","error_description":"`+test.description+`"}`).client(t, nil)
		_, err := c.ExchangeProfile(t.Context(), profile("subject-token-of-user"))
		var e *exchange.Error
		if !errors.As(err, &e) || e.ServerDescription() != test.want {
			t.Errorf("%.40q: ServerDescription() = %q; want %q", test.description, e.ServerDescription(), test.want)
		}
		if test.description != "" && strings.Contains(fmt.Sprintf("%v %+v %#v", err, err, e), test.description) {
			t.Errorf("the error shows the description: %v", err)
		}
	}
	// A code is let through as well, unless it is the token.
	c := answering(400, `{"error":"subject-token-of-user"}`).client(t, nil)
	_, err := c.ExchangeProfile(t.Context(), profile("subject-token-of-user"))
	wantedAnswer{400, "token_exchange_error", exchange.ErrRefused}.check(t, "token as code", err)
	if (&exchange.Error{}).ServerDescription() != "" {
		t.Error("a description out of nothing")
	}
}

func TestOutages(t *testing.T) {
	e := answering(200, `{"access_token":"t"}`)
	c := e.client(t, nil)
	e.fail(context.DeadlineExceeded)
	_, err := c.ExchangeProfile(t.Context(), profile("subject-token"))
	wantedAnswer{504, "timeout_error", exchange.ErrTimeout}.check(t, "time-out", err)
	e.fail(errors.New("dial tcp: upstream-body-marker"))
	_, err = c.ExchangeProfile(t.Context(), profile("subject-token"))
	wantedAnswer{502, "network_error", exchange.ErrNetwork}.check(t, "network", err)

	for name, doer := range map[string]verifier.DoerFunc{
		"no response": func(*http.Request) (*http.Response, error) { return nil, nil },
		"broken body": func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: 200, Body: io.NopCloser(io.MultiReader(strings.NewReader("{"), brokenReader{})), ContentLength: -1, Request: r}, nil
		},
		"another URL": func(r *http.Request) (*http.Response, error) {
			other, err := http.NewRequest("GET", "https://elsewhere.example/", nil)
			return &http.Response{StatusCode: 200, Body: io.NopCloser(strings.NewReader(`{"access_token":"t"}`)), ContentLength: -1, Request: other}, err
		},
	} {
		c := e.client(t, func(cfg *exchange.Config) {
			cfg.Doer = verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
				if r.Method == http.MethodPost {
					return doer(r)
				}
				return e.Do(r)
			})
		})
		_, err = c.ExchangeProfile(t.Context(), profile("subject-token"))
		wantedAnswer{502, "network_error", exchange.ErrNetwork}.check(t, name, err)
	}
	big := e.client(t, func(cfg *exchange.Config) {
		cfg.Doer = verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
			if r.Method != http.MethodPost {
				return e.Do(r)
			}
			return &http.Response{StatusCode: 200, Body: io.NopCloser(brokenReader{}), ContentLength: 1 << 30, Request: r}, nil
		})
	})
	_, err = big.ExchangeProfile(t.Context(), profile("subject-token"))
	wantedAnswer{502, "invalid_response", exchange.ErrInvalidResponse}.check(t, "announced size", err)
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, errors.New("connection reset") }

func TestMetadataProblems(t *testing.T) {
	tests := []struct {
		name, document string
		status         int
		code           string
	}{
		{"not found", "", 502, "discovery_error"},
		{"another issuer", `{"issuer":"https://evil.example/","token_endpoint":"` + tokenURL + `"}`, 502, "discovery_error"},
		{"no issuer", `{"token_endpoint":"` + tokenURL + `"}`, 502, "discovery_error"},
		{"no endpoint", `{"issuer":"https://tenant.example/"}`, 400, "get_token_by_exchange_profile_error"},
		{"http", `{"issuer":"https://tenant.example/","token_endpoint":"http://tenant.example/oauth/token"}`, 502, "network_error"},
		{"relative", `{"issuer":"https://tenant.example/","token_endpoint":"/oauth/token"}`, 502, "network_error"},
		{"credentials", `{"issuer":"https://tenant.example/","token_endpoint":"https://a:b@tenant.example/"}`, 502, "network_error"},
	}
	for _, test := range tests {
		posts := 0
		e := answering(200, `{"access_token":"t"}`)
		c := e.client(t, func(cfg *exchange.Config) {
			cfg.Doer = verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
				if r.Method == http.MethodPost {
					posts++
					return e.Do(r)
				}
				status := 200
				if test.document == "" {
					status = 404
				}
				return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(test.document)), Request: r}, nil
			})
		})
		_, err := c.ExchangeProfile(t.Context(), profile("subject-token"))
		wantedAnswer{test.status, test.code, exchange.ErrMetadata}.check(t, test.name, err)
		if posts != 0 {
			t.Errorf("%s: a secret was sent", test.name)
		}
	}
}

// valueError is an error whose contents %#v would print.
type valueError struct{ text string }

func (e valueError) Error() string { return e.text }

type metadataFunc func(context.Context, string) (verifier.Metadata, error)

func (f metadataFunc) Metadata(ctx context.Context, issuer string) (verifier.Metadata, error) {
	return f(ctx, issuer)
}

// TestForeignMetadata: what a source given by the user returns is checked too.
func TestForeignMetadata(t *testing.T) {
	e := answering(200, `{"access_token":"t"}`)
	for name, source := range map[string]metadataFunc{
		"another issuer": func(context.Context, string) (verifier.Metadata, error) {
			return verifier.Metadata{Issuer: "https://evil.example/", TokenEndpoint: tokenURL}, nil
		},
		"error": func(context.Context, string) (verifier.Metadata, error) {
			return verifier.Metadata{}, valueError{"upstream-body-marker"}
		},
	} {
		c := e.client(t, func(cfg *exchange.Config) { cfg.Metadata = source })
		_, err := c.ExchangeProfile(t.Context(), profile("subject-token"))
		wantedAnswer{502, "discovery_error", exchange.ErrMetadata}.check(t, name, err)
	}
	if e.count() != 0 {
		t.Error("a secret was sent")
	}
	// RetryAfter comes from the verifier's own error.
	issuer := verifiertest.NewIssuer(t)
	issuer.FailNext(-1, 503)
	v, err := verifier.New(issuer.Config("api"))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	c := newClient(t, issuer, func(cfg *exchange.Config) { cfg.Metadata = v })
	_, err = c.ExchangeProfile(t.Context(), profile("subject-token"))
	var got *exchange.Error
	if !errors.As(err, &got) || got.RetryAfter <= 0 || !errors.Is(err, exchange.ErrMetadata) || !errors.Is(err, verifier.ErrUnavailable) {
		t.Errorf("metadata outage: %v; want ErrMetadata with RetryAfter and the verifier's error", err)
	}
}

// TestContexts: the caller's context and the deadline of the client, whichever
// ends first, with an endpoint that hangs.
func TestContexts(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	for _, cached := range []bool{false, true} {
		change := func(timeout time.Duration) func(*exchange.Config) {
			return func(cfg *exchange.Config) {
				cfg.Timeout = timeout
				if cached {
					cfg.Cache, cfg.CachePrivate = verifiertest.NewCache(nil, 0), true
				}
			}
		}
		c := newClient(t, issuer, change(0))
		if _, err := c.ExchangeProfile(t.Context(), profile("other")); err != nil { // metadata is there
			t.Fatal(err)
		}
		issuer.Hang()
		ctx, cancel := context.WithCancel(t.Context())
		stop := time.AfterFunc(10*time.Millisecond, cancel)
		_, err := c.ExchangeProfile(ctx, profile("subject-token"))
		stop.Stop()
		wantedAnswer{502, "canceled", exchange.ErrCanceled}.check(t, "cancelled", err)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v does not match context.Canceled", err)
		}
		_, err = c.ExchangeProfile(ctx, profile("subject-token"))
		wantedAnswer{502, "canceled", exchange.ErrCanceled}.check(t, "cancelled before", err)

		ctx, cancel = context.WithTimeout(t.Context(), 10*time.Millisecond)
		_, err = c.ExchangeProfile(ctx, profile("subject-token"))
		cancel()
		wantedAnswer{504, "timeout_error", exchange.ErrTimeout}.check(t, "caller's deadline", err)
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("caller's deadline: %v does not match context.DeadlineExceeded", err)
		}
		issuer.Recover()

		short := newClient(t, issuer, change(20*time.Millisecond))
		issuer.Hang()
		_, err = short.ExchangeProfile(t.Context(), profile("subject-token"))
		wantedAnswer{504, "timeout_error", exchange.ErrTimeout}.check(t, "client's deadline", err)
		issuer.Recover()
	}
}

// TestRedirects: a client that would follow redirects does not, so a secret
// stays where it was meant to go (307 and 308 would send the form again).
func TestRedirects(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		var stolen atomic.Int64
		var server *httptest.Server
		server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/.well-known/openid-configuration":
				_, _ = fmt.Fprintf(w, `{"issuer":%q,"token_endpoint":%q}`, server.URL+"/", server.URL+"/oauth/token")
			case "/oauth/token":
				http.Redirect(w, r, "/steal", status)
			default:
				stolen.Add(1)
			}
		}))
		c, err := exchange.New(exchange.Config{
			Domain: server.URL, ClientID: clientID, Auth: exchange.ClientSecretPost(secret),
			Doer: &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs}}},
		})
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.ExchangeProfile(t.Context(), profile("subject-token"))
		wantedAnswer{status, "token_exchange_error", exchange.ErrRefused}.check(t, "redirect", err)
		if stolen.Load() != 0 {
			t.Errorf("status %d: the redirect was followed", status)
		}
		_ = c.Close()
		server.Close()
	}
}

func jwt(issuer *verifiertest.Issuer, claims map[string]any) string {
	return issuer.SignWith(nil, issuer.Claims(backend, claims))
}

func TestOrganization(t *testing.T) {
	issuer := verifiertest.NewIssuer(t)
	tests := []struct {
		name, organization string
		access, id         map[string]any // claims; nil: opaque, or none
		ok                 bool
	}{
		{"id in access token", "org_1", map[string]any{"org_id": "org_1"}, nil, true},
		{"id in ID token", "org_1", nil, map[string]any{"org_id": "org_1"}, true},
		{"both", "org_1", map[string]any{"org_id": "org_1"}, map[string]any{"org_id": "org_1"}, true},
		{"they differ", "org_1", map[string]any{"org_id": "org_2"}, map[string]any{"org_id": "org_1"}, false},
		{"another", "org_1", map[string]any{"org_id": "org_2"}, nil, false},
		{"case of an id", "org_a", map[string]any{"org_id": "org_A"}, nil, false},
		{"name", "acme", map[string]any{"org_name": "acme"}, nil, true},
		{"case of a name", "Acme", map[string]any{"org_name": "acme"}, nil, true},
		{"another name", "acme", map[string]any{"org_name": "acme2"}, nil, false},
		{"name as id", "acme", map[string]any{"org_id": "acme"}, nil, false},
		{"opaque", "org_1", nil, nil, false},
		{"not stated", "org_1", map[string]any{}, nil, false},
		{"not a text", "org_1", map[string]any{"org_id": []string{"org_1"}}, nil, false},
		{"none asked", "", map[string]any{"org_id": "org_2"}, nil, true},
	}
	for _, test := range tests {
		answer := map[string]any{"access_token": "opaque"}
		if test.access != nil {
			answer["access_token"] = jwt(issuer, test.access)
		}
		if test.id != nil {
			answer["id_token"] = jwt(issuer, test.id)
		}
		issuer.AnswerExchanges(func(form url.Values) (int, any) {
			if form.Get("organization") != test.organization {
				return 400, map[string]any{"error": "no organization"}
			}
			return 200, answer
		})
		r := exchange.OnBehalfOfRequest{AccessToken: "subject-token", Audience: backend, Organization: test.organization}
		got, err := newClient(t, issuer, nil).OnBehalfOf(t.Context(), r)
		if (err == nil) != test.ok || err != nil && !(errors.Is(err, exchange.ErrOrganization) && errors.Is(err, exchange.ErrInvalidResponse)) {
			t.Errorf("%s: %v; want ok %t", test.name, err, test.ok)
		}
		if got != nil && got.Stated("id_token") {
			t.Errorf("%s: the ID token is exposed", test.name)
		}
	}
}
