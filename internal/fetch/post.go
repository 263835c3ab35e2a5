package fetch

import (
	"context"
	"errors"
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

// Post sends a form to an https URL, or to an http one where allowed, and reads
// the bounded answer. The header is sent as it is, with Content-Type on top, and
// Accept, of JSON, unless it has one. The error is an *Error.
//
// No redirect is followed: a redirect is an answer like another. The request has
// no GetBody, so that a Doer which follows redirects of its own accord cannot
// send the form, and the secrets in it, a second time (RFC 9110, Section 15.4.8).
func Post(ctx context.Context, d Doer, rawURL string, allowed *HTTP, header http.Header, form string) (Reply, error) {
	u, err := allowed.Check(rawURL)
	if err != nil {
		return Reply{}, err
	}
	// NewRequest does not know the type of the body, and so offers no copy of it.
	body := struct{ io.Reader }{strings.NewReader(form)}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, u.String(), body)
	if err != nil {
		return Reply{}, &Error{Kind: BadURL}
	}
	req.ContentLength = int64(len(form))
	if form == "" {
		req.Body = http.NoBody
	}
	req.Header = header.Clone()
	if req.Header == nil {
		req.Header = make(http.Header)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if req.Header.Get("Accept") == "" {
		req.Header.Set("Accept", AcceptJSON)
	}
	resp, err := send(ctx, d, req)
	if err != nil {
		return Reply{}, err
	}
	defer resp.Body.Close()
	reply := Reply{Status: resp.StatusCode, Header: resp.Header}
	reply.Body, err = readBody(ctx, hostOf(u), resp)
	var tooLarge *Error
	if errors.As(err, &tooLarge) && tooLarge.Kind == TooLarge {
		reply.TooLarge, err = true, nil
	}
	return reply, err
}
