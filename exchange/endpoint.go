package exchange

import (
	"context"
	"net/http"
	"slices"

	"github.com/portcullis-go/portcullis/internal/discovery"
	"github.com/portcullis-go/portcullis/internal/keys"
	"github.com/portcullis-go/portcullis/verifier"
)

// stored is the MetadataSource of a client's own store, which is of the kind
// that verification uses.
type stored struct {
	documents *keys.Store
	sources   map[string]*keys.Source // by the names of the issuers
	clock     verifier.Clock
}

func (s stored) Metadata(ctx context.Context, name string) (verifier.Metadata, error) {
	d, err := s.documents.Entry(s.sources[name]).Metadata(ctx, s.clock.Now(), false)
	if err != nil {
		return verifier.Metadata{}, err
	}
	return verifier.Metadata{Issuer: d.Issuer, TokenEndpoint: d.TokenEndpoint, MTLSTokenEndpoint: d.MTLSTokenEndpoint}, nil
}

// endpoint returns the metadata of an issuer and the URL of its token endpoint.
// A secret may be sent there: the document is the issuer's own and the URL is
// https, or http where the issuer itself is (RFC 8414, Section 3.3; RFC 6749,
// Section 3.2).
func (c *Client) endpoint(ctx context.Context, k *call) (*verifier.Metadata, string, error) {
	metadata, err := c.metadata.Metadata(ctx, k.issuer)
	if err != nil {
		return nil, "", noMetadata(ctx, err)
	}
	if !slices.Contains(c.issuers[k.issuer], metadata.Issuer) {
		return nil, "", noMetadata(ctx, discovery.ErrIssuer)
	}
	url := metadata.TokenEndpoint
	if c.mutualTLS && metadata.MTLSTokenEndpoint != "" { // RFC 8705, Section 5
		url = metadata.MTLSTokenEndpoint
	}
	if url == "" {
		return nil, "", &Error{Code: k.flow.argumentCode, Status: http.StatusBadRequest, Description: "the issuer's metadata names no token endpoint", kind: ErrMetadata}
	}
	if _, err := c.http.CheckLink(k.issuer, url); err != nil {
		return nil, "", &Error{Code: codeNetwork, Status: http.StatusBadGateway, Description: "the token endpoint is not an https URL", kind: ErrMetadata, cause: err}
	}
	return &metadata, url, nil
}
