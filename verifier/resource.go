package verifier

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// ResourceMetadata describes a protected resource (RFC 9728, Section 2).
type ResourceMetadata struct {
	// Resource is the identifier of this API: an https URL without credentials
	// and fragment, written as RFC 3986 says. http is allowed for localhost and
	// loopback addresses only.
	Resource string
	// AuthorizationServers are the issuers whose tokens are accepted: https URLs
	// without credentials, query and fragment (RFC 8414, Section 2), written as
	// their metadata states them. http as for Resource.
	AuthorizationServers []string
	// ScopesSupported, for clients that want to know what to ask for.
	ScopesSupported []string
	// Name and Documentation for humans.
	Name          string
	Documentation string
	// DPoPAlgorithms of proofs, and whether tokens must be bound.
	DPoPAlgorithms []string
	DPoPRequired   bool
}

const wellKnownResource = "/.well-known/oauth-protected-resource"

// URL returns where the metadata of a resource is: the well-known path goes
// between its host and its path and query, which stay as they are (RFC 9728,
// Section 3.1). It is what Config.ResourceMetadata wants.
func (m ResourceMetadata) URL() (string, error) {
	u, err := m.parse()
	if err != nil {
		return "", err
	}
	// The identifier's own text behind the host: no encoding of it is changed.
	authority := u.Scheme + "://" + u.Host
	rest := m.Resource[len(authority):]
	if rest == "/" || strings.HasPrefix(rest, "/?") {
		rest = rest[1:] // a slash that only ends the host
	}
	return authority + wellKnownResource + rest, nil
}

func (m ResourceMetadata) parse() (*url.URL, error) {
	u := webURL(m.Resource)
	if u == nil {
		return nil, invalid("ResourceMetadata.Resource", "is not an https URL without credentials and fragment")
	}
	for _, segment := range strings.Split(strings.Trim(u.EscapedPath(), "/"), "/") {
		if name, _ := url.PathUnescape(segment); name == "." || name == ".." || name == "" && u.Path != "" && u.Path != "/" {
			return nil, invalid("ResourceMetadata.Resource", "has an empty segment or a dot segment in its path, which servers and clients remove")
		}
	}
	return u, nil
}

// webURL parses an absolute https URL, or an http URL of this machine, without
// credentials and fragment; nil when text is none. Text that url.Parse would
// repair is refused: the identifier is compared as it is.
func webURL(text string) *url.URL {
	if strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune("\"<>\\^`{|}#", r) }) {
		return nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.User != nil || !strings.HasPrefix(text, u.Scheme+"://"+u.Host) {
		return nil
	}
	if u.Scheme == "https" || u.Scheme == "http" && loopback(u.Hostname()) {
		return u
	}
	return nil
}

// ResourceMetadataHandler returns the handler of the metadata of a resource,
// and the path to register it under, which any http.ServeMux takes. It answers
// GET and HEAD, also across origins, and the preflight requests of browsers:
// the metadata is public, so that it must stand in front of [Middleware], not
// behind it.
func ResourceMetadataHandler(m ResourceMetadata) (path string, h http.Handler, err error) {
	u, err := m.parse()
	if err != nil {
		return "", nil, err
	}
	for _, server := range m.AuthorizationServers {
		if s := webURL(server); s == nil || strings.Contains(server, "?") {
			return "", nil, invalid("ResourceMetadata.AuthorizationServers", "has an entry that is not an https URL without credentials, query and fragment")
		}
	}
	body, err := m.document()
	if err != nil {
		return "", nil, invalid("ResourceMetadata", "cannot be written as JSON")
	}
	path = wellKnownResource + strings.TrimSuffix(u.EscapedPath(), "/")
	if u.Path != "/" && strings.HasSuffix(u.Path, "/") {
		path += "/"
	}
	return path, &resourceHandler{path: wellKnownResource + u.Path, body: body}, nil
}

func (m *ResourceMetadata) document() ([]byte, error) {
	// Members without a value are left out (RFC 9728, Section 3.2).
	return json.Marshal(struct {
		Resource      string   `json:"resource"`
		Servers       []string `json:"authorization_servers,omitempty"`
		Scopes        []string `json:"scopes_supported,omitempty"`
		Methods       []string `json:"bearer_methods_supported"`
		Name          string   `json:"resource_name,omitempty"`
		Documentation string   `json:"resource_documentation,omitempty"`
		Algorithms    []string `json:"dpop_signing_alg_values_supported,omitempty"`
		Bound         bool     `json:"dpop_bound_access_tokens_required,omitempty"`
	}{m.Resource, slices.Clone(m.AuthorizationServers), m.ScopesSupported, []string{"header"}, m.Name, m.Documentation, m.DPoPAlgorithms, m.DPoPRequired})
}

// resourceHandler answers with body.
type resourceHandler struct {
	path string
	body []byte
}

func (h *resourceHandler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	// A ServeMux takes a final slash for everything below it.
	if strings.HasSuffix(h.path, "/") && strings.HasPrefix(r.URL.Path, h.path) && r.URL.Path != h.path {
		http.NotFound(w, r)
		return
	}
	header := w.Header()
	header.Set("Access-Control-Allow-Origin", "*")
	switch r.Method {
	case http.MethodGet, http.MethodHead:
		header.Set("Content-Type", "application/json")
		header.Set("Cache-Control", "public, max-age=3600")
		_, _ = w.Write(h.body) // the client may be gone
	case http.MethodOptions:
		// A browser asks first when a script sends a header field of its own
		// (Fetch standard, "CORS-preflight fetch").
		header.Set("Allow", "GET, HEAD, OPTIONS")
		header.Set("Access-Control-Allow-Methods", "GET, HEAD")
		header.Set("Access-Control-Allow-Headers", "*")
		header.Set("Access-Control-Max-Age", "3600")
		w.WriteHeader(http.StatusNoContent)
	default:
		header.Set("Allow", "GET, HEAD, OPTIONS")
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}
