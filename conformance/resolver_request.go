package conformance

import (
	"net/http"
	"net/url"

	"github.com/portcullis-go/portcullis/verifier"
)

// The suite touches the parts of a ResolveRequest here and nowhere else.

func newRequest(issuer string, u *url.URL, header http.Header) verifier.ResolveRequest {
	return verifier.NewResolveRequest(issuer, u, header)
}

func requestURL(req verifier.ResolveRequest) *url.URL       { return req.URL() }
func requestHeader(req verifier.ResolveRequest) http.Header { return req.Header() }

// clone returns a request of which the resolver owns all parts.
func clone(req verifier.ResolveRequest) verifier.ResolveRequest {
	return newRequest(req.UnverifiedIssuer, cloneURL(requestURL(req)), requestHeader(req).Clone())
}

func cloneURL(u *url.URL) *url.URL {
	if u == nil {
		return nil
	}
	copied := *u
	return &copied
}
