package main

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"

	fmldsa "filippo.io/mldsa"

	"github.com/portcullis-go/portcullis/integration/fastrsa"
	"github.com/portcullis-go/portcullis/integration/mldsa"
	"github.com/portcullis-go/portcullis/verifier"
)

// The groups of rows about other algorithms and faster checks.
const (
	groupFast      = "Bearer, RSA accelerated"
	groupFast3072  = "RSA 3072 accelerated, signature alone"
	groupFast4096  = "RSA 4096 accelerated, signature alone"
	groupEdDSA     = "Bearer, EdDSA"
	groupMLDSA44   = "Bearer, ML-DSA-44"
	groupMLDSA65   = "Bearer, ML-DSA-65"
	groupMLDSA87   = "Bearer, ML-DSA-87"
	bareByRSA      = "the bare check, by that of RS256 with 2048 bits"
	withoutModules = "crypto/rsa"
)

var errRefused = errors.New("a good signature is refused")

func (f *fixture) algorithmJobs(ctx context.Context) ([]job, error) {
	fast, err := f.ours(ctx, func(cfg *verifier.Config) { cfg.SignatureAlgorithms = fastrsa.Algorithms() })
	if err != nil {
		return nil, err
	}
	jobs := []job{{group: groupFast, name: ourName, run: fast.bearer(f.token), limit: f.bareRSA(f.token)}}
	for _, size := range []struct {
		group string
		bits  int
	}{{groupFast3072, 3072}, {groupFast4096, 4096}} {
		more, err := fastJobs(size.group, size.bits)
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, more...)
	}
	more, err := f.eddsaJobs(ctx)
	if err != nil {
		return nil, err
	}
	jobs = append(jobs, more...)
	for i, set := range []fmldsa.Parameters{fmldsa.MLDSA44(), fmldsa.MLDSA65(), fmldsa.MLDSA87()} {
		if more, err = f.mldsaJobs(ctx, []string{groupMLDSA44, groupMLDSA65, groupMLDSA87}[i], set); err != nil {
			return nil, err
		}
		jobs = append(jobs, more...)
	}
	return jobs, nil
}

// fastJobs compare the accelerated check of one signature with crypto/rsa, the
// hash included in both.
func fastJobs(group string, bits int) ([]job, error) {
	key, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		return nil, err
	}
	input := strings.Repeat("x", 1000)
	sum := sha256.Sum256([]byte(input))
	signature, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	if err != nil {
		return nil, err
	}
	prepared, err := fastrsa.Algorithms()[0].PrepareKey(map[string][]byte{"n": key.N.Bytes(), "e": big.NewInt(int64(key.E)).Bytes()})
	if err != nil {
		return nil, err
	}
	message := []byte(input)
	bare := func() error {
		sum := sha256.Sum256(message)
		return rsa.VerifyPKCS1v15(&key.PublicKey, crypto.SHA256, sum[:], signature)
	}
	return []job{
		{group: group, name: ourName, limit: bare, run: func() error { return accepted(prepared.Verify(input, signature)) }},
		{group: group, name: withoutModules, limit: bare, run: bare},
	}, nil
}

func accepted(ok bool) error {
	if !ok {
		return errRefused
	}
	return nil
}

// token returns one with the claims of f.token that sign signs, the signing
// input and the signature.
func (f *fixture) tokenOf(algorithm string, sign func(input []byte) ([]byte, error)) (token string, input, signature []byte, err error) {
	header, err := json.Marshal(map[string]string{"alg": algorithm, "kid": keyID, "typ": "at+jwt"})
	if err != nil {
		return "", nil, nil, err
	}
	payload := strings.Split(f.token, ".")[1]
	input = []byte(base64.RawURLEncoding.EncodeToString(header) + "." + payload)
	if signature, err = sign(input); err != nil {
		return "", nil, nil, err
	}
	return string(input) + "." + base64.RawURLEncoding.EncodeToString(signature), input, signature, nil
}

// publishing returns our verifier for an issuer with one key.
func (f *fixture) publishing(ctx context.Context, jwk map[string]string, change func(*verifier.Config)) (*ours, error) {
	jwk["kid"], jwk["use"] = keyID, "sig"
	set, err := json.Marshal(map[string]any{"keys": []any{jwk}})
	if err != nil {
		return nil, err
	}
	return (&fixture{jwks: set}).ours(ctx, change)
}

func (f *fixture) eddsaJobs(ctx context.Context) ([]job, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, err
	}
	token, input, signature, err := f.tokenOf("EdDSA", func(input []byte) ([]byte, error) { return ed25519.Sign(private, input), nil })
	if err != nil {
		return nil, err
	}
	v, err := f.publishing(ctx, map[string]string{"kty": "OKP", "crv": "Ed25519", "x": base64.RawURLEncoding.EncodeToString(public)}, func(cfg *verifier.Config) {
		cfg.Algorithms = []string{"EdDSA"}
	})
	if err != nil {
		return nil, err
	}
	bare := func() error { return accepted(ed25519.Verify(public, input, signature)) }
	return []job{
		{group: groupEdDSA, name: ourName, run: v.bearer(token), limit: bare},
		{group: groupEdDSA, name: bareByRSA, run: bare, limit: f.bareRSA(f.token)},
	}, nil
}

func (f *fixture) mldsaJobs(ctx context.Context, group string, set fmldsa.Parameters) ([]job, error) {
	private, err := fmldsa.GenerateKey(set)
	if err != nil {
		return nil, err
	}
	public := private.PublicKey()
	token, input, signature, err := f.tokenOf(set.String(), func(input []byte) ([]byte, error) { return private.Sign(nil, input, nil) })
	if err != nil {
		return nil, err
	}
	jwk := map[string]string{"kty": "AKP", "alg": set.String(), "pub": base64.RawURLEncoding.EncodeToString(public.Bytes())}
	v, err := f.publishing(ctx, jwk, func(cfg *verifier.Config) {
		cfg.Algorithms, cfg.SignatureAlgorithms = []string{set.String()}, mldsa.Algorithms()
	})
	if err != nil {
		return nil, err
	}
	bare := func() error { return fmldsa.Verify(public, input, signature, nil) }
	return []job{
		{group: group, name: ourName, run: v.bearer(token), limit: bare},
		{group: group, name: bareByRSA, run: bare, limit: f.bareRSA(f.token)},
	}, nil
}

// algorithmTargets are the lines of the budget about them.
func (r *report) algorithmTargets() []target {
	atMost := func(what string, measured, budget float64) target {
		return target{what, fmt.Sprintf("%.3f", measured), fmt.Sprintf("<= %.2f", budget), measured <= budget}
	}
	fast, eddsa := r.find(groupFast, ourName), r.find(groupEdDSA, ourName)
	return []target{
		atMost("Bearer accelerated, ratio to the limit", fast.ratio, 0.80),
		{"Bearer accelerated, allocations", fmt.Sprintf("%.0f", fast.allocations), "<= 6", fast.allocations < 6.5},
		atMost("RSA 3072 accelerated, ratio to crypto/rsa", r.find(groupFast3072, ourName).ratio, 0.75),
		atMost("RSA 4096 accelerated, ratio to crypto/rsa", r.find(groupFast4096, ourName).ratio, 0.75),
		{"EdDSA, allocations beside those of the check", fmt.Sprintf("%.0f", eddsa.allocations), "<= 3", eddsa.allocations < 3.5},
	}
}
