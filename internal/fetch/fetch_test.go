package fetch_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/internal/fetch"
)

type doer func(*http.Request) (*http.Response, error)

func (d doer) Do(r *http.Request) (*http.Response, error) { return d(r) }

// closing notes that a body was closed.
type closing struct {
	io.Reader
	closed *bool
}

func (c closing) Close() error { *c.closed = true; return nil }

func TestCheckURL(t *testing.T) {
	for _, good := range []string{"https://a.example", "https://a.example:8443/x?y=1", "https://[::1]/x", "HTTPS://a.example/"} {
		if _, err := fetch.CheckURL(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
	for _, bad := range []string{"", "http://a.example", "ftp://a.example", "//a.example", "/x", "https:a.example", "https://", "https://:443", "https://u@a.example", "https://u:p@a.example/", "https://a.example/#f", "https://a b/", "file:///etc/passwd", "data:,x"} {
		var e *fetch.Error
		if _, err := fetch.CheckURL(bad); !errors.As(err, &e) || e.Kind != fetch.BadURL {
			t.Errorf("%q: %v; want %s", bad, err, fetch.BadURL)
		}
	}
}

func TestGet(t *testing.T) {
	const url = "https://a.example/x"
	boom := errors.New("secret detail")
	response := func(status int, body string, fields ...string) doer {
		return func(r *http.Request) (*http.Response, error) {
			h := http.Header{}
			for i := 0; i < len(fields); i += 2 {
				h.Set(fields[i], fields[i+1])
			}
			return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), Request: r, ContentLength: -1}, nil
		}
	}
	elsewhere := doer(func(r *http.Request) (*http.Response, error) {
		resp, err := response(200, "{}")(r)
		resp.Request = r.Clone(r.Context())
		resp.Request.URL.Path = "/y"
		return resp, err
	})
	for name, c := range map[string]struct {
		doer doer
		etag string
		want fetch.Kind
	}{
		"404":              {response(404, "x"), "", fetch.Status},
		"204":              {response(204, ""), "", fetch.Status},
		"206":              {response(206, "{}"), "", fetch.Status},
		"304 unasked":      {response(304, ""), "", fetch.Redirect},
		"302":              {response(302, "", "Location", "https://evil.example/"), "", fetch.Redirect},
		"other URL":        {elsewhere, "", fetch.Redirect},
		"too large":        {response(200, strings.Repeat("x", fetch.MaxBody+1)), "", fetch.TooLarge},
		"refused":          {func(*http.Request) (*http.Response, error) { return nil, syscall.ECONNREFUSED }, "", fetch.ConnectionRefused},
		"error":            {func(*http.Request) (*http.Response, error) { return nil, boom }, "", fetch.Network},
		"deadline":         {func(*http.Request) (*http.Response, error) { return nil, context.DeadlineExceeded }, "", fetch.Timeout},
		"neither":          {func(*http.Request) (*http.Response, error) { return nil, nil }, "", fetch.NotHTTP},
		"no body":          {func(*http.Request) (*http.Response, error) { return &http.Response{StatusCode: 200}, nil }, "", fetch.NotHTTP},
		"body breaks off":  {breaking(boom), "", fetch.Network},
		"stated too large": {stated(fetch.MaxBody + 1), "", fetch.TooLarge},
	} {
		_, err := fetch.Get(t.Context(), c.doer, fetch.Request{URL: url, ETag: c.etag})
		var e *fetch.Error
		if !errors.As(err, &e) || e.Kind != c.want {
			t.Errorf("%s: %v; want %s", name, err, c.want)
		}
		if err != nil && strings.Contains(err.Error(), "secret") {
			t.Errorf("%s: the error repeats the cause", name)
		}
	}
	got, err := fetch.Get(t.Context(), response(200, "{}", "ETag", `"1"`, "Cache-Control", "max-age=60", "Age", "10"), fetch.Request{URL: url})
	if err != nil || string(got.Body) != "{}" || got.ETag != `"1"` || got.Freshness.MaxAge != 60 || got.Freshness.Age != 10 {
		t.Errorf("%+v, %v", got, err)
	}
	got, err = fetch.Get(t.Context(), doer(func(r *http.Request) (*http.Response, error) {
		if r.Header.Get("If-None-Match") != `"1"` || r.Method != http.MethodGet || r.Header.Get("Accept") != "application/json" {
			t.Errorf("request %s %v", r.Method, r.Header)
		}
		return response(304, "")(r)
	}), fetch.Request{URL: url, ETag: `"1"`})
	if err != nil || !got.NotModified || got.ETag != `"1"` {
		t.Errorf("not modified: %+v, %v", got, err)
	}
	for _, tag := range []string{"a\x00b", strings.Repeat("x", 300), "é"} {
		if got, err := fetch.Get(t.Context(), response(200, "{}", "ETag", tag), fetch.Request{URL: url}); err != nil || got.ETag != "" {
			t.Errorf("ETag %.10q is kept, %v", tag, err)
		}
	}
}

func breaking(err error) doer {
	return func(r *http.Request) (*http.Response, error) {
		body := io.MultiReader(strings.NewReader("{"), failing{err})
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(body), Request: r}, nil
	}
}

func stated(length int64) doer {
	return func(r *http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 200, Header: http.Header{}, Body: io.NopCloser(failing{io.EOF}), Request: r, ContentLength: length}, nil
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestBodiesAreClosed(t *testing.T) {
	for _, status := range []int{200, 304, 302, 500} {
		closed := false
		_, _ = fetch.Get(t.Context(), doer(func(r *http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Header: http.Header{}, Body: closing{strings.NewReader("{}"), &closed}, Request: r}, nil
		}), fetch.Request{URL: "https://a.example/"})
		if !closed {
			t.Errorf("status %d: the body was not closed", status)
		}
	}
}

func TestTimeout(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	_, err := fetch.Get(ctx, doer(func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}), fetch.Request{URL: "https://a.example/"})
	var e *fetch.Error
	if !errors.As(err, &e) || e.Kind != fetch.Timeout {
		t.Errorf("%v; want %s", err, fetch.Timeout)
	}
}

func TestErrorsMatchTheEndOfTheContext(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	late, cancelLate := context.WithDeadline(t.Context(), time.Unix(1, 0))
	defer cancelLate()
	refuse := doer(func(r *http.Request) (*http.Response, error) {
		if err := r.Context().Err(); err != nil {
			return nil, err
		}
		return nil, errors.New("refused")
	})
	for want, ctx := range map[error]context.Context{context.Canceled: ended, context.DeadlineExceeded: late} {
		if _, err := fetch.Get(ctx, refuse, fetch.Request{URL: "https://a.example/"}); !errors.Is(err, want) {
			t.Errorf("Get: %v; want an error that matches %v", err, want)
		}
	}
	if _, err := fetch.Get(t.Context(), refuse, fetch.Request{URL: "https://a.example/"}); errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Get with a good context: %v; want no context error", err)
	}
}
