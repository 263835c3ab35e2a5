#!/usr/bin/env bash
# Package:  npm @modelcontextprotocol/sdk 1.32.2
# Expected: asked for a scope that the token lacks, auth() sends the user to the
#           authorization server with that scope.
# True:     it does so only without a refresh token. With one it refreshes, does
#           not send the scope, and says AUTHORIZED with the scopes of before.
# Matters:  a 403 with insufficient_scope ends there for clients of an issuer that
#           gives refresh tokens. The challenge cannot change that.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"
npm install --silent --no-audit --no-fund --ignore-scripts @modelcontextprotocol/sdk@1.32.2 >/dev/null
cat >main.mjs <<'JS'
import http from 'node:http'
import { auth } from '@modelcontextprotocol/sdk/client/auth.js'

// An issuer that is its own protected resource, and what it is asked for.
const asked = []
const server = http.createServer((request, response) => {
  const issuer = `http://${request.headers.host}`
  let body = ''
  request.on('data', (data) => { body += data }).on('end', () => {
    const documents = {
      '/.well-known/oauth-protected-resource': { resource: issuer + '/', authorization_servers: [issuer] },
      '/.well-known/oauth-authorization-server': {
        issuer, authorization_endpoint: issuer + '/authorize', token_endpoint: issuer + '/token',
        response_types_supported: ['code'], code_challenge_methods_supported: ['S256'],
        grant_types_supported: ['authorization_code', 'refresh_token'], token_endpoint_auth_methods_supported: ['none'],
      },
      '/token': { access_token: 'next', token_type: 'Bearer', expires_in: 60, scope: 'read' },
    }
    const document = documents[request.url]
    if (request.url === '/token') {
      const form = new URLSearchParams(body)
      asked.push(`${form.get('grant_type')} with scope ${form.get('scope')}`)
    }
    response.writeHead(document ? 200 : 404, { 'Content-Type': 'application/json' })
    response.end(JSON.stringify(document ?? {}))
  })
})
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const url = `http://127.0.0.1:${server.address().port}/`

async function stepUp(tokens) {
  asked.length = 0
  const provider = {
    redirectUrl: 'http://127.0.0.1/callback',
    clientMetadata: { redirect_uris: ['http://127.0.0.1/callback'], token_endpoint_auth_method: 'none' },
    clientInformation: () => ({ client_id: 'client' }),
    tokens: () => tokens,
    saveTokens() {}, saveCodeVerifier() {}, codeVerifier: () => 'verifier',
    redirectToAuthorization(to) { asked.push(`the user with scope ${to.searchParams.get('scope')}`) },
  }
  const result = await auth(provider, { serverUrl: url, scope: 'write' })
  return `${result}, ${asked.join(', ')}`
}
const held = { access_token: 'token', token_type: 'Bearer', scope: 'read', issuer: url.slice(0, -1) }
const without = await stepUp(held)
const refresh = await stepUp({ ...held, refresh_token: 'refresh' })
server.closeAllConnections()
server.close()
console.log('expected: scope write wanted, no refresh token: REDIRECT, the user with scope write; with one: the same')
console.log(`found:    scope write wanted, no refresh token: ${without}; with one: ${refresh}`)
process.exit(without === 'REDIRECT, the user with scope write' && refresh === 'AUTHORIZED, refresh_token with scope null' ? 0 : 1)
JS
node main.mjs
