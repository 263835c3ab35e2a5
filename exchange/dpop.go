package exchange

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"
)

// prove adds a DPoP proof to a token request (RFC 9449, Section 5).
func (c *Client) prove(r *tokenRequest, endpoint string) error {
	if c.proof == nil {
		return nil
	}
	proof, err := c.newProof(http.MethodPost, endpoint, r.now, map[string]any{"nonce": c.nonces.get(endpoint)})
	if err != nil {
		return err
	}
	r.header.Set("DPoP", proof)
	return nil
}

// newProof signs the claims of RFC 9449, Section 4.2, and those given that are
// not empty.
func (c *Client) newProof(method, target string, now time.Time, more map[string]any) (string, error) {
	htu, _, _ := strings.Cut(target, "#")
	htu, _, _ = strings.Cut(htu, "?")
	claims := map[string]any{"jti": randomID(), "htm": method, "htu": htu, "iat": now.Unix()}
	for name, value := range more {
		if value != "" {
			claims[name] = value
		}
	}
	return c.proof.sign(map[string]any{"typ": "dpop+jwt", "jwk": json.RawMessage(c.jwk)}, claims)
}

// Proof returns a DPoP proof for a request with a token that is bound to
// Config.DPoPKey, for the DPoP header. nonce is what that API asked for, or "":
// nonces of token endpoints are used for those alone (RFC 9449, Section 9).
func (c *Client) Proof(method, target string, token *Token, nonce string) (string, error) {
	u, err := url.Parse(target)
	if c.proof == nil || token == nil || method == "" || err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return "", &Error{Code: codeMissing, Status: http.StatusBadRequest, Description: "a proof needs Config.DPoPKey, a method, an absolute URL and a token", kind: ErrArgument}
	}
	hash := sha256.Sum256([]byte(token.AccessToken))
	return c.newProof(method, target, c.clock.Now(), map[string]any{"nonce": nonce, "ath": base64.RawURLEncoding.EncodeToString(hash[:])})
}

// nonces are those that token endpoints asked for. Only endpoints of allowed
// issuers get here, so their number is bounded.
type nonces struct {
	mu         sync.Mutex
	byEndpoint map[string]string
}

func (n *nonces) get(endpoint string) string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.byEndpoint[endpoint]
}

// maxNonce is the longest nonce that is used.
const maxNonce = 512

// learn takes the nonce of an answer and reports whether there was a good one
// (RFC 9449, Section 8.1: one header field of NQCHAR).
func (n *nonces) learn(endpoint string, header http.Header) bool {
	values := header.Values("DPoP-Nonce")
	if len(values) != 1 || !legal(values[0], maxNonce) || strings.Contains(values[0], " ") {
		return false
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.byEndpoint == nil || len(n.byEndpoint) > 2*maxDomains {
		n.byEndpoint = make(map[string]string)
	}
	n.byEndpoint[endpoint] = values[0]
	return true
}
