// Signs access tokens and DPoP proofs with ML-DSA by jose, and prints them:
// node jose.mjs issuer audience url
import { createHash } from 'node:crypto'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from 'jose'

const [issuer, audience, url] = process.argv.slice(2)
const out = {}
for (const alg of ['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87']) {
	const key = await generateKeyPair(alg, { extractable: true })
	const client = await generateKeyPair(alg, { extractable: true })
	const stranger = await generateKeyPair(alg, { extractable: true })
	const jwk = await exportJWK(client.publicKey)
	const jkt = await calculateJwkThumbprint(jwk)
	const now = Math.floor(Date.now() / 1000)
	const token = (extra, by = key, header = {}) =>
		new SignJWT({ iss: issuer, sub: 'user-1', aud: audience, iat: now, exp: now + 3600, jti: crypto.randomUUID(), client_id: 'client-1', ...extra })
			.setProtectedHeader({ alg, kid: 'akp', typ: 'at+jwt', ...header })
			.sign(by.privateKey)
	const bound = await token({ cnf: { jkt } })
	const ath = createHash('sha256').update(bound).digest('base64url')
	const proof = (extra, header = {}, by = client) =>
		new SignJWT({ jti: crypto.randomUUID(), htm: 'GET', htu: url, iat: now, ath, ...extra })
			.setProtectedHeader({ alg, typ: 'dpop+jwt', jwk, ...header })
			.sign(by.privateKey)
	out[alg] = {
		jwks: { keys: [{ ...(await exportJWK(key.publicKey)), kid: 'akp', use: 'sig' }] },
		client: jkt,
		bearer: await token({}),
		bound,
		proofs: [await proof({}), await proof({})],
		badTokens: {
			'of another key': await token({}, stranger),
			expired: await token({ iat: now - 7200, exp: now - 3600 }),
			'for another audience': await token({ aud: 'https://other.example' }),
			'of another issuer': await token({ iss: 'https://other.example/' }),
			'of another kid': await token({}, key, { kid: 'other' }),
			'of another type': await token({}, key, { typ: 'logout+jwt' }),
			'bound and sent as Bearer': bound,
		},
		badProofs: {
			'by another key': await proof({}, {}, stranger),
			"with another client's key": await proof({}, { jwk: await exportJWK(stranger.publicKey) }, stranger),
			'with the private key': await proof({}, { jwk: await exportJWK(client.privateKey) }),
			'without a key': await proof({}, { jwk: undefined }),
			'of another type': await proof({}, { typ: 'JWT' }),
			'for another method': await proof({ htm: 'POST' }),
			'for another URL': await proof({ htu: 'https://other.example/' }),
			'for another token': await proof({ ath: createHash('sha256').update('other').digest('base64url') }),
			'a day old': await proof({ iat: now - 86400 }),
			'from tomorrow': await proof({ iat: now + 86400 }),
			'without jti': await proof({ jti: undefined }),
		},
	}
}
console.log(JSON.stringify(out))
