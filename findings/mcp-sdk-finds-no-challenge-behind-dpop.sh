#!/usr/bin/env bash
# Package:  npm @modelcontextprotocol/sdk 1.32.2
# Expected: the order of challenges means nothing (RFC 9110, Section 11.6.1): a
#           client finds Bearer, with the resource metadata, before or behind DPoP.
# True:     the joined field must begin with Bearer. With DPoP before it nothing
#           is read, though the parameters would be found.
# Matters:  the Bearer challenge goes first here, unless the request used DPoP.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts @modelcontextprotocol/sdk@1.32.2 >/dev/null
cat >main.mjs <<'JS'
import { extractWWWAuthenticateParams } from '@modelcontextprotocol/sdk/client/auth.js'

const bearer = 'Bearer resource_metadata="https://api.example.com/.well-known/oauth-protected-resource", scope="read"'
const dpop = 'DPoP algs="ES256"'
const scope = (...challenges) => {
  const headers = new Headers()
  for (const challenge of challenges) headers.append('WWW-Authenticate', challenge)
  return String(extractWWWAuthenticateParams(new Response(null, { status: 401, headers })).scope)
}
const first = scope(bearer, dpop)
const second = scope(dpop, bearer)
console.log('expected: scope of Bearer before DPoP: read; behind DPoP: read')
console.log(`found:    scope of Bearer before DPoP: ${first}; behind DPoP: ${second}`)
process.exit(first === 'read' && second === 'undefined' ? 0 : 1)
JS
node main.mjs
