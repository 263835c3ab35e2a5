package mcpverifier

import (
	"net/http"
	"sync"

	"github.com/portcullis-go/portcullis/verifier"
)

// newMetadata returns the handler of the protected resource metadata. Without
// Config.AuthorizationServers it asks the issuers how they spell their names,
// because clients compare them (RFC 8414, Section 3.3).
func (h *Handler) newMetadata(cfg *Config) (string, http.Handler, error) {
	m := cfg.metadata()
	path, fixed, err := verifier.ResourceMetadataHandler(m)
	if err != nil {
		return "", nil, err
	}
	if len(m.AuthorizationServers) > 0 {
		return path, fixed, nil
	}
	issuers := cfg.issuers()
	if len(issuers) == 0 {
		return "", nil, &configError{"AuthorizationServers", "must be given, because the issuers cannot be asked for their names"}
	}
	return path, &discoveredMetadata{handler: h, issuers: issuers, metadata: m}, nil
}

// discoveredMetadata is metadata whose authorization servers are the issuers by
// their own names.
type discoveredMetadata struct {
	handler  *Handler
	issuers  []string
	metadata verifier.ResourceMetadata

	mu    sync.Mutex
	ready http.Handler
}

func (d *discoveredMetadata) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h, err := d.complete(r)
	if err != nil {
		verifier.WriteError(w, err)
		return
	}
	h.ServeHTTP(w, r)
}

func (d *discoveredMetadata) complete(r *http.Request) (http.Handler, error) {
	d.mu.Lock()
	ready := d.ready
	d.mu.Unlock()
	if ready != nil {
		return ready, nil
	}
	m := d.metadata
	for _, name := range d.issuers {
		issuer, err := d.handler.verifier.Metadata(r.Context(), name)
		if err != nil {
			return nil, err
		}
		m.AuthorizationServers = append(m.AuthorizationServers, issuer.Issuer)
	}
	_, ready, err := verifier.ResourceMetadataHandler(m)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ready = ready
	return ready, nil
}
