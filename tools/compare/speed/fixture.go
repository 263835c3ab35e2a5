package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

var errAccepted = errors.New("a bad token was accepted")

const (
	issuerURL  = "https://issuer.example/"
	jwksURL    = issuerURL + "keys"
	audience   = "https://api.example"
	requestURL = "https://api.example/orders/1"
	keyID      = "key-1"
)

// The groups of rows, in their order.
const (
	groupBearer    = "Bearer"
	groupParallel  = "Bearer, two at once"
	groupMemo      = "Bearer, seen before"
	groupIssuers   = "Bearer, many issuers"
	groupResolvers = "Bearer, resolvers"
	groupRequest   = "HTTP middleware, Bearer"
	groupDPoP      = "HTTP middleware, DPoP"
	groupExpired   = "Refusal: expired"
	groupForeign   = "Refusal: other issuer"
	groupMalformed = "Refusal: malformed"
	groupOversize  = "Refusal: 64 KiB"
	groupForged    = "Refusal: bad signature"
)

var groups = []string{
	groupBearer, groupParallel, groupMemo, groupIssuers, groupResolvers, groupRequest, groupDPoP,
	groupRSA2048, groupRSA3072, groupRSA4096, groupES256, groupEdDSA, groupMLDSA44, groupMLDSA65, groupMLDSA87,
	groupExpired, groupForeign, groupMalformed, groupOversize, groupForged,
}

// claims is what an API would have decoded.
type claims struct {
	Issuer      string   `json:"iss"`
	Subject     string   `json:"sub"`
	Expiry      int64    `json:"exp"`
	Scope       string   `json:"scope"`
	Permissions []string `json:"permissions"`
	OrgID       string   `json:"org_id"`
}

// fixture is one issuer, with keys, tokens and proofs for everyone.
type fixture struct {
	key    *rsa.PrivateKey
	client *ecdsa.PrivateKey
	jwks   []byte
	keys   jose.JSONWebKeySet
	now    int64

	token      string
	expired    string
	foreign    string // well signed, but by another issuer
	forged     string
	malformed  string
	oversize   string
	bound      string // to the client's key
	proof      string
	tenants    []string // issuers
	perTenant  []string // tokens
	thumbprint string
	proofs     int // made so far
}

func newFixture(issuers int) (*fixture, error) {
	f := &fixture{now: time.Now().Unix()}
	var err error
	if f.key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
		return nil, err
	}
	stranger, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	if f.client, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		return nil, err
	}
	f.keys.Keys = []jose.JSONWebKey{{Key: &f.key.PublicKey, KeyID: keyID, Algorithm: "RS256", Use: "sig"}}
	if f.jwks, err = json.Marshal(f.keys); err != nil {
		return nil, err
	}
	public := jose.JSONWebKey{Key: &f.client.PublicKey}
	sum, err := public.Thumbprint(crypto.SHA256)
	if err != nil {
		return nil, err
	}
	f.thumbprint = base64.RawURLEncoding.EncodeToString(sum)

	for _, token := range []struct {
		to    *string
		key   *rsa.PrivateKey
		extra map[string]any
	}{
		{&f.token, f.key, nil},
		{&f.expired, f.key, map[string]any{"exp": f.now - 60}},
		{&f.foreign, stranger, map[string]any{"iss": "https://other.example/"}},
		{&f.forged, stranger, nil},
		{&f.oversize, stranger, map[string]any{"padding": strings.Repeat("x", 48<<10)}},
		{&f.bound, f.key, map[string]any{"cnf": map[string]any{"jkt": f.thumbprint}}},
	} {
		if *token.to, err = f.sign(token.key, token.extra); err != nil {
			return nil, err
		}
	}
	f.malformed = strings.Replace(f.token, ".", ".!", 1)
	for i := range issuers {
		name := "https://tenant-" + strconv.Itoa(i) + ".example/"
		token, err := f.sign(f.key, map[string]any{"iss": name})
		if err != nil {
			return nil, err
		}
		f.tenants, f.perTenant = append(f.tenants, name), append(f.perTenant, token)
	}
	f.proof, err = f.newProof()
	return f, err
}

func (f *fixture) sign(key *rsa.PrivateKey, extra map[string]any) (string, error) {
	payload := map[string]any{
		"iss": issuerURL, "sub": "auth0|5f7c8ec7c33c6c004bbafe82", "aud": []string{audience, "https://issuer.example/userinfo"},
		"iat": f.now, "exp": f.now + 86400, "jti": "Zk3vT9mQp2", "client_id": "my_client_id_my_client_id_123456", "azp": "my_client_id_my_client_id_123456",
		"scope":                        "openid profile email read:orders write:orders read:invoices",
		"permissions":                  []string{"read:orders", "write:orders", "read:invoices"},
		"org_id":                       "org_8Qh2ZkBvR1",
		"https://claims.example/roles": []string{"admin", "editor"},
	}
	maps.Copy(payload, extra)
	data, err := json.Marshal(payload)
	if err != nil {
		return "", err
	}
	return compact(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: key, KeyID: keyID}}, "at+jwt", false, data)
}

// newProof returns a proof that is used once, for the bound token.
func (f *fixture) newProof() (string, error) {
	f.proofs++
	hash := sha256.Sum256([]byte(f.bound))
	data, err := json.Marshal(map[string]any{
		"jti": "proof-" + strconv.Itoa(f.proofs), "htm": http.MethodGet, "htu": requestURL, "iat": time.Now().Unix(),
		"ath": base64.RawURLEncoding.EncodeToString(hash[:]),
	})
	if err != nil {
		return "", err
	}
	return compact(jose.SigningKey{Algorithm: jose.ES256, Key: f.client}, "dpop+jwt", true, data)
}

func compact(key jose.SigningKey, kind jose.ContentType, embed bool, payload []byte) (string, error) {
	signer, err := jose.NewSigner(key, (&jose.SignerOptions{EmbedJWK: embed}).WithType(kind))
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// Do answers for every issuer, from memory: fetches cost CPU time, but no
// waiting.
func (f *fixture) Do(r *http.Request) (*http.Response, error) {
	body := f.jwks
	if strings.HasSuffix(r.URL.Path, "/openid-configuration") {
		base := "https://" + r.URL.Host + "/"
		body = fmt.Appendf(nil, `{"issuer":%q,"jwks_uri":%q,"id_token_signing_alg_values_supported":["RS256"]}`, base, base+"keys")
	}
	return &http.Response{
		Status: "200 OK", StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"max-age=3600"}},
		Body:   io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body)),
	}, nil
}

// RoundTrip makes the fixture the transport of a client.
func (f *fixture) RoundTrip(r *http.Request) (*http.Response, error) { return f.Do(r) }

func (f *fixture) httpClient() *http.Client { return &http.Client{Transport: f} }

// bareRSA returns the least that any verifier of the token must do.
func (f *fixture) bareRSA(token string) func() error { return bareRSA(&f.key.PublicKey, token) }

func bareRSA(key *rsa.PublicKey, token string) func() error {
	dot := strings.LastIndexByte(token, '.')
	input := []byte(token[:dot])
	signature, _ := base64.RawURLEncoding.DecodeString(token[dot+1:])
	return func() error {
		sum := sha256.Sum256(input)
		return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature)
	}
}

var errBare = errors.New("the bare check of a proof failed")

// bareBoth returns the least that any verifier of the bound token and its proof
// must do.
func (f *fixture) bareBoth() func() error {
	token := f.bareRSA(f.bound)
	dot := strings.LastIndexByte(f.proof, '.')
	input := []byte(f.proof[:dot])
	signature, _ := base64.RawURLEncoding.DecodeString(f.proof[dot+1:])
	return func() error {
		if err := token(); err != nil {
			return err
		}
		sum := sha256.Sum256(input)
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		if !ecdsa.Verify(&f.client.PublicKey, sum[:], r, s) {
			return errBare
		}
		return nil
	}
}

// joseSignature parses a token and checks its signature, and does not look at
// its claims.
func (f *fixture) joseSignature() error {
	parsed, err := jose.ParseSignedCompact(f.token, []jose.SignatureAlgorithm{jose.RS256})
	if err != nil {
		return err
	}
	_, err = parsed.Verify(&f.key.PublicKey)
	return err
}

const (
	bareName     = "SHA-256 + RSA, bare"
	bareBothName = "SHA-256 + RSA + SHA-256 + ECDSA, bare"
)

func (f *fixture) bareJobs() []job {
	limit := f.bareRSA(f.token)
	both := f.bareBoth()
	return []job{
		{group: groupBearer, name: bareName, run: limit, limit: limit},
		{group: groupBearer, name: "go-jose/v4, signature only", run: f.joseSignature, limit: limit},
		{group: groupIssuers, name: bareName, run: f.bareMany(), limit: limit},
		{group: groupParallel, name: bareName, run: limit, limit: limit, workers: 2},
		{group: groupDPoP, name: bareBothName, run: both, limit: both},
	}
}
