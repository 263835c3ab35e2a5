package fetch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/fetch"
)

// asError returns err as an *Error.
func asError(t *testing.T, err error) *fetch.Error {
	t.Helper()
	var e *fetch.Error
	if !errors.As(err, &e) {
		t.Fatalf("%v; want an *Error", err)
	}
	return e
}

// refusing answers every request with an error.
func refusing(err error) doer {
	return func(*http.Request) (*http.Response, error) { return nil, err }
}

// answering answers every request with 200 and a body.
func answering(body io.ReadCloser) doer {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: body, Request: r, ContentLength: -1}, nil
	}
}

func TestPermanent(t *testing.T) {
	passing := []fetch.Kind{fetch.Network, fetch.Timeout, fetch.NoSuchHost, fetch.ConnectionRefused, fetch.TLS, fetch.Status}
	for _, kind := range fetch.Kinds {
		if got, want := kind.Permanent(), !slices.Contains(passing, kind); got != want {
			t.Errorf("%s is permanent: %v; want %v", kind, got, want)
		}
	}
}

func TestErrorText(t *testing.T) {
	for want, e := range map[string]fetch.Error{
		"fetch: bad_url":                               {Kind: fetch.BadURL},
		"fetch: status 404: a.example":                 {Kind: fetch.Status, Status: 404, Host: "a.example"},
		"fetch: redirect 302 (credentials): b.example": {Kind: fetch.Redirect, Status: 302, Rule: fetch.RuleCredentials, Host: "b.example"},
		"fetch: redirect (followed)":                   {Kind: fetch.Redirect, Rule: fetch.RuleFollowed},
		"fetch: status 1":                              {Kind: fetch.Status, Status: 1},
	} {
		if got := e.Error(); got != want {
			t.Errorf("%q; want %q", got, want)
		}
		if got := e.Unwrap(); len(got) != 0 {
			t.Errorf("%s: wraps %v; want nothing", want, got)
		}
	}
}

// TestEndOfTheContextCounts: a Doer may report the end of the request's context in
// words of its own, and the end of a context of its own is none of the caller's.
func TestEndOfTheContextCounts(t *testing.T) {
	over, cancel := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancel()
	_, err := fetch.Get(over, refusing(errors.New("gave up")), fetch.Request{URL: "https://a.example/"})
	if e := asError(t, err); e.Kind != fetch.Timeout {
		t.Errorf("the deadline has passed: %s; want %s", e.Kind, fetch.Timeout)
	}
	for _, its := range []error{context.Canceled, context.DeadlineExceeded} {
		_, err := fetch.Get(t.Context(), refusing(fmt.Errorf("its own: %w", its)), fetch.Request{URL: "https://a.example/"})
		if errors.Is(err, its) {
			t.Errorf("%v matches %v", err, its)
		}
		var texts []string
		for _, e := range asError(t, err).Unwrap() {
			texts = append(texts, e.Error())
		}
		if !slices.Equal(texts, []string{"its own: " + its.Error()}) {
			t.Errorf("the cause is %q", texts)
		}
	}
	own := errors.New("its own")
	if _, err := fetch.Get(over, refusing(own), fetch.Request{URL: "https://a.example/"}); !errors.Is(err, own) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v; want both the end of the context and the Doer's error", err)
	}
}

func TestMoreKinds(t *testing.T) {
	for want, err := range map[fetch.Kind]error{
		fetch.File:    &url.Error{Op: "Get", Err: &fs.PathError{Op: "open", Path: "ca.pem", Err: fs.ErrNotExist}},
		fetch.Timeout: &url.Error{Op: "Get", Err: fmt.Errorf("in the proxy: %w", context.DeadlineExceeded)},
	} {
		_, got := fetch.Get(t.Context(), refusing(err), fetch.Request{URL: "https://a.example/"})
		if e := asError(t, got); e.Kind != want {
			t.Errorf("%v is %s; want %s", err, e.Kind, want)
		}
	}
}

func TestOtherDoersStayAsTheyAre(t *testing.T) {
	asked := 0
	d := doer(func(*http.Request) (*http.Response, error) { asked++; return nil, errors.New("no answer") })
	_, _ = fetch.Get(t.Context(), fetch.Client(d), fetch.Request{URL: "https://a.example/"})
	if asked != 1 {
		t.Errorf("asked %d times; want once", asked)
	}
}

func TestGetAsksGoodURLsAlone(t *testing.T) {
	for _, raw := range []string{"http://a.example/", "https://u:p@a.example/", ":", ""} {
		_, err := fetch.Get(t.Context(), doer(func(*http.Request) (*http.Response, error) {
			t.Errorf("%q was asked", raw)
			return nil, io.EOF
		}), fetch.Request{URL: raw})
		if e := asError(t, err); e.Kind != fetch.BadURL {
			t.Errorf("%q: %s; want %s", raw, e.Kind, fetch.BadURL)
		}
	}
}

func TestUnconditionalRequest(t *testing.T) {
	_, _ = fetch.Get(t.Context(), doer(func(r *http.Request) (*http.Response, error) {
		if _, found := r.Header["If-None-Match"]; found {
			t.Error("If-None-Match without a tag")
		}
		return nil, io.EOF
	}), fetch.Request{URL: "https://a.example/"})
}

func TestAnswerFromElsewhereIsClosed(t *testing.T) {
	closed := false
	_, err := fetch.Get(t.Context(), doer(func(r *http.Request) (*http.Response, error) {
		other := r.Clone(r.Context())
		other.URL.Host = "b.example:8443"
		return answering(closing{strings.NewReader("{}"), &closed})(other)
	}), fetch.Request{URL: "https://a.example/"})
	if e := asError(t, err); e.Rule != fetch.RuleFollowed || e.Host != "b.example:8443" || !closed {
		t.Errorf("%v, closed %v; want %s, of b.example:8443, and a closed body", err, closed, fetch.RuleFollowed)
	}
}

// TestHostsOfErrors: in one spelling, and "" for what could be anything.
func TestHostsOfErrors(t *testing.T) {
	name := strings.Repeat("a.", 126) + "ab"
	for raw, want := range map[string]string{
		"https://A.Example/":               "a.example",
		"https://a.example:443/":           "a.example",
		"https://a.example:80/":            "a.example:80",
		"https://a.example:65535/":         "a.example:65535",
		"https://a.example:123456/":        "a.example",
		"https://09-_az.example/":          "09-_az.example",
		"https://" + name + "/":            name,
		"https://" + name + "a/":           "",
		"https://a~b.example/":             "",
		"https://a!b.example/":             "",
		"https://10.0.0.7/":                "10.0.0.7",
		"https://[2001:DB8:0::1]/":         "[2001:db8::1]",
		"https://[2001:db8::1]:8443/":      "[2001:db8::1]:8443",
		"https://[fe80::1%25secret]:8443/": "",
	} {
		_, err := fetch.Get(t.Context(), refusing(io.EOF), fetch.Request{URL: raw})
		if e := asError(t, err); e.Kind != fetch.Network || e.Host != want {
			t.Errorf("%s: %s of %q; want %s of %q", raw, e.Kind, e.Host, fetch.Network, want)
		}
	}
}

func TestRedirectToNoHost(t *testing.T) {
	var asked []string
	_, err := fetch.Get(t.Context(), pages(302, map[string]string{"/x": "https://:8443/x"}, &asked), fetch.Request{URL: "https://a.example/x"})
	if e := asError(t, err); e.Rule != fetch.RuleOrigin || e.Host != "" {
		t.Errorf("%v; want %s, of no host", err, fetch.RuleOrigin)
	}
}

func TestLongestLocation(t *testing.T) {
	longest := "/" + strings.Repeat("z", 4095)
	var asked []string
	if _, err := fetch.Get(t.Context(), pages(301, map[string]string{"/x": longest}, &asked), fetch.Request{URL: "https://a.example/x"}); err != nil {
		t.Errorf("a Location of 4096 bytes: %v", err)
	}
}

func TestLinkOfABadDocument(t *testing.T) {
	if _, err := fetch.NewHTTP().CheckLink(":", "http://localhost/"); err == nil {
		t.Error("a document from no URL leads to http")
	}
}

func TestPostDecisions(t *testing.T) {
	for form, want := range map[string]bool{"": true, "a=b": false} {
		_, _ = fetch.Post(t.Context(), doer(func(r *http.Request) (*http.Response, error) {
			if none := r.Body == http.NoBody; none != want || r.ContentLength != int64(len(form)) || r.GetBody != nil {
				t.Errorf("form %q: no body: %v; want %v", form, none, want)
			}
			if got := r.Header.Get("Accept"); got != "text/plain" {
				t.Errorf("Accept = %q; want the caller's", got)
			}
			return nil, io.EOF
		}), "https://a.example/", nil, http.Header{"Accept": {"text/plain"}}, form)
	}
	reply, err := fetch.Post(t.Context(), breaking(errors.New("broken")), "https://a.example/", nil, nil, "a=b")
	if e := asError(t, err); e.Kind != fetch.Network || reply.TooLarge {
		t.Errorf("a body that breaks off: %v, too large: %v; want %s", err, reply.TooLarge, fetch.Network)
	}
}
