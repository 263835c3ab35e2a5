#!/usr/bin/env bash
# Package:  github.com/lestrrat-go/jwx/v3 v3.4.0
# Expected: a key of a type that a reader does not know is passed over
#           (RFC 7517, Section 5), and the others can be used.
# True:     jwk.Parse returns an error and no key when one of them is of type
#           AKP, the type of ML-DSA keys, unless a module that knows it is
#           registered.
# Matters:  an issuer that adds one key of a new kind stops a reader that does
#           this. Keys are read one by one here, and odd ones are passed over.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOWORK=off
go mod init example.com/finding 2>/dev/null
go get github.com/lestrrat-go/jwx/v3/jwk@v3.4.0 2>/dev/null
cat >main.go <<'GO'
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"os"

	"github.com/lestrrat-go/jwx/v3/jwk"
)

func b64(size int) string {
	data := make([]byte, size)
	rand.Read(data)
	return base64.RawURLEncoding.EncodeToString(data)
}

// keys returns how many keys jwk.Parse gives for an EC key and another one.
func keys(other string) (int, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		panic(err)
	}
	x, y := base64.RawURLEncoding.EncodeToString(point[1:33]), base64.RawURLEncoding.EncodeToString(point[33:])
	set, err := jwk.Parse([]byte(fmt.Sprintf(`{"keys":[{"kty":"EC","crv":"P-256","kid":"1","x":%q,"y":%q},%s]}`, x, y, other)))
	if err != nil {
		return 0, err
	}
	return set.Len(), nil
}

func main() {
	known, err := keys(fmt.Sprintf(`{"kty":"OKP","crv":"Ed25519","kid":"2","x":%q}`, b64(32)))
	akp, akpErr := keys(fmt.Sprintf(`{"kty":"AKP","alg":"ML-DSA-44","kid":"2","pub":%q}`, b64(1312)))
	fmt.Println("expected: an EC key beside Ed25519: 2 keys; beside AKP: at least 1 key")
	fmt.Printf("found:    an EC key beside Ed25519: %d keys; beside AKP: %d keys, %v\n", known, akp, akpErr)
	if err != nil || known != 2 || akpErr == nil {
		os.Exit(1)
	}
}
GO
go run .
