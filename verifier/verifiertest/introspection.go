package verifiertest

import (
	"crypto"
	"crypto/rand"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// IssueOpaque returns an opaque access token with the claims of [Issuer.Claims],
// which the introspection endpoint tells about it (RFC 7662).
func (i *Issuer) IssueOpaque(audience string, extra map[string]any) string {
	token := "opaque_" + rand.Text()
	i.issue(token, i.Claims(audience, extra))
	return token
}

func (i *Issuer) issue(token string, claims map[string]any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.issued == nil {
		i.issued = make(map[string]map[string]any)
	}
	i.issued[token] = claims
}

// Recipient is whom a token is encrypted to.
type Recipient struct {
	// Key is an *rsa.PublicKey or an *ecdsa.PublicKey.
	Key crypto.PublicKey
	// ID is the kid header; "" for none.
	ID string
	// Algorithm of the key. Default RSA-OAEP-256 or ECDH-ES+A256KW.
	Algorithm string
	// Encoding of the content. Default A256GCM.
	Encoding string
}

// SignEncrypted returns an encrypted access token (RFC 9068, Section 4): a JWT with
// the claims of [Issuer.Claims], encrypted to the recipient.
func (i *Issuer) SignEncrypted(to Recipient, audience string, extra map[string]any) string {
	i.t.Helper()
	claims := i.Claims(audience, extra)
	token := i.Encrypt(to, nil, i.SignWith(nil, claims))
	i.issue(token, claims)
	return token
}

// Encrypt encrypts any content to a recipient, as a JWE in compact serialisation.
// Header parameters come on top of alg, enc, kid, typ "JWT" and cty "JWT"; nil
// removes typ or cty.
func (i *Issuer) Encrypt(to Recipient, header map[string]any, content string) string {
	i.t.Helper()
	token, err := encrypt(to, header, content)
	if err != nil {
		i.t.Fatalf("verifiertest: %v", err)
	}
	return token
}

// Revoke makes the introspection endpoint say that a token is not active.
func (i *Issuer) Revoke(token string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.revoked == nil {
		i.revoked = make(map[string]bool)
	}
	i.revoked[token] = true
}

// AnswerIntrospections lets f answer introspection requests: a status and a value
// for the JSON body. Default: 200, with the claims of a token that this issuer made,
// that has not expired and was not revoked, or with active false.
func (i *Issuer) AnswerIntrospections(f func(form url.Values) (status int, body any)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.introspect = f
}

// Introspections returns the introspection requests that came in, oldest first.
func (i *Issuer) Introspections() []Exchange {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]Exchange(nil), i.asked...)
}

func (i *Issuer) serveIntrospection(w http.ResponseWriter, r *http.Request) {
	if !i.admit(w, r, &i.counts.Introspection) {
		return
	}
	if err := r.ParseForm(); err != nil {
		http.Error(w, "malformed form", http.StatusBadRequest)
		return
	}
	i.mu.Lock()
	i.asked = append(i.asked, Exchange{Form: r.PostForm, Header: r.Header.Clone()})
	authenticate, answer := i.endpoint.authenticate, i.introspect
	i.mu.Unlock()
	if authenticate != nil && !authenticate(r) {
		refuseToken(w, http.StatusUnauthorized, "invalid_client")
		return
	}
	status, body := http.StatusOK, any(nil)
	if answer != nil {
		status, body = answer(r.PostForm)
	} else {
		body = i.tell(r.PostForm.Get("token"))
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(mustJSON(body))
}

// tell is the answer about a token.
func (i *Issuer) tell(token string) map[string]any {
	i.mu.Lock()
	claims, revoked := i.issued[token], i.revoked[token]
	i.mu.Unlock()
	if claims == nil {
		claims = i.claimsOf(token)
	}
	if claims == nil || revoked || i.expired(claims) {
		return map[string]any{"active": false}
	}
	answer := map[string]any{"active": true, "token_type": "Bearer"}
	if cnf, ok := claims["cnf"].(map[string]any); ok && cnf["jkt"] != nil {
		answer["token_type"] = "DPoP"
	}
	maps.Copy(answer, claims)
	return answer
}

func (i *Issuer) expired(claims map[string]any) bool {
	var exp float64
	data, err := json.Marshal(claims["exp"])
	return err != nil || json.Unmarshal(data, &exp) != nil || i.clock.Now().After(time.Unix(int64(exp), 0))
}

// claimsOf returns the claims of a JWT that this issuer signed, or nil.
func (i *Issuer) claimsOf(token string) map[string]any {
	signed, err := jose.ParseSigned(token, []jose.SignatureAlgorithm{jose.SignatureAlgorithm(i.alg)})
	if err != nil {
		return nil
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, key := range i.keys {
		var claims map[string]any
		if payload, err := signed.Verify(key.key.public()); err == nil && json.Unmarshal(payload, &claims) == nil {
			return claims
		}
	}
	return nil
}

func encrypt(to Recipient, header map[string]any, content string) (string, error) {
	algorithm, encoding := jose.KeyAlgorithm(to.Algorithm), jose.ContentEncryption(to.Encoding)
	if algorithm == "" {
		algorithm = jose.ECDH_ES_A256KW
		if _, ok := to.Key.(interface{ Size() int }); ok { // of RSA keys
			algorithm = jose.RSA_OAEP_256
		}
	}
	if encoding == "" {
		encoding = jose.A256GCM
	}
	all := map[string]any{"typ": "JWT", "cty": "JWT"}
	maps.Copy(all, header)
	options := &jose.EncrypterOptions{}
	for name, value := range all {
		if value != nil {
			options.WithHeader(jose.HeaderKey(name), value)
		}
	}
	encrypter, err := jose.NewEncrypter(encoding, jose.Recipient{Algorithm: algorithm, Key: to.Key, KeyID: to.ID}, options)
	if err != nil {
		return "", err
	}
	encrypted, err := encrypter.Encrypt([]byte(content))
	if err != nil {
		return "", err
	}
	return encrypted.CompactSerialize()
}
