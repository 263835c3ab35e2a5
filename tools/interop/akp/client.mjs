// Asks a provider for a token that is bound to an ML-DSA key, and makes a proof
// for a request with it: node client.mjs provider audience algorithm url
import { createHash } from 'node:crypto'
import { exportJWK, generateKeyPair, SignJWT } from 'jose'

const [provider, audience, alg, url] = process.argv.slice(2)
const key = await generateKeyPair(alg === 'RS256' ? 'ES256' : alg)
const jwk = await exportJWK(key.publicKey)
const proof = (htm, htu, extra) =>
	new SignJWT({ jti: crypto.randomUUID(), htm, htu, iat: Math.floor(Date.now() / 1000), ...extra })
		.setProtectedHeader({ alg: alg === 'RS256' ? 'ES256' : alg, typ: 'dpop+jwt', jwk })
		.sign(key.privateKey)
const answer = await fetch(provider + '/token', {
	method: 'POST',
	headers: { 'content-type': 'application/x-www-form-urlencoded', dpop: await proof('POST', provider + '/token'), authorization: 'Basic ' + btoa('client:a+secret+of+the+test') },
	body: new URLSearchParams({ grant_type: 'client_credentials', scope: 'read', resource: audience + '/' + alg }),
})
const body = await answer.json()
if (!answer.ok) throw new Error(JSON.stringify(body))
const ath = createHash('sha256').update(body.access_token).digest('base64url')
console.log(JSON.stringify({ token: body.access_token, type: body.token_type, proof: await proof('GET', url, { ath }) }))
