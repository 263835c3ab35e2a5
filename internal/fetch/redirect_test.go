package fetch_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/fetch"
)

// pages answers with a redirect for the paths of which it has a Location, and
// with a document for the others.
func pages(status int, locations map[string]string, asked *[]string) doer {
	return func(r *http.Request) (*http.Response, error) {
		*asked = append(*asked, r.URL.String())
		h := http.Header{"Etag": {`"1"`}}
		resp := &http.Response{StatusCode: 200, Header: h, Body: io.NopCloser(strings.NewReader("{}")), Request: r, ContentLength: -1}
		if location, found := locations[r.URL.Path]; found {
			resp.StatusCode = status
			h.Set("Location", location)
		}
		return resp, nil
	}
}

// TestRedirects: one, to the same origin.
func TestRedirects(t *testing.T) {
	const asks = "https://a.example/x?y=1"
	for _, c := range []struct {
		name     string
		status   int
		location string
		want     string // the URL asked second, or ""
		rule     fetch.Rule
		host     string
	}{
		{"301 with a slash", 301, "https://a.example/x/", "https://a.example/x/", "", ""},
		{"302", 302, "/z", "https://a.example/z", "", ""},
		{"307", 307, "z", "https://a.example/z", "", ""},
		{"308", 308, "?q=2", "https://a.example/x?q=2", fetch.RuleSecondRedirect, "a.example"},
		{"default port", 301, "https://a.example:443/z", "https://a.example:443/z", "", ""},
		{"case of the host", 301, "HTTPS://A.Example/z", "https://A.Example/z", "", ""},
		{"fragment", 301, "/z#f", "https://a.example/z", "", ""},
		{"303", 303, "/z", "", fetch.RuleStatus, "a.example"},
		{"300", 300, "/z", "", fetch.RuleStatus, "a.example"},
		{"304 unasked", 304, "/z", "", fetch.RuleStatus, "a.example"},
		{"305", 305, "/z", "", fetch.RuleStatus, "a.example"},
		{"another host", 302, "https://b.example/x", "", fetch.RuleOrigin, "b.example"},
		{"another host, no scheme", 302, "//b.example:8443/x", "", fetch.RuleOrigin, "b.example:8443"},
		{"a host below", 302, "https://b.a.example/x", "", fetch.RuleOrigin, "b.a.example"},
		{"trailing dot", 302, "https://a.example./x", "", fetch.RuleOrigin, "a.example."},
		{"another port", 302, "https://a.example:8443/x", "", fetch.RuleOrigin, "a.example:8443"},
		{"http", 302, "http://a.example/x", "", fetch.RuleOrigin, "a.example"},
		{"http on our port", 302, "http://a.example:443/x", "", fetch.RuleOrigin, "a.example:443"},
		{"address", 302, "https://[::1]:8443/x", "", fetch.RuleOrigin, "[::1]:8443"},
		{"file", 302, "file:///etc/passwd", "", fetch.RuleOrigin, ""},
		{"opaque", 302, "data:,x", "", fetch.RuleLocation, ""},
		{"opaque https", 302, "https:x", "", fetch.RuleLocation, ""},
		{"credentials", 302, "https://u:p@a.example/z", "", fetch.RuleCredentials, "a.example"},
		{"empty credentials", 302, "https://@a.example/z", "", fetch.RuleCredentials, "a.example"},
		{"no Location", 302, "", "", fetch.RuleLocation, ""},
		{"no URL", 302, "https://a.example:x/", "", fetch.RuleLocation, ""},
		{"bytes", 302, "https://<script>.example/", "", fetch.RuleOrigin, ""},
		{"letters beyond ASCII", 302, "https://b%C3%A9.example/", "", fetch.RuleOrigin, ""},
		{"too long", 302, "/" + strings.Repeat("z", 4096), "", fetch.RuleLocation, ""},
		{"a loop", 302, asks, asks, fetch.RuleSecondRedirect, "a.example"},
	} {
		var asked []string
		d := pages(c.status, map[string]string{"/x": c.location}, &asked)
		got, err := fetch.Get(t.Context(), d, fetch.Request{URL: asks})
		second := ""
		if len(asked) > 1 {
			second = asked[1]
		}
		if len(asked) > 2 || second != c.want {
			t.Errorf("%s: asked %q; want %q second", c.name, asked, c.want)
		}
		if c.rule == "" {
			if err != nil || string(got.Body) != "{}" || got.ETag != "" {
				t.Errorf("%s: %+v, %v; want the document, without a tag", c.name, got, err)
			}
			continue
		}
		var e *fetch.Error
		if !errors.As(err, &e) || e.Kind != fetch.Redirect || e.Rule != c.rule || e.Host != c.host {
			t.Errorf("%s: %v; want a refused redirect, %s to %q", c.name, err, c.rule, c.host)
		}
		if strings.ContainsAny(err.Error(), "<>\r\n") {
			t.Errorf("%s: the error has bytes of the answer: %q", c.name, err)
		}
	}
}

func TestSeveralLocations(t *testing.T) {
	_, err := fetch.Get(t.Context(), doer(func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 302, Header: http.Header{"Location": {"/a", "/b"}}, Body: http.NoBody, Request: r}, nil
	}), fetch.Request{URL: "https://a.example/"})
	var e *fetch.Error
	if !errors.As(err, &e) || e.Rule != fetch.RuleLocation {
		t.Errorf("%v; want %s", err, fetch.RuleLocation)
	}
}

// TestRedirectedRequest: it has the fields of the first one but no tag, which
// is of another document, and the same context.
func TestRedirectedRequest(t *testing.T) {
	type key struct{}
	ctx := context.WithValue(t.Context(), key{}, "mine")
	var asked []*http.Request
	_, err := fetch.Get(ctx, doer(func(r *http.Request) (*http.Response, error) {
		asked = append(asked, r)
		if len(asked) == 1 {
			return &http.Response{StatusCode: 301, Header: http.Header{"Location": {"/z"}}, Body: http.NoBody, Request: r}, nil
		}
		return &http.Response{StatusCode: 304, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
	}), fetch.Request{URL: "https://a.example/x", ETag: `"1"`, Accept: fetch.AcceptKeySet})
	var e *fetch.Error
	if !errors.As(err, &e) || e.Kind != fetch.Redirect || e.Rule != fetch.RuleStatus {
		t.Errorf("304 to a request without a tag: %v", err)
	}
	if len(asked) != 2 || asked[0].Header.Get("If-None-Match") != `"1"` || asked[1].Header.Get("If-None-Match") != "" ||
		asked[1].Header.Get("Accept") != fetch.AcceptKeySet || asked[1].Context().Value(key{}) != "mine" {
		t.Errorf("asked %v", asked)
	}
}

func TestRedirectSharesTheDeadline(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	n := 0
	_, err := fetch.Get(ctx, doer(func(r *http.Request) (*http.Response, error) {
		if n++; n == 1 {
			return &http.Response{StatusCode: 301, Header: http.Header{"Location": {"/z"}}, Body: http.NoBody, Request: r}, nil
		}
		<-r.Context().Done()
		return nil, r.Context().Err()
	}), fetch.Request{URL: "https://a.example/x"})
	var e *fetch.Error
	if !errors.As(err, &e) || e.Kind != fetch.Timeout || n != 2 {
		t.Errorf("%v after %d requests; want %s after 2", err, n, fetch.Timeout)
	}
}

// TestClientsOfTheStandardLibrary: a copy follows as Get says; one that follows
// by itself is found out.
func TestClientsOfTheStandardLibrary(t *testing.T) {
	var asked []string
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.URL.Path)
		switch r.URL.Path {
		case "/":
			http.Redirect(w, r, "/document", http.StatusFound)
		case "/twice":
			http.Redirect(w, r, "/", http.StatusFound)
		default:
			_, _ = io.WriteString(w, "{}")
		}
	}))
	defer server.Close()
	mine := server.Client()
	if got, err := fetch.Get(t.Context(), fetch.Client(mine), fetch.Request{URL: server.URL + "/"}); err != nil || string(got.Body) != "{}" || len(asked) != 2 || mine.CheckRedirect != nil {
		t.Errorf("%v after %q; want the document, and the caller's client as it was", err, asked)
	}
	asked = nil
	_, err := fetch.Get(t.Context(), fetch.Client(mine), fetch.Request{URL: server.URL + "/twice"})
	var e *fetch.Error
	if !errors.As(err, &e) || e.Rule != fetch.RuleSecondRedirect || len(asked) != 2 {
		t.Errorf("two redirects: %v after %q", err, asked)
	}
	_, err = fetch.Get(t.Context(), doer(mine.Do), fetch.Request{URL: server.URL + "/"})
	if !errors.As(err, &e) || e.Rule != fetch.RuleFollowed {
		t.Errorf("a Doer that follows: %v; want %s", err, fetch.RuleFollowed)
	}
	var none *http.Client
	if fetch.Client(none) == nil {
		t.Error("a nil *http.Client gives no client")
	}
}

// TestPostIsNotSentTwice: not even by a Doer that follows redirects.
func TestPostIsNotSentTwice(t *testing.T) {
	for _, status := range []int{301, 302, 303, 307, 308} {
		forms := 0
		other := httptest.NewTLSServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
			if r.FormValue("client_secret") != "" {
				forms++
			}
		}))
		server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.ContentLength != int64(len("client_secret=s")) {
				t.Errorf("a form of %d bytes arrived", r.ContentLength)
			}
			http.Redirect(w, r, other.URL, status)
		}))
		following := server.Client() // both servers have the same certificate
		_, err := fetch.Post(t.Context(), doer(func(r *http.Request) (*http.Response, error) {
			if r.GetBody != nil {
				t.Error("the request offers its body again")
			}
			return following.Do(r)
		}), server.URL, nil, nil, "client_secret=s")
		if forms != 0 {
			t.Errorf("%d: the form was sent to the other server, %v", status, err)
		}
		reply, err := fetch.Post(t.Context(), fetch.Client(following), server.URL, nil, nil, "client_secret=s")
		if err != nil || reply.Status != status || forms != 0 {
			t.Errorf("%d: %d, %v; want the redirect as the answer", status, reply.Status, err)
		}
		server.Close()
		other.Close()
	}
}

// FuzzLocation: what is followed is of the same origin, and what is refused is
// named with the characters of a host alone.
func FuzzLocation(f *testing.F) {
	for _, seed := range []string{"/x", "//b", "https://a.example:443/", "https:a", "\\\\b", "https://a.example@b/", "https://a.example\\@b/", "https://a.exampl\u212f/", "?x", "../..//b"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, location string) {
		n := 0
		_, err := fetch.Get(t.Context(), doer(func(r *http.Request) (*http.Response, error) {
			if n++; n == 1 {
				return &http.Response{StatusCode: 301, Header: http.Header{"Location": {location}}, Body: http.NoBody, Request: r}, nil
			}
			if r.URL.Scheme != "https" || !strings.EqualFold(r.URL.Hostname(), "a.example") || r.URL.Port() != "" && r.URL.Port() != "443" || r.URL.User != nil {
				t.Errorf("%q leads to %s", location, r.URL)
			}
			if again, err := url.Parse(r.URL.String()); err != nil || again.Host != r.URL.Host {
				t.Errorf("%q leads to %q, which is read as another URL", location, r.URL)
			}
			return &http.Response{StatusCode: 200, Header: http.Header{}, Body: http.NoBody, Request: r}, nil
		}), fetch.Request{URL: "https://a.example/x"})
		var e *fetch.Error
		if errors.As(err, &e) && strings.Trim(e.Host, "abcdefghijklmnopqrstuvwxyz0123456789-_.:[]") != "" {
			t.Errorf("host %q", e.Host)
		}
	})
}
