package jwe

import "context"

// Decrypt is Open for content that is no JWT, as test vectors have it.
func (o *Opener) Decrypt(ctx context.Context, compact string) ([]byte, error) {
	h := o.header(compact)
	if h == nil {
		return nil, ErrOpen
	}
	content, _, err := o.decrypt(ctx, compact, h)
	return content, err
}
