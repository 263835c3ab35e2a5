package verifiertest

import (
	"crypto"
	"crypto/subtle"
	"crypto/x509"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// tokenEndpoint is what the token endpoint demands of its clients.
type tokenEndpoint struct {
	authenticate func(r *http.Request) bool // nil: anybody may come
	mtls         bool                       // the alias of RFC 8705, Section 5 exists
	proofs       bool                       // DPoP proofs are demanded
	nonce        string                     // that proofs must have; "" for none
	seen         map[string]bool            // identifiers of assertions and proofs
}

// RequireClientSecretBasic makes the token and the introspection endpoint demand this client's secret
// in the Authorization header (RFC 6749, Section 2.3.1).
func (i *Issuer) RequireClientSecretBasic(clientID, secret string) {
	i.require(func(r *http.Request) bool {
		id, password, ok := r.BasicAuth()
		id, errID := url.QueryUnescape(id)
		password, errSecret := url.QueryUnescape(password)
		return ok && errID == nil && errSecret == nil && equal(id, clientID) && equal(password, secret) && !r.PostForm.Has("client_secret")
	})
}

// RequireClientSecretPost makes the token and the introspection endpoint demand this client's secret
// in the form (RFC 6749, Section 2.3.1).
func (i *Issuer) RequireClientSecretPost(clientID, secret string) {
	i.require(func(r *http.Request) bool {
		return r.Header.Get("Authorization") == "" && equal(r.PostForm.Get("client_id"), clientID) && equal(r.PostForm.Get("client_secret"), secret)
	})
}

// RequirePrivateKeyJWT makes the token and the introspection endpoint demand an assertion that this
// client signed (RFC 7523, Sections 2.2 and 3): with this algorithm and the
// private part of key, for this issuer as the sole audience, valid now and for
// no longer than five minutes, and never seen before.
func (i *Issuer) RequirePrivateKeyJWT(clientID string, key crypto.PublicKey, algorithm string) {
	i.require(func(r *http.Request) bool {
		if r.Header.Get("Authorization") != "" || r.PostForm.Has("client_secret") ||
			r.PostForm.Get("client_assertion_type") != "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" {
			return false
		}
		signed, err := jose.ParseSigned(r.PostForm.Get("client_assertion"), []jose.SignatureAlgorithm{jose.SignatureAlgorithm(algorithm)})
		if err != nil {
			return false
		}
		payload, err := signed.Verify(key)
		if err != nil {
			return false
		}
		var claims struct {
			Issuer, Subject, ID string
			Audience            any
			Expires, Issued     int64
		}
		var names map[string]json.RawMessage
		if json.Unmarshal(payload, &names) != nil {
			return false
		}
		for name, to := range map[string]any{
			"iss": &claims.Issuer, "sub": &claims.Subject, "jti": &claims.ID,
			"aud": &claims.Audience, "exp": &claims.Expires, "iat": &claims.Issued,
		} {
			if json.Unmarshal(names[name], to) != nil {
				return false
			}
		}
		now := i.clock.Now()
		expires, issued := time.Unix(claims.Expires, 0), time.Unix(claims.Issued, 0)
		return claims.Issuer == clientID && claims.Subject == clientID && claims.Audience == i.name &&
			now.Before(expires) && !expires.After(now.Add(5*time.Minute)) && !issued.After(now.Add(time.Minute)) &&
			(!r.PostForm.Has("client_id") || r.PostForm.Get("client_id") == clientID) && i.once("assertion "+claims.ID)
	})
}

// RequireClientCertificate makes the token and the introspection endpoint demand a TLS client
// certificate (RFC 8705, Section 2.1) that one of roots has issued for client
// authentication, and this client_id beside it. It is demanded at the alias
// endpoints that the issuer's metadata then names (RFC 8705, Section 5); the
// ordinary ones refuse everybody. An issuer made with [WithURL] has no TLS and
// sees no certificates.
func (i *Issuer) RequireClientCertificate(clientID string, roots *x509.CertPool) {
	i.require(func(r *http.Request) bool {
		if !strings.Contains(r.URL.Path, "/mtls/oauth/") || r.TLS == nil || len(r.TLS.PeerCertificates) == 0 || r.PostForm.Get("client_id") != clientID {
			return false
		}
		_, err := r.TLS.PeerCertificates[0].Verify(x509.VerifyOptions{Roots: roots, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
		return err == nil
	})
	i.mu.Lock()
	defer i.mu.Unlock()
	i.endpoint.mtls = true
}

// RequireDPoP makes the token endpoint demand a good DPoP proof (RFC 9449,
// Section 5), with this nonce unless that is empty (Section 8). Answers have
// the token type DPoP unless [Issuer.AnswerExchanges] says otherwise.
func (i *Issuer) RequireDPoP(nonce string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.endpoint.proofs, i.endpoint.nonce = true, nonce
}

func (i *Issuer) require(authenticate func(r *http.Request) bool) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.endpoint.authenticate, i.endpoint.mtls = authenticate, false
}

// once reports whether an identifier is new, and remembers it.
func (i *Issuer) once(id string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.endpoint.seen[id] {
		return false
	}
	if i.endpoint.seen == nil {
		i.endpoint.seen = make(map[string]bool)
	}
	i.endpoint.seen[id] = true
	return true
}

// admitClient answers a token request whose client or proof is not good
// enough, and reports whether the request may go on. The form is parsed.
func (i *Issuer) admitClient(w http.ResponseWriter, r *http.Request) bool {
	i.mu.Lock()
	endpoint := i.endpoint
	i.mu.Unlock()
	if endpoint.authenticate != nil && !endpoint.authenticate(r) {
		refuseToken(w, http.StatusUnauthorized, "invalid_client")
		return false
	}
	if !endpoint.proofs {
		return true
	}
	nonce, ok := i.proof(r)
	if ok && endpoint.nonce != "" && nonce != endpoint.nonce {
		w.Header().Set("DPoP-Nonce", endpoint.nonce)
		refuseToken(w, http.StatusBadRequest, "use_dpop_nonce")
		return false
	}
	if !ok {
		refuseToken(w, http.StatusBadRequest, "invalid_dpop_proof")
	}
	return ok
}

// proof checks the DPoP proof of a token request and returns its nonce.
func (i *Issuer) proof(r *http.Request) (nonce string, ok bool) {
	values := r.Header.Values("DPoP")
	if len(values) != 1 {
		return "", false
	}
	signed, err := jose.ParseSigned(values[0], []jose.SignatureAlgorithm{
		jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.ES256, jose.ES384, jose.ES512, jose.EdDSA,
	})
	if err != nil || len(signed.Signatures) != 1 {
		return "", false
	}
	header := signed.Signatures[0].Protected
	if header.JSONWebKey == nil || !header.JSONWebKey.IsPublic() || header.ExtraHeaders[jose.HeaderType] != "dpop+jwt" {
		return "", false
	}
	payload, err := signed.Verify(header.JSONWebKey)
	if err != nil {
		return "", false
	}
	var claims struct {
		ID       string `json:"jti"`
		Method   string `json:"htm"`
		URL      string `json:"htu"`
		IssuedAt int64  `json:"iat"`
		Nonce    string `json:"nonce"`
	}
	if json.Unmarshal(payload, &claims) != nil {
		return "", false
	}
	u, err := url.Parse(i.name)
	if err != nil {
		return "", false
	}
	age := i.clock.Now().Sub(time.Unix(claims.IssuedAt, 0))
	fits := claims.Method == http.MethodPost && claims.URL == "https://"+u.Host+r.URL.Path && age > -time.Minute && age < 5*time.Minute
	return claims.Nonce, fits && claims.ID != "" && i.once("proof "+claims.ID)
}

func refuseToken(w http.ResponseWriter, status int, code string) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(mustJSON(map[string]any{"error": code}))
}

// equal compares secrets in constant time.
func equal(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
