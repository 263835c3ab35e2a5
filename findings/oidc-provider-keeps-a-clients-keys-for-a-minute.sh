#!/usr/bin/env bash
# Package:  npm oidc-provider 9.13.3
# Expected: a client whose key set at jwks_uri has "Cache-Control: max-age=1" signs
#           with a new key, and publishes it. Two seconds later, an assertion with
#           the new kid is accepted.
# True:     the set that was fetched counts for a minute at least, whatever its
#           header says, and a kid that is not in it does not cause a fetch. Until
#           then the answer is invalid_client.
# Matters:  a key for private_key_jwt is published ahead, longer than issuers keep
#           key sets, before it takes the place of the old one in its file.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts oidc-provider@9.13.3 jose@6.2.18 >/dev/null
cat >main.mjs <<'JS'
import { createServer } from 'node:http'
import { setTimeout } from 'node:timers/promises'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'
import { Provider } from 'oidc-provider'

const older = await generateKeyPair('ES256'), newer = await generateKeyPair('ES256')
const set = async (kid, { publicKey }) => ({ keys: [{ ...await exportJWK(publicKey), kid, use: 'sig' }] })
let published = await set('older', older), fetches = 0
const server = createServer()
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const issuer = `http://127.0.0.1:${server.address().port}`
const provider = new Provider(issuer, {
  clients: [{
    client_id: 'client', token_endpoint_auth_method: 'private_key_jwt', jwks_uri: 'https://client.example.com/jwks.json',
    grant_types: ['client_credentials'], redirect_uris: [], response_types: [],
  }],
  ttl: { ClientCredentials: 600 },
  // Answers as the client's server.
  fetch: async () => {
    fetches++
    return new Response(JSON.stringify(published), { headers: { 'Content-Type': 'application/json', 'Cache-Control': 'max-age=1' } })
  },
  features: { devInteractions: { enabled: false }, clientCredentials: { enabled: true } },
})
server.on('request', provider.callback())

async function ask(kid, { privateKey }) {
  const assertion = await new SignJWT({}).setProtectedHeader({ alg: 'ES256', kid }).setIssuer('client').setSubject('client')
    .setAudience(issuer).setJti(crypto.randomUUID()).setIssuedAt().setExpirationTime('1m').sign(privateKey)
  const answer = await fetch(issuer + '/token', {
    method: 'POST',
    body: new URLSearchParams({
      grant_type: 'client_credentials', client_assertion: assertion,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    }),
  })
  return `${answer.status} ${(await answer.json()).error ?? 'and a token'}`
}

const before = await ask('older', older)
published = await set('newer', newer)
await setTimeout(2000)
const after = await ask('newer', newer)
console.log('expected: old key: 200 and a token; new key after 2 s: 200 and a token; key sets fetched: 2')
console.log(`found:    old key: ${before}; new key after 2 s: ${after}; key sets fetched: ${fetches}`)
server.closeAllConnections()
server.close()
process.exitCode = before === '200 and a token' && after === '401 invalid_client' && fetches === 1 ? 0 : 1
JS
node main.mjs 2>node.log || { cat node.log; exit 1; }
