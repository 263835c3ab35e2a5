package discovery

import (
	"context"
	"errors"
	"net/http"
	"strings"

	"github.com/portcullis-go/portcullis/internal/fetch"
)

// Request says whose document to get.
type Request struct {
	// Issuer is the URL of the issuer under which its document is found.
	Issuer string
	// Place is the URL at which it was found last, or "". It is asked first.
	Place string
	// ETag of the document that was found at Place, or "".
	ETag string
	// HTTP says where http is allowed. Nil: nowhere.
	HTTP *fetch.HTTP
}

// Found is a document and where it was.
type Found struct {
	fetch.Response
	// Place is the URL of the document, to be remembered for the next Request.
	Place string
}

// Places returns the URLs at which the document of an issuer may be: that of
// OpenID Connect Discovery 1.0, Section 4.1, which comes after the path, and that
// of RFC 8414, Section 3.1, for OAuth alone, which comes before it.
func Places(issuer string) [2]string {
	scheme, rest, _ := strings.Cut(issuer, "://")
	host, path, _ := strings.Cut(strings.TrimSuffix(rest, "/"), "/")
	origin := scheme + "://" + host
	if path != "" {
		path = "/" + path
	}
	return [2]string{
		origin + path + "/.well-known/openid-configuration",
		origin + "/.well-known/oauth-authorization-server" + path,
	}
}

// Fetch gets the document of an issuer: from the place where it was last, or
// else from the two of Places in turn. Only a definite answer that there is no
// document (404, 405 or 410) leads from one place to the next, never a failure:
// who can make the first place fail must not choose the document. A place that
// is given and has no document any more is forgotten.
//
// All requests together have the deadline of ctx. The error is that of the place
// asked last, but that of the first one when no place has a document. It is a
// *fetch.Error.
func Fetch(ctx context.Context, d fetch.Doer, r Request) (Found, error) {
	places := Places(r.Issuer)
	order := places[:]
	if r.Place != "" && r.Place != places[0] {
		order = []string{r.Place, places[0]}
		if r.Place != places[1] {
			order = append(order, places[1])
		}
	}
	var first error
	for _, place := range order {
		request := fetch.Request{URL: place, HTTP: r.HTTP}
		if place == r.Place {
			request.ETag = r.ETag
		}
		response, err := fetch.Get(ctx, d, request)
		if err == nil {
			return Found{response, place}, nil
		}
		if !absent(err) {
			return Found{}, err
		}
		if first == nil {
			first = err
		}
	}
	return Found{}, first
}

// absent reports whether a server says that there is no such document.
func absent(err error) bool {
	var f *fetch.Error
	return errors.As(err, &f) && (f.Status == http.StatusNotFound || f.Status == http.StatusMethodNotAllowed || f.Status == http.StatusGone)
}
