package verifiertest

import (
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/portcullis-go/portcullis/verifier"
)

// DPoPClient signs DPoP proofs (RFC 9449) with a key of its own, and misbehaves
// on request: see [ProofOption] and [ProofFaults]. It is safe for concurrent
// use.
type DPoPClient struct {
	t      testing.TB
	key    signingKey
	clock  verifier.Clock
	serial atomic.Int64

	mu     sync.Mutex
	nonces map[string]string // that servers gave, by origin
}

// NewDPoPClient returns a client with a new key. A nil clock means time.Now; an
// empty algorithm ES256.
func NewDPoPClient(t testing.TB, clock verifier.Clock, algorithm string) *DPoPClient {
	t.Helper()
	if algorithm == "" {
		algorithm = "ES256"
	}
	return newClient(t, clock, newStandardKey(t, algorithm))
}

func newClient(t testing.TB, clock verifier.Clock, key signingKey) *DPoPClient {
	if clock == nil {
		clock = verifier.ClockFunc(time.Now)
	}
	return &DPoPClient{t: t, key: key, clock: clock, nonces: make(map[string]string)}
}

// Thumbprint returns the jkt that tokens for this client are bound to.
func (c *DPoPClient) Thumbprint() string {
	c.t.Helper()
	thumbprint, err := c.key.thumbprint()
	if err != nil {
		c.t.Fatalf("verifiertest: %v", err)
	}
	return thumbprint
}

// Confirmation returns the cnf claim for this client's tokens.
func (c *DPoPClient) Confirmation() map[string]any { return map[string]any{"jkt": c.Thumbprint()} }

// Proof returns a proof for a request: a good one, or what the options make of
// it.
func (c *DPoPClient) Proof(method, url, accessToken string, options ...ProofOption) string {
	c.t.Helper()
	ath := sha256.Sum256([]byte(accessToken))
	d := &proofDraft{
		client: c,
		signer: c.key,
		header: map[string]any{"typ": "dpop+jwt", "jwk": c.key.public()},
		claims: map[string]any{
			"jti": "proof-" + strconv.FormatInt(c.serial.Add(1), 10), "htm": method, "htu": url, "iat": c.clock.Now().Unix(),
			"ath": base64.RawURLEncoding.EncodeToString(ath[:]),
		},
	}
	for _, option := range options {
		option(d)
	}
	proof, err := d.signer.sign(d.header, d.claims)
	if err != nil {
		c.t.Fatalf("verifiertest: %v", err)
	}
	return proof
}

// ProofWith returns a proof with header parameters and claims on top of good
// ones; nil removes one.
func (c *DPoPClient) ProofWith(method, url, accessToken string, header, claims map[string]any) string {
	c.t.Helper()
	var options []ProofOption
	for name, value := range header {
		options = append(options, ProofHeader(name, value))
	}
	for name, value := range claims {
		options = append(options, ProofClaim(name, value))
	}
	return c.Proof(method, url, accessToken, options...)
}

// Authorize sets the Authorization and DPoP headers of a request. The proof is
// for r.URL or, where that is not absolute, as in requests of
// httptest.NewRequest, for the URL that its server would see.
func (c *DPoPClient) Authorize(r *http.Request, accessToken string, options ...ProofOption) {
	c.t.Helper()
	r.Header.Set("Authorization", "DPoP "+accessToken)
	r.Header.Set("DPoP", c.Proof(r.Method, target(r).String(), accessToken, options...))
}

// target is the URL that a proof is for (RFC 9449, Section 4.2: without query
// and fragment).
func target(r *http.Request) *url.URL {
	u := *r.URL
	u.User, u.RawQuery, u.ForceQuery, u.Fragment, u.RawFragment = nil, "", false, "", ""
	if u.Host == "" {
		u.Host, u.Scheme = r.Host, "http"
		if r.TLS != nil {
			u.Scheme = "https"
		}
	}
	return &u
}

// Do sends a request, authorized. It uses the nonce that the server gave last,
// and repeats the request once when the server demands another one (RFC 9449,
// Sections 8.2 and 9); a request with a body must have GetBody then, as those
// of http.NewRequest do. The caller closes the body of the response.
func (c *DPoPClient) Do(doer verifier.Doer, r *http.Request, accessToken string, options ...ProofOption) (*http.Response, error) {
	resp, err := c.send(doer, r, accessToken, options)
	if err != nil || resp.StatusCode != http.StatusUnauthorized || !demandsNonce(resp.Header) || r.Body != nil && r.GetBody == nil {
		return resp, err
	}
	if err := resp.Body.Close(); err != nil {
		return nil, err
	}
	again := r.Clone(r.Context())
	if r.GetBody != nil {
		if again.Body, err = r.GetBody(); err != nil {
			return nil, err
		}
	}
	return c.send(doer, again, accessToken, options)
}

func (c *DPoPClient) send(doer verifier.Doer, r *http.Request, accessToken string, options []ProofOption) (*http.Response, error) {
	c.t.Helper()
	if nonce := c.Nonce(r.URL); nonce != "" {
		options = append([]ProofOption{ProofNonce(nonce)}, options...)
	}
	c.Authorize(r, accessToken, options...)
	resp, err := doer.Do(r)
	if err == nil {
		if nonce := resp.Header.Get("DPoP-Nonce"); nonce != "" {
			c.mu.Lock()
			c.nonces[origin(r.URL)] = nonce
			c.mu.Unlock()
		}
	}
	return resp, err
}

// Nonce returns the nonce that [DPoPClient.Do] was given last by the server of
// a URL, or "".
func (c *DPoPClient) Nonce(u *url.URL) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.nonces[origin(u)]
}

func origin(u *url.URL) string { return u.Scheme + "://" + u.Host }

func demandsNonce(h http.Header) bool {
	return h.Get("DPoP-Nonce") != "" && slices.ContainsFunc(h.Values("WWW-Authenticate"), func(challenge string) bool {
		return strings.Contains(challenge, `error="use_dpop_nonce"`)
	})
}
