package fetch

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/portcullis-go/portcullis/internal/cachecontrol"
)

// MaxBody is how large a document may be, in bytes.
const MaxBody = 1 << 20

// The values of Request.Accept (RFC 9110, Section 12.5.1). Some servers answer
// 406 to a request that does not name the type which they produce; for key sets
// that is often the second one (RFC 7517, Section 8.5.1).
const (
	AcceptJSON   = "application/json"
	AcceptKeySet = "application/json, application/jwk-set+json"
)

// Doer sends HTTP requests.
type Doer interface {
	Do(*http.Request) (*http.Response, error)
}

// Request says which document to get.
type Request struct {
	// URL of the document: https, or http where HTTP allows it.
	URL string
	// Accept is the field of that name. Default AcceptJSON.
	Accept string
	// ETag of the document held, or "". With it the request is conditional (RFC
	// 9110, Section 13.1.2).
	ETag string
	// HTTP says where http is allowed. Nil: nowhere.
	HTTP *HTTP
}

// Response is a document and what its source said about keeping it.
type Response struct {
	Body        []byte
	ETag        string
	NotModified bool
	Freshness   cachecontrol.Directives
}

// Client copies an *http.Client with redirects switched off, so that Get can
// judge them; other Doers are returned as they are, Get and Post check what they
// answer.
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

// Get fetches a document. It follows one redirect at the most, and only to
// another place of the same origin; see redirected. The redirected request has
// the same context, and so the same deadline, and goes through the same Doer,
// and so past the same checks. The error is an *Error.
func Get(ctx context.Context, d Doer, r Request) (Response, error) {
	u, err := r.HTTP.Check(r.URL)
	if err != nil {
		return Response{}, err
	}
	response, location, err := get(ctx, d, u, &r)
	if location == nil {
		return response, err
	}
	// The tag that is held may be of another document than the one that the
	// redirect leads to, and the other way round.
	r.ETag = ""
	response, location, err = get(ctx, d, location, &r)
	if location != nil {
		return Response{}, &Error{Kind: Redirect, Host: hostOf(location), Rule: RuleSecondRedirect}
	}
	response.ETag = ""
	return response, err
}

// get sends one request. With a location the answer was a redirect that may be
// followed.
func get(ctx context.Context, d Doer, u *url.URL, r *Request) (response Response, location *url.URL, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return Response{}, nil, &Error{Kind: BadURL}
	}
	req.Header.Set("Accept", AcceptJSON)
	if r.Accept != "" {
		req.Header.Set("Accept", r.Accept)
	}
	if r.ETag != "" {
		req.Header.Set("If-None-Match", r.ETag)
	}
	resp, err := send(ctx, d, req)
	if err != nil {
		return Response{}, nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode >= 300 && resp.StatusCode < 400 && (resp.StatusCode != http.StatusNotModified || r.ETag == "") {
		location, err = redirected(u, resp)
		return Response{}, location, err
	}
	response, err = read(ctx, u, resp, r.ETag)
	return response, nil, err
}

// send sends a request and makes sure that the answer is to that request.
func send(ctx context.Context, d Doer, req *http.Request) (*http.Response, error) {
	asked := req.URL.String()
	host := hostOf(req.URL)
	resp, err := d.Do(req)
	if err != nil {
		return nil, failure(ctx, host, err)
	}
	if resp == nil || resp.Body == nil {
		return nil, &Error{Kind: NotHTTP, Host: host}
	}
	if resp.Request != nil && resp.Request.URL != nil && resp.Request.URL.String() != asked {
		_ = resp.Body.Close()
		return nil, &Error{Kind: Redirect, Host: hostOf(resp.Request.URL), Rule: RuleFollowed}
	}
	return resp, nil
}

func read(ctx context.Context, asked *url.URL, resp *http.Response, etag string) (Response, error) {
	freshness := cachecontrol.Parse(resp.Header)
	switch {
	case resp.StatusCode == http.StatusNotModified:
		return Response{NotModified: true, ETag: etag, Freshness: freshness}, nil
	case resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusNonAuthoritativeInfo:
		return Response{}, &Error{Kind: Status, Status: resp.StatusCode, Host: hostOf(asked)}
	}
	body, err := readBody(ctx, hostOf(asked), resp)
	if err != nil {
		return Response{}, err
	}
	return Response{Body: body, ETag: entityTag(resp.Header.Get("ETag")), Freshness: freshness}, nil
}

// readBody reads a body of MaxBody bytes at the most.
func readBody(ctx context.Context, host string, resp *http.Response) ([]byte, error) {
	if resp.ContentLength > MaxBody {
		return nil, &Error{Kind: TooLarge, Host: host}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
	if err != nil {
		return nil, failure(ctx, host, err)
	}
	if len(body) > MaxBody {
		return nil, &Error{Kind: TooLarge, Host: host}
	}
	return body, nil
}

// entityTag returns a tag that is worth keeping: short and printable.
func entityTag(tag string) string {
	if len(tag) > 256 || strings.ContainsFunc(tag, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		return ""
	}
	return tag
}
