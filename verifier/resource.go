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
	// Resource is the identifier of this API: an https URL without fragment.
	// http is allowed for localhost only.
	Resource string
	// AuthorizationServers are the issuers whose tokens are accepted.
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

// URL returns where the metadata of a resource is: the well-known path goes
// between its host and its path (RFC 9728, Section 3.1). It is what
// Config.ResourceMetadata wants.
func (m ResourceMetadata) URL() (string, error) {
	u, err := m.parse()
	if err != nil {
		return "", err
	}
	u.Path, u.RawPath = metadataPath(u), ""
	return u.String(), nil
}

func (m ResourceMetadata) parse() (*url.URL, error) {
	u, err := url.Parse(m.Resource)
	local := err == nil && u.Scheme == "http" && (u.Hostname() == "localhost" || u.Hostname() == "127.0.0.1" || u.Hostname() == "::1")
	if err != nil || u.Host == "" || u.User != nil || strings.Contains(m.Resource, "#") || u.Scheme != "https" && !local {
		return nil, invalid("ResourceMetadata.Resource", "is not an https URL without credentials and fragment")
	}
	return u, nil
}

func metadataPath(u *url.URL) string {
	return "/.well-known/oauth-protected-resource" + strings.TrimSuffix(u.Path, "/")
}

// ResourceMetadataHandler returns the handler of the metadata of a resource,
// and the path to register it under. It answers GET and HEAD, also across
// origins: the metadata is public.
func ResourceMetadataHandler(m ResourceMetadata) (path string, h http.Handler, err error) {
	u, err := m.parse()
	if err != nil {
		return "", nil, err
	}
	servers := slices.Clone(m.AuthorizationServers)
	// Members without a value are left out (RFC 9728, Section 3.2).
	body, err := json.Marshal(struct {
		Resource      string   `json:"resource"`
		Servers       []string `json:"authorization_servers,omitempty"`
		Scopes        []string `json:"scopes_supported,omitempty"`
		Methods       []string `json:"bearer_methods_supported"`
		Name          string   `json:"resource_name,omitempty"`
		Documentation string   `json:"resource_documentation,omitempty"`
		Algorithms    []string `json:"dpop_signing_alg_values_supported,omitempty"`
		Bound         bool     `json:"dpop_bound_access_tokens_required,omitempty"`
	}{m.Resource, servers, m.ScopesSupported, []string{"header"}, m.Name, m.Documentation, m.DPoPAlgorithms, m.DPoPRequired})
	if err != nil {
		return "", nil, invalid("ResourceMetadata", "cannot be written as JSON")
	}
	return metadataPath(u), http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Access-Control-Allow-Origin", "*")
		w.Header().Set("Cache-Control", "public, max-age=3600")
		_, _ = w.Write(body)
	}), nil
}
