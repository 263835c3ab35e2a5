package mcpverifier

import (
	"net/http"
	"sync"

	"github.com/portcullis-go/portcullis/verifier"
)

// newMetadata returns the handler of the protected resource metadata. Without
// Config.AuthorizationServers it asks the issuer how it spells its own name,
// because clients compare it (RFC 8414, Section 3.3).
func (h *Handler) newMetadata(cfg *Config) (string, http.Handler, error) {
	m := cfg.metadata()
	path, fixed, err := verifier.ResourceMetadataHandler(m)
	if err != nil {
		return "", nil, err
	}
	if len(m.AuthorizationServers) > 0 {
		return path, fixed, nil
	}
	if cfg.Verifier.Domain == "" {
		return "", nil, &configError{"AuthorizationServers", "must be given, unless Verifier.Domain is the one issuer"}
	}
	return path, &discoveredMetadata{handler: h, issuer: cfg.Verifier.Domain, metadata: m}, nil
}

// discoveredMetadata is metadata whose authorization server is the issuer by its
// own name.
type discoveredMetadata struct {
	handler  *Handler
	issuer   string
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
	issuer, err := d.handler.verifier.Metadata(r.Context(), d.issuer)
	if err != nil {
		return nil, err
	}
	m := d.metadata
	m.AuthorizationServers = []string{issuer.Issuer}
	_, ready, err = verifier.ResourceMetadataHandler(m)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.ready = ready
	return ready, nil
}
