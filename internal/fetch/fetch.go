// Package fetch gets JSON documents of an issuer over HTTPS, bounded.
package fetch

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/portcullis-go/portcullis/internal/cachecontrol"
)

// MaxBody is how large a document may be, in bytes.
const MaxBody = 1 << 20

// Doer sends HTTP requests.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Kind says why a fetch failed. It is a stable word for events and health.
type Kind string

// The kinds of failures.
const (
	Network  Kind = "network"   // no answer
	Timeout  Kind = "timeout"   // no answer in time
	Redirect Kind = "redirect"  // the source answered with a redirect, or from another URL
	Status   Kind = "status"    // not 200 (or 203)
	TooLarge Kind = "too_large" // more than MaxBody bytes
	BadURL   Kind = "bad_url"   // not an https URL, or of a host that is not allowed
	NotHTTP  Kind = "bad_doer"  // the Doer returned neither response nor error
)

// Error is a failed fetch. It holds no part of the answer.
type Error struct {
	Kind   Kind
	Status int // for Kind Status

	ended error // ctx.Err() when the request's context was done
}

func (e *Error) Error() string { return "fetch: " + string(e.Kind) }

// Unwrap returns the error of the request's context, if that was done, or nil.
func (e *Error) Unwrap() error { return e.ended }

// Response is a document and what its source said about keeping it.
type Response struct {
	Body        []byte
	ETag        string
	NotModified bool
	Freshness   cachecontrol.Directives
}

// Client copies an *http.Client with redirects switched off; other Doers are
// returned as they are, Get checks what they answer.
func Client(d Doer) Doer {
	client, ok := d.(*http.Client)
	if !ok {
		return d
	}
	var c http.Client
	if client != nil {
		c = *client
	}
	c.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &c
}

// CheckURL accepts absolute https URLs with a host and without credentials and
// fragment.
func CheckURL(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.Hostname() == "" || u.User != nil || u.Fragment != "" || u.Opaque != "" {
		return nil, &Error{Kind: BadURL}
	}
	return u, nil
}

// Get fetches a document. With etag it asks conditionally (RFC 9110, Section
// 13.1.2).
func Get(ctx context.Context, d Doer, rawURL, etag string) (Response, error) {
	u, err := CheckURL(rawURL)
	if err != nil {
		return Response{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return Response{}, &Error{Kind: BadURL}
	}
	req.Header.Set("Accept", "application/json")
	if etag != "" {
		req.Header.Set("If-None-Match", etag)
	}
	resp, err := d.Do(req)
	if err != nil {
		return Response{}, failure(ctx, err)
	}
	if resp == nil || resp.Body == nil {
		return Response{}, &Error{Kind: NotHTTP}
	}
	defer resp.Body.Close()
	return read(ctx, u, resp, etag)
}

func read(ctx context.Context, asked *url.URL, resp *http.Response, etag string) (Response, error) {
	if resp.Request != nil && resp.Request.URL != nil && resp.Request.URL.String() != asked.String() {
		return Response{}, &Error{Kind: Redirect}
	}
	freshness := cachecontrol.Parse(resp.Header)
	switch {
	case resp.StatusCode == http.StatusNotModified && etag != "":
		return Response{NotModified: true, ETag: etag, Freshness: freshness}, nil
	case resp.StatusCode >= 300 && resp.StatusCode < 400:
		return Response{}, &Error{Kind: Redirect, Status: resp.StatusCode}
	case resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNonAuthoritativeInfo:
		return Response{}, &Error{Kind: Status, Status: resp.StatusCode}
	case resp.ContentLength > MaxBody:
		return Response{}, &Error{Kind: TooLarge}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
	if err != nil {
		return Response{}, failure(ctx, err)
	}
	if len(body) > MaxBody {
		return Response{}, &Error{Kind: TooLarge}
	}
	return Response{Body: body, ETag: entityTag(resp.Header.Get("ETag")), Freshness: freshness}, nil
}

// entityTag returns a tag that is worth keeping: short and printable.
func entityTag(tag string) string {
	if len(tag) > 256 || strings.ContainsFunc(tag, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		return ""
	}
	return tag
}

func failure(ctx context.Context, err error) error {
	var timeout net.Error
	if errors.Is(ctx.Err(), context.DeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout() {
		return &Error{Kind: Timeout, ended: ctx.Err()}
	}
	return &Error{Kind: Network, ended: ctx.Err()}
}
