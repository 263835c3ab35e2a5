package forwardauth

import (
	"net/http"
	"net/url"
	"strings"
)

// Proxy says how a proxy asks, and what it can pass on. [Nginx], [Caddy],
// [Traefik] and [Envoy] return the usual ones.
type Proxy struct {
	// MethodField and URIField are the header fields with the method and the URI
	// (path and query) of the client's request. The proxy must write both for
	// every request: what a client sends in them must not get through.
	MethodField, URIField string
	// PathPrefix is for a proxy that asks with the client's own method, and with
	// the client's URI behind this prefix, such as "/check". Instead of the
	// fields.
	PathPrefix string
	// OneLine joins the challenges into one field line (RFC 9110, Section 5.3),
	// for a proxy that passes on only one.
	OneLine bool
}

// Nginx is nginx with auth_request, which sends what its configuration says:
//
//	proxy_set_header X-Original-Method $request_method;
//	proxy_set_header X-Original-URI $request_uri;
//
// It passes on 401 and 403, turns all other statuses into 500, and copies one
// line of WWW-Authenticate.
func Nginx() Proxy {
	return Proxy{MethodField: "X-Original-Method", URIField: "X-Original-Uri", OneLine: true}
}

// Caddy is Caddy with forward_auth. Within handle_path, X-Forwarded-Uri is the
// stripped one.
func Caddy() Proxy { return Proxy{MethodField: "X-Forwarded-Method", URIField: "X-Forwarded-Uri"} }

// Traefik is Traefik with the middleware ForwardAuth, without
// trustForwardHeader: with it a client could write the fields.
func Traefik() Proxy { return Caddy() }

// Envoy is Envoy with the filter ext_authz and an http_service, whose
// path_prefix is given. It turns statuses of 500 and more into status_on_error.
func Envoy(pathPrefix string) Proxy { return Proxy{PathPrefix: pathPrefix} }

// maxURI bounds the URI of the client's request.
const maxURI = 16 << 10

// original returns the client's request: a copy of the proxy's with the client's
// method and URI. ok is false when the proxy does not say them.
func (p *Proxy) original(r *http.Request) (original *http.Request, ok bool) {
	method, uri := r.Method, ""
	if p.PathPrefix != "" {
		uri, ok = strings.CutPrefix(r.RequestURI, p.PathPrefix)
	} else if method, ok = oneLine(r.Header, p.MethodField); ok {
		uri, ok = oneLine(r.Header, p.URIField)
	}
	if !ok || !isToken(method) || !strings.HasPrefix(uri, "/") || len(uri) > maxURI {
		return nil, false
	}
	u, err := url.ParseRequestURI(uri)
	if err != nil {
		return nil, false
	}
	copied := r.Clone(r.Context())
	copied.Method, copied.RequestURI, copied.URL = method, uri, u
	copied.Body, copied.ContentLength = http.NoBody, 0
	return copied, true
}

// oneLine returns a field that stands exactly once.
func oneLine(h http.Header, name string) (value string, ok bool) {
	lines := h.Values(name)
	if len(lines) != 1 {
		return "", false
	}
	return lines[0], true
}

// isToken: RFC 9110, Section 5.6.2.
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != "" && len(s) <= 64
}
