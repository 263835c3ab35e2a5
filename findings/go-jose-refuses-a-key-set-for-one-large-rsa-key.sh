#!/usr/bin/env bash
# Package:  github.com/go-jose/go-jose/v4 v4.1.4 and v4.1.9
# Expected: a patch release reads the key sets that the one before it read. RSA keys
#           of more than 4096 bits are valid (RFC 7518 has no upper bound), and both
#           versions check signatures of keys of any size.
# True:     newer versions read no JWK above MaxRSAModulusBits, 4096, and refuse a whole
#           key set, good keys included, for one such key in it.
# Matters:  Portcullis reads RSA keys of up to 8192 bits itself, so that which keys
#           count does not depend on the version of go-jose that a program has.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
export GOWORK=off
go mod init example.com/finding 2>/dev/null
cat >main.go <<'GO'
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/big"

	"github.com/go-jose/go-jose/v4"
)

func main() {
	n := new(big.Int).SetBit(big.NewInt(1), 8191, 1) // a modulus of 8192 bits
	key := fmt.Sprintf(`{"kty":"RSA","kid":"large","e":"AQAB","n":%q}`, base64.RawURLEncoding.EncodeToString(n.Bytes()))
	var one jose.JSONWebKey
	alone := json.Unmarshal([]byte(key), &one) == nil
	var set jose.JSONWebKeySet
	small := `{"kty":"OKP","crv":"Ed25519","kid":"small","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	together := json.Unmarshal([]byte(`{"keys":[`+small+`,`+key+`]}`), &set) == nil
	fmt.Printf("large key alone: read %v; in a set beside a small one: read %v\n", alone, together)
}
GO
seen=
for version in v4.1.4 v4.1.9; do
	go get "github.com/go-jose/go-jose/v4@$version" 2>/dev/null
	line="$version: $(go run .)"
	seen+="$line"$'\n'
done
want='v4.1.4: large key alone: read true; in a set beside a small one: read true
v4.1.9: large key alone: read false; in a set beside a small one: read false
'
echo 'expected: v4.1.4 and v4.1.9: large key alone: read true; in a set beside a small one: read true'
echo "found:    ${seen//$'\n'/; }"
[ "$seen" = "$want" ] || exit 1
