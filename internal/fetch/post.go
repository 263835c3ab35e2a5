package fetch

import (
	"context"
	"io"
	"net/http"
	"strings"
)

// Reply is the answer to a Post, whatever its status.
type Reply struct {
	Status int
	Header http.Header
	Body   []byte
	// TooLarge: the body was larger than MaxBody and is not here.
	TooLarge bool
}

// Post sends a form to an https URL, without following redirects, and reads
// the bounded answer. The header is sent as it is, with Content-Type and Accept
// on top. The error is an *Error.
func Post(ctx context.Context, d Doer, rawURL string, header http.Header, form string) (Reply, error) {
	u, err := CheckURL(rawURL)
	if err != nil {
		return Reply{}, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), strings.NewReader(form))
	if err != nil {
		return Reply{}, &Error{Kind: BadURL}
	}
	req.Header = header.Clone()
	if req.Header == nil {
		req.Header = make(http.Header)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	resp, err := d.Do(req)
	if err != nil {
		return Reply{}, failure(ctx, err)
	}
	if resp == nil || resp.Body == nil {
		return Reply{}, &Error{Kind: NotHTTP}
	}
	defer resp.Body.Close()
	if resp.Request != nil && resp.Request.URL != nil && resp.Request.URL.String() != u.String() {
		return Reply{}, &Error{Kind: Redirect}
	}
	reply := Reply{Status: resp.StatusCode, Header: resp.Header}
	if resp.ContentLength > MaxBody {
		reply.TooLarge = true
		return reply, nil
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, MaxBody+1))
	if err != nil {
		return Reply{}, failure(ctx, err)
	}
	if len(body) > MaxBody {
		reply.TooLarge = true
		return reply, nil
	}
	reply.Body = body
	return reply, nil
}
