package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"

	fmldsa "filippo.io/mldsa"

	"github.com/portcullis-go/portcullis/integration/mldsa"
	"github.com/portcullis-go/portcullis/verifier"
)

// The groups of rows about other algorithms.
const (
	groupES256   = "Bearer, ES256"
	groupEdDSA   = "Bearer, EdDSA"
	groupMLDSA44 = "Bearer, ML-DSA-44"
	groupMLDSA65 = "Bearer, ML-DSA-65"
	groupMLDSA87 = "Bearer, ML-DSA-87"

	targetEdDSACopy = "EdDSA, heap copy of the signing input"
)

func (f *fixture) algorithmJobs(ctx context.Context) ([]job, error) {
	var jobs []job
	for _, family := range []func() ([]job, error){
		func() ([]job, error) { return f.rsaJobs(ctx, groupRSA2048, 2048) },
		func() ([]job, error) { return f.rsaJobs(ctx, groupRSA3072, 3072) },
		func() ([]job, error) { return f.rsaJobs(ctx, groupRSA4096, 4096) },
		func() ([]job, error) { return f.ecdsaJobs(ctx) },
		func() ([]job, error) { return f.eddsaJobs(ctx) },
		func() ([]job, error) { return f.mldsaJobs(ctx, groupMLDSA44, fmldsa.MLDSA44()) },
		func() ([]job, error) { return f.mldsaJobs(ctx, groupMLDSA65, fmldsa.MLDSA65()) },
		func() ([]job, error) { return f.mldsaJobs(ctx, groupMLDSA87, fmldsa.MLDSA87()) },
	} {
		more, err := family()
		if err != nil {
			return nil, err
		}
		jobs = append(jobs, more...)
	}
	return jobs, nil
}

// tokenOf returns one with the claims of f.token that sign signs, the signing
// input and the signature.
func (f *fixture) tokenOf(algorithm string, sign func(input []byte) ([]byte, error)) (token string, input, signature []byte, err error) {
	return tokenWith(algorithm, strings.Split(f.token, ".")[1], sign)
}

// tokenWith returns one with a payload that is encoded already.
func tokenWith(algorithm, payload string, sign func(input []byte) ([]byte, error)) (token string, input, signature []byte, err error) {
	header, err := json.Marshal(map[string]string{"alg": algorithm, "kid": keyID, "typ": "at+jwt"})
	if err != nil {
		return "", nil, nil, err
	}
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

func (f *fixture) ecdsaJobs(ctx context.Context) ([]job, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	point, err := key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		return nil, err
	}
	token, input, signature, err := f.tokenOf("ES256", func(input []byte) ([]byte, error) {
		sum := sha256.Sum256(input)
		r, s, err := ecdsa.Sign(rand.Reader, key, sum[:])
		if err != nil {
			return nil, err
		}
		return slices.Concat(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))), nil
	})
	if err != nil {
		return nil, err
	}
	jwk := map[string]string{"kty": "EC", "crv": "P-256", "x": base64.RawURLEncoding.EncodeToString(point[1:33]), "y": base64.RawURLEncoding.EncodeToString(point[33:])}
	v, err := f.publishing(ctx, jwk, func(cfg *verifier.Config) { cfg.Algorithms = []string{"ES256"} })
	if err != nil {
		return nil, err
	}
	bare := func() error {
		sum := sha256.Sum256(input)
		r, s := new(big.Int).SetBytes(signature[:32]), new(big.Int).SetBytes(signature[32:])
		return accepted(ecdsa.Verify(&key.PublicKey, sum[:], r, s))
	}
	return []job{
		{group: groupES256, name: ourName, run: v.bearer(token), limit: bare},
		{group: groupES256, name: bareByRSA, run: bare, limit: f.bareRSA(f.token)},
	}, nil
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
	v, err := f.publishing(ctx, ed25519JWK(public), func(cfg *verifier.Config) { cfg.Algorithms = []string{"EdDSA"} })
	if err != nil {
		return nil, err
	}
	bare := func() error { return accepted(ed25519.Verify(public, input, signature)) }
	return []job{
		{group: groupEdDSA, name: ourName, run: v.bearer(token), limit: bare},
		{group: groupEdDSA, name: bareByRSA, run: bare, limit: f.bareRSA(f.token)},
	}, nil
}

func ed25519JWK(public ed25519.PublicKey) map[string]string {
	return map[string]string{"kty": "OKP", "crv": "Ed25519", "x": base64.RawURLEncoding.EncodeToString(public)}
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
func (r *report) algorithmTargets() (list []target) {
	if fast, ok := r.find(groupRSA2048, fastName); ok {
		list = append(list, atMost(targetFast, fast.ratio, 0.80), counts(targetFastAllocations, fast.allocations, 6))
	}
	for _, size := range []struct{ group, what string }{{groupRSA3072, targetFast3072}, {groupRSA4096, targetFast4096}} {
		if fast, ok := r.find(size.group, fastSignatureName); ok {
			list = append(list, atMost(size.what, fast.ratio, 0.75))
		}
	}
	eddsa, ok := r.find(groupEdDSA, ourName)
	bare, okBare := r.find(groupEdDSA, bareByRSA)
	if ok && okBare {
		list = append(list, counts("EdDSA, allocations beside those of the check", eddsa.allocations-bare.allocations, 3))
	}
	rs256, okRS256 := r.find(groupBearer, ourName)
	bareRS256, okBareRS256 := r.find(groupBearer, bareName)
	if ok && okBare && okRS256 && okBareRS256 {
		// What both do beside the check is the same, so a copy shows as the rest.
		copied := (eddsa.bytes - bare.bytes) - (rs256.bytes - bareRS256.bytes)
		row := target{targetEdDSACopy, "none", "none", copied < float64(r.inputSize)/2}
		if !row.met {
			row.measured = fmt.Sprintf("%.0f B", copied)
		}
		list = append(list, row)
	}
	return list
}
