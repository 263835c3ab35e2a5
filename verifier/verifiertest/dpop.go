package verifiertest

import (
	"crypto"
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/portcullis-go/portcullis/verifier"
)

// DPoPClient signs DPoP proofs (RFC 9449) with a key of its own. It is safe
// for concurrent use.
type DPoPClient struct {
	t      testing.TB
	alg    string
	key    crypto.Signer
	clock  verifier.Clock
	serial atomic.Int64
}

// NewDPoPClient returns a client with a new key. A nil clock means time.Now; an
// empty algorithm ES256.
func NewDPoPClient(t testing.TB, clock verifier.Clock, algorithm string) *DPoPClient {
	t.Helper()
	if clock == nil {
		clock = verifier.ClockFunc(time.Now)
	}
	if algorithm == "" {
		algorithm = "ES256"
	}
	return &DPoPClient{t: t, alg: algorithm, key: newKey(t, algorithm), clock: clock}
}

// Thumbprint returns the jkt that tokens for this client are bound to.
func (c *DPoPClient) Thumbprint() string {
	c.t.Helper()
	jwk := c.jwk()
	sum, err := jwk.Thumbprint(crypto.SHA256)
	if err != nil {
		c.t.Fatalf("verifiertest: %v", err)
	}
	return base64.RawURLEncoding.EncodeToString(sum)
}

// Confirmation returns the cnf claim for this client's tokens.
func (c *DPoPClient) Confirmation() map[string]any { return map[string]any{"jkt": c.Thumbprint()} }

func (c *DPoPClient) jwk() jose.JSONWebKey { return jose.JSONWebKey{Key: c.key.Public()} }

// Proof returns a good proof for a request.
func (c *DPoPClient) Proof(method, url, accessToken string) string {
	c.t.Helper()
	return c.ProofWith(method, url, accessToken, nil, nil)
}

// ProofWith returns a proof that misbehaves on request: header parameters and
// claims come on top of good ones, and nil removes one. A nonce is the claim
// "nonce".
func (c *DPoPClient) ProofWith(method, url, accessToken string, header, claims map[string]any) string {
	c.t.Helper()
	ath := sha256.Sum256([]byte(accessToken))
	allClaims := map[string]any{
		"jti": "proof-" + strconv.FormatInt(c.serial.Add(1), 10), "htm": method, "htu": url, "iat": c.clock.Now().Unix(),
		"ath": base64.RawURLEncoding.EncodeToString(ath[:]),
	}
	allHeader := map[string]any{"typ": "dpop+jwt", "jwk": c.jwk()}
	for _, merge := range []struct{ to, from map[string]any }{{allClaims, claims}, {allHeader, header}} {
		maps.Copy(merge.to, merge.from)
		maps.DeleteFunc(merge.to, func(_ string, value any) bool { return value == nil })
	}
	proof, err := sign(c.key, c.alg, allHeader, allClaims)
	if err != nil {
		c.t.Fatalf("verifiertest: %v", err)
	}
	return proof
}

// Authorize sets the Authorization and DPoP headers of a request to r.URL.
func (c *DPoPClient) Authorize(r *http.Request, accessToken string) {
	c.t.Helper()
	c.authorize(r, accessToken, nil)
}

func (c *DPoPClient) authorize(r *http.Request, accessToken string, claims map[string]any) {
	r.Header.Set("Authorization", "DPoP "+accessToken)
	r.Header.Set("DPoP", c.ProofWith(r.Method, r.URL.String(), accessToken, nil, claims))
}

// Do sends a request without body, authorized, and repeats it once with the
// nonce that the server asks for (RFC 9449, Section 9). The caller closes the
// body of the response.
func (c *DPoPClient) Do(doer verifier.Doer, r *http.Request, accessToken string) (*http.Response, error) {
	c.authorize(r, accessToken, nil)
	resp, err := doer.Do(r)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || resp.Header.Get("DPoP-Nonce") == "" {
		return resp, err
	}
	if err := resp.Body.Close(); err != nil {
		return nil, err
	}
	again := r.Clone(r.Context())
	c.authorize(again, accessToken, map[string]any{"nonce": resp.Header.Get("DPoP-Nonce")})
	return doer.Do(again)
}
