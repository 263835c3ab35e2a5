package verifier

import "net/http"

// VerifyOption changes one verification.
type VerifyOption func(*options)

type options struct {
	required  []string
	audiences []string
	in        incoming
}

// WithRequiredClaims demands claims beside those of the configuration.
func WithRequiredClaims(names ...string) VerifyOption {
	return func(o *options) { o.required = append(o.required, names...) }
}

// WithAudience demands that aud has one of these values, beside what the
// configuration demands: an API or route of several that one Verifier serves. A
// token without aud never meets it. Without values it demands nothing.
func WithAudience(audiences ...string) VerifyOption {
	return func(o *options) { o.audiences = append(o.audiences, audiences...) }
}

// WithRequest tells [Verifier.VerifyAccessToken] about the request, for
// resolvers that need it: its absolute URL, or "", and its header, or nil.
// VerifyRequest and VerifyHTTPRequest know theirs and ignore it.
func WithRequest(url string, header http.Header) VerifyOption {
	return func(o *options) {
		if o.in.http == nil && o.in.method == "" {
			o.in.url, o.in.header = url, header
			o.in.host = header.Get("Host")
		}
	}
}
