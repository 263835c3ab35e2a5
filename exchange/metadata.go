package exchange

import (
	"context"
	"net/http"

	"github.com/portcullis-go/portcullis/internal/discovery"
	"github.com/portcullis-go/portcullis/internal/fetch"
	"github.com/portcullis-go/portcullis/internal/issuer"
	"github.com/portcullis-go/portcullis/internal/keys"
	"github.com/portcullis-go/portcullis/verifier"
)

// stored is the MetadataSource of a client's own store, which is of the kind
// that verification uses.
type stored struct {
	documents *keys.Store
	doer      fetch.Doer
	clock     verifier.Clock
}

func (s stored) Metadata(ctx context.Context, name string) (verifier.Metadata, error) {
	source, err := keys.NewSource(keys.SourceConfig{Name: name, MetadataOnly: true, Doer: s.doer})
	if err != nil {
		return verifier.Metadata{}, err
	}
	d, err := s.documents.Entry(source).Metadata(ctx, s.clock.Now(), false)
	if err != nil {
		return verifier.Metadata{}, err
	}
	return verifier.Metadata{Issuer: d.Issuer, TokenEndpoint: d.TokenEndpoint, MTLSTokenEndpoint: d.MTLSTokenEndpoint}, nil
}

// endpoint returns the metadata of an issuer and the URL of its token endpoint.
// A secret may be sent there: the document is the issuer's own and the URL is
// https (RFC 8414, Section 3.3; RFC 6749, Section 3.2).
func (c *Client) endpoint(ctx context.Context, k *call) (*verifier.Metadata, string, error) {
	metadata, err := c.metadata.Metadata(ctx, k.issuer)
	if err != nil {
		return nil, "", noMetadata(ctx, err)
	}
	if stated, err := issuer.Normalize(metadata.Issuer); err != nil || stated != k.issuer {
		return nil, "", noMetadata(ctx, discovery.ErrIssuer)
	}
	url := metadata.TokenEndpoint
	if c.alias && metadata.MTLSTokenEndpoint != "" { // RFC 8705, Section 5
		url = metadata.MTLSTokenEndpoint
	}
	if url == "" {
		return nil, "", &Error{Code: k.flow.argumentCode, Status: http.StatusBadRequest, Description: "the issuer's metadata names no token endpoint", kind: ErrMetadata}
	}
	if _, err := fetch.CheckURL(url); err != nil {
		return nil, "", &Error{Code: codeNetwork, Status: http.StatusBadGateway, Description: "the token endpoint is not an https URL", kind: ErrMetadata, cause: err}
	}
	return &metadata, url, nil
}
