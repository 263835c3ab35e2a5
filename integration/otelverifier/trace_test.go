package otelverifier_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/portcullis-go/portcullis/integration/otelverifier"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/reason"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

func newTracer() (*sdktrace.TracerProvider, *tracetest.InMemoryExporter) {
	exporter := tracetest.NewInMemoryExporter()
	return sdktrace.NewTracerProvider(sdktrace.WithSyncer(exporter)), exporter
}

func attributesOf(list []attribute.KeyValue) map[string]string {
	all := make(map[string]string, len(list))
	for _, kv := range list {
		all[string(kv.Key)] = kv.Value.String()
	}
	return all
}

// onlySpan returns the one span that there is.
func onlySpan(t *testing.T, exporter *tracetest.InMemoryExporter) tracetest.SpanStub {
	t.Helper()
	spans := exporter.GetSpans()
	if len(spans) != 1 {
		t.Fatalf("%d spans; want 1", len(spans))
	}
	return spans[0]
}

// answering is a RequestVerifier of one answer.
type answering struct {
	token *verifier.Token
	err   error
	span  trace.SpanContext // that it was called with
}

func (a *answering) VerifyHTTPRequest(r *http.Request, _ ...verifier.VerifyOption) (*verifier.Token, error) {
	a.span = trace.SpanContextFromContext(r.Context())
	return a.token, a.err
}

func (a *answering) VerifyRequest(ctx context.Context, _ verifier.Request, _ ...verifier.VerifyOption) (*verifier.Token, error) {
	a.span = trace.SpanContextFromContext(ctx)
	return a.token, a.err
}

func TestVerifierSpans(t *testing.T) {
	for _, c := range []struct {
		name   string
		next   answering
		want   map[string]string
		status codes.Code
	}{
		{"accepted", answering{token: &verifier.Token{Scheme: verifier.SchemeDPoP, Issuer: "https://tenant.auth0.com/", Subject: "user-1"}},
			map[string]string{"portcullis.outcome": "accepted", "portcullis.scheme": "DPoP", "portcullis.issuer": "https://tenant.auth0.com"}, codes.Unset},
		{"refused", answering{err: &verifier.Error{Reason: reason.Expired, Status: 401}},
			map[string]string{"portcullis.outcome": "refused", "error.type": "expired"}, codes.Unset},
		{"could not decide", answering{err: &verifier.Error{Reason: reason.Discovery, Status: 503}},
			map[string]string{"portcullis.outcome": "undecided", "error.type": "discovery_unavailable"}, codes.Error},
		{"unknown reason", answering{err: &verifier.Error{Reason: "later", Status: 401}},
			map[string]string{"portcullis.outcome": "refused", "error.type": "_OTHER"}, codes.Unset},
		{"other error", answering{err: errors.New("secret")},
			map[string]string{"portcullis.outcome": "error", "error.type": "_OTHER"}, codes.Error},
	} {
		for name, verify := range map[string]func(*otelverifier.Verifier) (*verifier.Token, error){
			"VerifyHTTPRequest": func(v *otelverifier.Verifier) (*verifier.Token, error) {
				return v.VerifyHTTPRequest(httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil))
			},
			"VerifyRequest": func(v *otelverifier.Verifier) (*verifier.Token, error) {
				return v.VerifyRequest(t.Context(), verifier.Request{})
			},
		} {
			t.Run(c.name+"/"+name, func(t *testing.T) {
				provider, exporter := newTracer()
				next := c.next
				token, err := verify(otelverifier.NewVerifier(&next, otelverifier.Config{TracerProvider: provider, Issuers: []string{"tenant.auth0.com"}}))
				if token != c.next.token || !errors.Is(err, c.next.err) {
					t.Errorf("verification = %v, %v; want what the wrapped one returned", token, err)
				}
				span := onlySpan(t, exporter)
				if got := attributesOf(span.Attributes); span.Name != "portcullis.verify" || !maps.Equal(got, c.want) {
					t.Errorf("span = %q, %v; want %v", span.Name, got, c.want)
				}
				if span.Status.Code != c.status || span.Status.Description != "" || len(span.Events) > 0 {
					t.Errorf("status = %v, events %v; want %v alone", span.Status, span.Events, c.status)
				}
				if next.span.SpanID() != span.SpanContext.SpanID() {
					t.Errorf("the wrapped verifier did not run inside the span")
				}
			})
		}
	}
}

// TestMiddleware: the wrapper goes where the Verifier goes, and the span is
// over when the handler begins.
func TestMiddleware(t *testing.T) {
	provider, exporter := newTracer()
	issuer := verifiertest.NewIssuer(t)
	v, err := verifier.New(issuer.Config(audience))
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	handler := verifier.Middleware(otelverifier.NewVerifier(v, otelverifier.Config{TracerProvider: provider}), verifier.MiddlewareConfig{})(
		http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if spans := exporter.GetSpans(); len(spans) != 1 {
				t.Errorf("%d spans have ended before the handler; want 1", len(spans))
			}
			token, _ := verifier.TokenFromContext(r.Context())
			_, _ = io.WriteString(w, token.Subject)
		}))
	ctx, parent := provider.Tracer("test").Start(t.Context(), "request")
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/orders", nil)
	r.Header.Set("Authorization", "Bearer "+issuer.Sign(audience, nil))
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	if w.Body.String() != "user-1" {
		t.Errorf("answer = %d, %s; want user-1", w.Code, w.Body)
	}
	if span := onlySpan(t, exporter); span.Parent.SpanID() != parent.SpanContext().SpanID() {
		t.Errorf("the span is no child of the request's")
	}
}

// timeout is a net.Error.
type timeout struct{ error }

func (timeout) Timeout() bool   { return true }
func (timeout) Temporary() bool { return false }

func TestDoerSpans(t *testing.T) {
	secret := errors.New("dial https://user:secret@idp.example.com/")
	request := map[string]string{"http.request.method": "GET", "server.address": "idp.example.com", "server.port": "8443"}
	for _, c := range []struct {
		name   string
		resp   *http.Response
		err    error
		want   map[string]string // beside those of the request
		status codes.Code
	}{
		{"good", &http.Response{StatusCode: 200}, nil, map[string]string{"http.response.status_code": "200"}, codes.Unset},
		{"not modified", &http.Response{StatusCode: 304}, nil, map[string]string{"http.response.status_code": "304"}, codes.Unset},
		{"bad status", &http.Response{StatusCode: 503}, nil, map[string]string{"http.response.status_code": "503", "error.type": "503"}, codes.Error},
		{"network", nil, secret, map[string]string{"error.type": "network"}, codes.Error},
		{"timeout", nil, timeout{secret}, map[string]string{"error.type": "timeout"}, codes.Error},
		{"deadline", nil, context.DeadlineExceeded, map[string]string{"error.type": "timeout"}, codes.Error},
		{"canceled", nil, context.Canceled, map[string]string{"error.type": "canceled"}, codes.Error},
	} {
		t.Run(c.name, func(t *testing.T) {
			provider, exporter := newTracer()
			var sent *http.Request
			d := otelverifier.NewDoer(verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
				sent = r
				return c.resp, c.err
			}), otelverifier.Config{TracerProvider: provider})
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://idp.example.com:8443/secret/path?secret=query", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Authorization", "Basic secret")
			resp, err := d.Do(req)
			if resp != c.resp || !errors.Is(err, c.err) {
				t.Errorf("Do = %v, %v; want what the wrapped one returned", resp, err)
			}
			want := maps.Clone(request)
			maps.Copy(want, c.want)
			span := onlySpan(t, exporter)
			if got := attributesOf(span.Attributes); span.Name != "GET" || span.SpanKind != trace.SpanKindClient || !maps.Equal(got, want) {
				t.Errorf("span = %q, %v, %v; want %v", span.Name, span.SpanKind, got, want)
			}
			if span.Status.Code != c.status || span.Status.Description != "" || len(span.Events) > 0 {
				t.Errorf("status = %v, events %v; want %v alone", span.Status, span.Events, c.status)
			}
			if trace.SpanContextFromContext(sent.Context()).SpanID() != span.SpanContext.SpanID() || len(sent.Header) != 1 {
				t.Errorf("the request was sent outside of the span, or with header fields of the trace: %v", sent.Header)
			}
		})
	}
}

// TestDoerFollowsNoRedirects: the Verifier can switch them off only in a
// client that it sees.
func TestDoerFollowsNoRedirects(t *testing.T) {
	var elsewhere int
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/elsewhere" {
			elsewhere++
			return
		}
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	defer server.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL, nil)
	if err != nil {
		t.Fatal(err)
	}
	for name, d := range map[string]verifier.Doer{
		"nil": nil, "nil client": (*http.Client)(nil), "client": server.Client(),
	} {
		resp, err := otelverifier.NewDoer(d, otelverifier.Config{}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != http.StatusFound || elsewhere != 0 {
			t.Errorf("%s: status = %d, %d requests elsewhere; want 302 and none", name, resp.StatusCode, elsewhere)
		}
	}
	if server.Client().CheckRedirect != nil {
		t.Errorf("the client itself was changed")
	}
}

// TestNothingSecretIsRecorded drives everything at once and looks for what
// clients and issuers sent.
func TestNothingSecretIsRecorded(t *testing.T) {
	provider, exporter := newTracer()
	observer, reader := newObserver(t, otelverifier.Config{})
	issuer, client := verifiertest.NewIssuer(t), verifiertest.NewDPoPClient(t, nil, "")
	cfg := issuer.Config(audience)
	cfg.Observer = observer
	var mu sync.Mutex
	var documents []string
	cfg.Doer = otelverifier.NewDoer(verifier.DoerFunc(func(r *http.Request) (*http.Response, error) {
		resp, err := issuer.Client().Do(r)
		if err != nil {
			return nil, err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		if err != nil {
			return nil, err
		}
		mu.Lock()
		documents = append(documents, string(body))
		mu.Unlock()
		resp.Body = io.NopCloser(strings.NewReader(string(body)))
		return resp, nil
	}), otelverifier.Config{TracerProvider: provider})
	plain, err := verifier.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer plain.Close()
	v := otelverifier.NewVerifier(plain, otelverifier.Config{TracerProvider: provider, Issuers: []string{"tenant.auth0.com"}})

	secrets := map[string]bool{client.Thumbprint(): true, "user-1": true, "client-1": true, audience: true, "the-scope": true}
	send := func(authorization, proof string) {
		for _, text := range []string{authorization, proof} {
			for _, part := range strings.FieldsFunc(text, func(r rune) bool { return r == '.' || r == ' ' }) {
				secrets[part] = len(part) > 6 // not the schemes
			}
		}
		r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/orders?query-of-client=1", nil)
		r.Header.Set("Authorization", authorization)
		if proof != "" {
			r.Header.Set("DPoP", proof)
		}
		_, _ = v.VerifyHTTPRequest(r)
	}
	bound := issuer.Sign(audience, map[string]any{"cnf": client.Confirmation(), "scope": "the-scope"})
	proof := client.Proof(http.MethodGet, "http://example.com/orders", bound)
	send("Bearer "+issuer.Sign(audience, nil), "")
	send("Bearer "+issuer.SignWith(map[string]any{"kid": "kid-of-attacker"}, issuer.Claims(audience, nil)), "")
	send("Bearer "+issuer.Sign("audience-of-attacker", nil), "")
	send("Bearer garbage-of-attacker", "")
	send("scheme-of-attacker credentials", "")
	send("Bearer "+verifiertest.NewIssuer(t).Sign(audience, nil), "")
	send("DPoP "+bound, proof)
	send("DPoP "+bound, proof)
	send("DPoP "+bound, "proof-of-attacker")

	texts := make([]string, 0, 100)
	for name := range collect(t, reader) {
		texts = append(texts, name)
	}
	for _, span := range exporter.GetSpans() {
		texts = append(texts, span.Name, span.Status.Description)
		for key, value := range attributesOf(span.Attributes) {
			texts = append(texts, key+"="+value)
		}
		for _, event := range span.Events {
			texts = append(texts, event.Name)
		}
	}
	if len(exporter.GetSpans()) < 9+2 || len(documents) < 2 {
		t.Fatalf("%d spans, %d documents; want 11 and 2 or more", len(exporter.GetSpans()), len(documents))
	}
	for _, document := range documents {
		for _, value := range strings.Split(document, `"`) {
			secrets[value] = len(value) > 20 && !strings.HasPrefix(value, "http")
		}
	}
	for _, text := range texts {
		for secret, long := range secrets {
			if long && strings.Contains(text, secret) {
				t.Errorf("telemetry has %q in %q", secret, text)
			}
		}
		if strings.Contains(text, "attacker") || strings.Contains(text, "of-client") {
			t.Errorf("telemetry has bytes of a client in %q", text)
		}
	}
}
