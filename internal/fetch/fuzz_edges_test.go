package fetch_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/portcullis-go/portcullis/internal/fetch"
)

type answer func(*http.Request) (*http.Response, error)

func (a answer) Do(req *http.Request) (*http.Response, error) { return a(req) }

func response(status int, body string, header ...string) *http.Response {
	r := &http.Response{StatusCode: status, Header: make(http.Header), Body: io.NopCloser(strings.NewReader(body)), ContentLength: -1}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

type slow struct{ error }

func (slow) Timeout() bool   { return true }
func (slow) Temporary() bool { return false }

// TestEdges: which answers are documents, and what the others are called.
func TestEdges(t *testing.T) {
	full := strings.Repeat(" ", fetch.MaxBody)
	long := response(200, "x")
	long.ContentLength = fetch.MaxBody + 1
	most := response(200, "x")
	most.ContentLength = fetch.MaxBody
	elsewhere := response(200, "x")
	elsewhere.Request = &http.Request{URL: &url.URL{Scheme: "https", Host: "other.example"}}
	noURL := response(200, "x")
	noURL.Request = &http.Request{}
	noBody := response(200, "")
	noBody.Body = nil
	for name, c := range map[string]struct {
		resp *http.Response
		err  error
		etag string
		want fetch.Kind
	}{
		"200": {resp: response(200, "x")}, "203": {resp: response(203, "x")}, "201": {resp: response(201, "x"), want: fetch.Status},
		"204": {resp: response(204, ""), want: fetch.Status}, "206": {resp: response(206, "x"), want: fetch.Status}, "299": {resp: response(299, ""), want: fetch.Status},
		"300": {resp: response(300, ""), want: fetch.Redirect}, "302": {resp: response(302, ""), want: fetch.Redirect}, "399": {resp: response(399, ""), want: fetch.Redirect},
		"304 unasked": {resp: response(304, ""), want: fetch.Redirect}, "304": {resp: response(304, ""), etag: `"a"`},
		"400": {resp: response(400, ""), want: fetch.Status}, "404": {resp: response(404, ""), want: fetch.Status}, "500": {resp: response(500, ""), want: fetch.Status},
		"as large as may be": {resp: response(200, full)}, "larger": {resp: response(200, full+" "), want: fetch.TooLarge},
		"said to be larger": {resp: long, want: fetch.TooLarge}, "said to be as large as may be": {resp: most},
		"elsewhere": {resp: elsewhere, want: fetch.Redirect}, "a request without URL": {resp: noURL},
		"nothing": {want: fetch.NotHTTP}, "no body": {resp: noBody, want: fetch.NotHTTP},
		"error": {err: errors.New("x"), want: fetch.Network}, "deadline": {err: context.DeadlineExceeded, want: fetch.Timeout}, "time-out": {err: slow{errors.New("x")}, want: fetch.Timeout},
	} {
		var asked *http.Request
		got, err := fetch.Get(t.Context(), answer(func(req *http.Request) (*http.Response, error) {
			asked = req
			return c.resp, c.err
		}), fetch.Request{URL: "https://a.example/doc", ETag: c.etag})
		var e *fetch.Error
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (!errors.As(err, &e) || e.Kind != c.want):
			t.Errorf("%s: %v; want %s", name, err, c.want)
		}
		if asked.Header.Get("If-None-Match") != c.etag || asked.Header.Get("Accept") != "application/json" || asked.Method != http.MethodGet {
			t.Errorf("%s: asked with %v", name, asked.Header)
		}
		if got.NotModified != (name == "304") {
			t.Errorf("%s: not modified is %v", name, got.NotModified)
		}
	}
	for tag, want := range map[string]string{
		`"a"`: `"a"`, strings.Repeat("a", 256): strings.Repeat("a", 256), strings.Repeat("a", 257): "", "a\x1fb": "", "a\x7fb": "", " a~": " a~", "é": "",
	} {
		got, err := fetch.Get(t.Context(), answer(func(*http.Request) (*http.Response, error) {
			r := response(200, "x")
			r.Header["Etag"] = []string{tag}
			return r, nil
		}), fetch.Request{URL: "https://a.example/doc"})
		if err != nil || got.ETag != want {
			t.Errorf("tag %q is kept as %q, %v; want %q", tag, got.ETag, err, want)
		}
	}
	for raw, want := range map[string]bool{
		"https://a/": true, "https://a": true, "https://a:1/b?c": true, "http://a/": false, "HTTPS://a/": true, "https:///b": false, "https://:1/": false,
		"https://u@a/": false, "https://a/#f": false, "https:a": false, "/a": false, "": false, "https://a b/": false,
	} {
		if _, err := fetch.CheckURL(raw); (err == nil) != want {
			t.Errorf("CheckURL(%q): %v; want it taken: %v", raw, err, want)
		}
	}
}
