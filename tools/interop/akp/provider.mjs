// An oidc-provider with an ML-DSA key and an RSA key among its signing keys:
// node provider.mjs port certificate key audience
// It signs an access token with the algorithm that its resource ends with, such as
// https://api.example.com/ML-DSA-44.
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { exportJWK, generateKeyPair } from 'jose'
import { Provider } from 'oidc-provider'

const [port, certificate, privateKey, audience] = process.argv.slice(2)
const keys = []
for (const alg of ['RS256', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87']) {
	const pair = await generateKeyPair(alg, { extractable: true })
	keys.push({ ...(await exportJWK(pair.privateKey)), alg, use: 'sig', kid: 'key-' + alg })
}
const provider = new Provider(`https://127.0.0.1:${port}`, {
	jwks: { keys },
	clients: [{ client_id: 'client', client_secret: 'a secret of the test', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }],
	enabledJWA: { dPoPSigningAlgValues: ['ES256', 'ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'] },
	features: {
		clientCredentials: { enabled: true },
		dPoP: { enabled: true },
		devInteractions: { enabled: false },
		resourceIndicators: {
			enabled: true,
			defaultResource: () => audience + '/RS256',
			getResourceServerInfo: (ctx, resource) => {
				const alg = resource.slice(audience.length + 1)
				return { audience, scope: 'read', accessTokenFormat: 'jwt', accessTokenTTL: 3600, jwt: { sign: { alg } } }
			},
		},
	},
})
createServer({ cert: readFileSync(certificate), key: readFileSync(privateKey) }, provider.callback()).listen(Number(port), '127.0.0.1')
