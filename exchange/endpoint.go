package exchange

import (
	"context"
	"net/http"

	"github.com/portcullis-go/portcullis/internal/discovery"
	"github.com/portcullis-go/portcullis/verifier"
)

// stored is the MetadataSource of a client's own store, which is the one that
// verification uses too.
type stored struct{ documents *discovery.Store }

func (s stored) Metadata(ctx context.Context, name string) (verifier.Metadata, error) {
	snap, _, err := s.documents.Get(ctx, name)
	if err != nil {
		return verifier.Metadata{}, err
	}
	d := snap.Value
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
	if !c.issuers[k.issuer](metadata.Issuer) {
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
