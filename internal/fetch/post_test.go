package fetch_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/internal/fetch"
)

func TestPost(t *testing.T) {
	var got *http.Request
	var form string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		got, form = r, string(body)
		w.Header().Set("X-Answer", "y")
		w.WriteHeader(http.StatusTeapot)
		_, _ = io.WriteString(w, "body")
	}))
	defer server.Close()
	header := http.Header{"X-Extra": {"a", "b"}, "Content-Type": {"text/plain"}}
	reply, err := fetch.Post(t.Context(), fetch.Client(server.Client()), server.URL+"/token?x=1", nil, header, "a=b")
	if err != nil {
		t.Fatal(err)
	}
	if reply.Status != http.StatusTeapot || string(reply.Body) != "body" || reply.Header.Get("X-Answer") != "y" || reply.TooLarge {
		t.Errorf("reply %+v", reply)
	}
	if got.Method != "POST" || got.RequestURI != "/token?x=1" || form != "a=b" || len(got.Header["X-Extra"]) != 2 ||
		got.Header.Get("Content-Type") != "application/x-www-form-urlencoded" || got.Header.Get("Accept") != "application/json" {
		t.Errorf("request %s %s %v %q", got.Method, got.RequestURI, got.Header, form)
	}
	if header.Get("Content-Type") != "text/plain" {
		t.Error("the caller's header was changed")
	}
}

type postDoer func(*http.Request) (*http.Response, error)

func (f postDoer) Do(r *http.Request) (*http.Response, error) { return f(r) }

func TestPostProblems(t *testing.T) {
	answer := func(status int, length int64, body string) postDoer {
		return func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, ContentLength: length, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
		}
	}
	tests := []struct {
		name string
		url  string
		doer postDoer
		want fetch.Kind
	}{
		{"http", "http://a.example/", answer(200, -1, ""), fetch.BadURL},
		{"credentials", "https://a:b@a.example/", answer(200, -1, ""), fetch.BadURL},
		{"nothing", "https://a.example/", func(*http.Request) (*http.Response, error) { return nil, nil }, fetch.NotHTTP},
		{"time-out", "https://a.example/", func(*http.Request) (*http.Response, error) { return nil, context.DeadlineExceeded }, fetch.Timeout},
		{"network", "https://a.example/", func(*http.Request) (*http.Response, error) { return nil, errors.New("x") }, fetch.Network},
		{"another URL", "https://a.example/", func(r *http.Request) (*http.Response, error) {
			other := r.Clone(r.Context())
			other.URL.Path = "/elsewhere"
			return answer(200, -1, "")(other)
		}, fetch.Redirect},
	}
	for _, test := range tests {
		_, err := fetch.Post(t.Context(), test.doer, test.url, nil, nil, "")
		var e *fetch.Error
		if !errors.As(err, &e) || e.Kind != test.want {
			t.Errorf("%s: %v; want %s", test.name, err, test.want)
		}
	}
	for name, doer := range map[string]postDoer{
		"announced": answer(200, fetch.MaxBody+1, ""), "sent": answer(200, -1, strings.Repeat("x", fetch.MaxBody+1)),
	} {
		if reply, err := fetch.Post(t.Context(), doer, "https://a.example/", nil, nil, ""); err != nil || !reply.TooLarge || reply.Body != nil {
			t.Errorf("too large, %s: %v, TooLarge %t", name, err, reply.TooLarge)
		}
	}
	if reply, err := fetch.Post(t.Context(), answer(302, -1, "x"), "https://a.example/", nil, nil, ""); err != nil || reply.Status != 302 {
		t.Errorf("a redirect is an answer like another: %v, %d", err, reply.Status)
	}
}
