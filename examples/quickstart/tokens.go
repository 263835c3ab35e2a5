package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"time"

	"github.com/portcullis-go/portcullis/exchange"
	"github.com/portcullis-go/portcullis/introspection"
	"github.com/portcullis-go/portcullis/verifier"
	"github.com/portcullis-go/portcullis/verifier/revocation"
	"github.com/portcullis-go/portcullis/verifier/verifiertest"
)

// tokens is what an API needs for opaque, encrypted and revoked tokens: a client of
// the introspection endpoint, a private key, and a list.
type tokens struct {
	issuer  *verifiertest.Issuer
	asks    *introspection.Client
	key     *rsa.PrivateKey
	revoked *revocation.List
}

func newTokens(issuer *verifiertest.Issuer) (*tokens, error) {
	issuer.RequireClientSecretBasic("orders-api", "secret-of-the-api")
	asks, err := introspection.New(introspection.Config{
		Domain: issuer.Domain(), ClientID: "orders-api", Auth: exchange.ClientSecretBasic("secret-of-the-api"), Doer: issuer.Client(),
	})
	if err != nil {
		return nil, err
	}
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, err
	}
	store, err := revocation.NewMemory(1000, nil)
	if err != nil {
		return nil, err
	}
	list, err := revocation.NewList(revocation.ListConfig{Store: store, MaxTokenLife: time.Hour})
	if err != nil {
		return nil, err
	}
	return &tokens{issuer, asks, key, list}, nil
}

// configure lets a Verifier accept such tokens of the issuer.
func (t *tokens) configure(cfg *verifier.Config) {
	cfg.Domain = ""
	cfg.Issuers = []verifier.Issuer{{Name: t.issuer.Domain(), Opaque: verifier.OpaqueTokens{Introspector: t.asks}}}
	cfg.Decryption.Keys = []verifier.DecryptionKey{{ID: "2026-05", Private: t.key}}
	cfg.Revocation.Checker = t.revoked
}

func (t *tokens) Close() { _ = t.asks.Close() }

// encrypted returns a token that only this API can read.
func (t *tokens) encrypted() string {
	return t.issuer.SignEncrypted(verifiertest.Recipient{Key: t.key.Public(), ID: "2026-05"}, audience, nil)
}

// stolen returns a good token that was revoked.
func (t *tokens) stolen(ctx context.Context) (string, error) {
	return t.issuer.Sign(audience, map[string]any{"jti": "stolen"}), t.revoked.RevokeToken(ctx, t.issuer.Domain(), "stolen")
}

// tokens are the requests with tokens that are no plain JWTs (RFC 7662, RFC 9068,
// Section 4), and with one that was revoked.
func (d *demonstration) tokens(t *tokens) []row {
	ended := d.issuer.IssueOpaque(audience, nil)
	d.issuer.Revoke(ended)
	stolen, err := t.stolen(d.t.Context())
	if err != nil {
		d.t.Fatalf("%v", err)
	}
	return []row{
		{"opaque token", 200, "", d.with("GET", d.issuer.IssueOpaque(audience, nil))},
		{"opaque token, revoked at the issuer", 401, "invalid_token", d.with("GET", ended)},
		{"encrypted token", 200, "", d.with("GET", t.encrypted())},
		{"good token, revoked here", 401, "invalid_token", d.with("GET", stolen)},
	}
}
