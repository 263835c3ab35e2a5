package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math/big"

	"github.com/portcullis-go/portcullis/integration/fastrsa"
	"github.com/portcullis-go/portcullis/verifier"
)

// The groups of rows about sizes of RSA keys.
const (
	groupRSA2048 = "Bearer, RSA of 2048 bits"
	groupRSA3072 = "Bearer, RSA of 3072 bits"
	groupRSA4096 = "Bearer, RSA of 4096 bits"

	fastName          = ourName + ", accelerated"
	fastSignatureName = ourName + ", accelerated, signature alone"
	bareByRSA         = "the bare check, by that of RS256 with 2048 bits"
)

var errRefused = errors.New("a good signature is refused")

func accepted(ok bool) error {
	if !ok {
		return errRefused
	}
	return nil
}

// rsaJobs compare verification without and with acceleration with the bare check
// by crypto/rsa, the hash included in all.
func (f *fixture) rsaJobs(ctx context.Context, group string, bits int) ([]job, error) {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, err
	}
	token, input, signature, err := f.tokenOf("RS256", func(input []byte) ([]byte, error) {
		sum := sha256.Sum256(input)
		return rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	})
	if err != nil {
		return nil, err
	}
	n, e := key.N.Bytes(), big.NewInt(int64(key.E)).Bytes()
	jwk := func() map[string]string {
		return map[string]string{"kty": "RSA", "alg": "RS256", "n": base64.RawURLEncoding.EncodeToString(n), "e": base64.RawURLEncoding.EncodeToString(e)}
	}
	plain, err := f.publishing(ctx, jwk(), nil)
	if err != nil {
		return nil, err
	}
	fast, err := f.publishing(ctx, jwk(), func(cfg *verifier.Config) { cfg.SignatureAlgorithms = fastrsa.Algorithms() })
	if err != nil {
		return nil, err
	}
	prepared, err := fastrsa.Algorithms()[0].PrepareKey(map[string][]byte{"n": n, "e": e})
	if err != nil {
		return nil, fmt.Errorf("fastrsa: %w", err)
	}
	text := string(input)
	bare := func() error {
		sum := sha256.Sum256(input)
		return rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], signature)
	}
	return []job{
		{group: group, name: ourName, run: plain.bearer(token), limit: bare},
		{group: group, name: fastName, run: fast.bearer(token), limit: bare},
		{group: group, name: fastSignatureName, run: func() error { return accepted(prepared.Verify(text, signature)) }, limit: bare},
		{group: group, name: bareByRSA, run: bare, limit: f.bareRSA(f.token)},
	}, nil
}
