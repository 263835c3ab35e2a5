#!/usr/bin/env bash
# Package:  npm oidc-provider 9.13.3 with github.com/go-jose/go-jose/v4 v4.1.9
# Expected: an access token that is signed and then encrypted is a nested JWT, and
#           jwt.ParseSignedAndEncrypted opens it.
# True:     the issuer writes cty "at+jwt", the type of what is inside. The reader
#           takes "JWT" alone, as RFC 7519, Section 5.2 wants it for nested JWTs.
#           The same text, decrypted as a JWE, holds a good token of that type.
# Matters:  encrypted access tokens must be decrypted before the verifier reads
#           them, and that function cannot do it.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts oidc-provider@9.13.3 >/dev/null
cat >main.mjs <<'JS'
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { Provider } from 'oidc-provider'

// Makes a key, lets an issuer encrypt an access token for it, and writes both.
const key = randomBytes(32)
const resource = 'https://api.example.com'
const server = createServer()
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const issuer = `http://127.0.0.1:${server.address().port}`
const provider = new Provider(issuer, {
  clients: [{ client_id: 'client', client_secret: 'secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }],
  features: {
    devInteractions: { enabled: false },
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({
        scope: 'read', audience: resource, accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'RS256' }, encrypt: { alg: 'dir', enc: 'A256GCM', key } },
      }),
    },
  },
})
server.on('request', provider.callback())
const answer = await fetch(issuer + '/token', {
  method: 'POST',
  headers: { Authorization: 'Basic ' + btoa('client:secret') },
  body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'read', resource }),
})
const { access_token: token } = await answer.json()
writeFileSync('token', token)
writeFileSync('key', key)
server.closeAllConnections()
server.close()
JS
node main.mjs >node.log 2>&1 || { cat node.log; exit 1; }
export GOWORK=off
go mod init example.com/finding 2>/dev/null
go get github.com/go-jose/go-jose/v4/jwt@v4.1.9 2>/dev/null
cat >main.go <<'GO'
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
)

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func main() {
	token := string(must(os.ReadFile("token")))
	key := must(os.ReadFile("key"))
	algorithms, encryptions, signatures := []jose.KeyAlgorithm{jose.DIRECT}, []jose.ContentEncryption{jose.A256GCM}, []jose.SignatureAlgorithm{jose.RS256}

	_, err := jwt.ParseSignedAndEncrypted(token, algorithms, encryptions, signatures)
	encrypted := must(jose.ParseEncrypted(token, algorithms, encryptions))
	inner := must(jwt.ParseSigned(string(must(encrypted.Decrypt(key))), signatures))
	cty, typ := encrypted.Header.ExtraHeaders["cty"], inner.Headers[0].ExtraHeaders["typ"]
	fmt.Println("expected: ParseSignedAndEncrypted: <nil>")
	fmt.Printf("found:    ParseSignedAndEncrypted: %v; cty is %v, and the token inside is readable, of typ %v\n", err, cty, typ)
	if !errors.Is(err, jwt.ErrInvalidContentType) || cty != "at+jwt" || typ != "at+jwt" {
		os.Exit(1)
	}
}
GO
go run .
