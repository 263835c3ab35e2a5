// Starts an issuer of npm on TLS: issuer.mjs NAME KEY CERT AUDIENCE. Prints its URL.
// With the public key ENCRYPT_TO (a PEM file), oidc-provider encrypts the tokens for
// AUDIENCE/encrypted; those for AUDIENCE/opaque are opaque, and can be asked about.
// A client "client" with the secret "secret" may ask for tokens for itself.
import { readFileSync } from 'node:fs'
import { createPublicKey } from 'node:crypto'
import { createServer } from 'node:https'

const [name, key, cert, audience] = process.argv.slice(2)

const recipient = process.env.ENCRYPT_TO && createPublicKey(readFileSync(process.env.ENCRYPT_TO))
const encrypt = recipient && { alg: 'RSA-OAEP-256', enc: 'A256GCM', key: recipient, kid: 'api' }
const formats = {
	[audience + '/opaque']: { accessTokenFormat: 'opaque' },
	[audience + '/encrypted']: { accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' }, encrypt } },
}

const issuers = {
	'oidc-provider': async () => {
		const { default: Provider } = await import('oidc-provider')
		const server = createServer({ key: readFileSync(key), cert: readFileSync(cert) })
		await new Promise(listening => server.listen(0, '127.0.0.1', listening))
		const issuer = `https://localhost:${server.address().port}`
		const provider = new Provider(issuer, {
			scopes: ['read'],
			clients: [{ client_id: 'client', client_secret: 'secret', grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }],
			features: {
				clientCredentials: { enabled: true },
				dPoP: { enabled: true },
				devInteractions: { enabled: false },
				introspection: { enabled: true },
				resourceIndicators: {
					enabled: true,
					getResourceServerInfo: (_, resource) => ({
						scope: 'read', audience, accessTokenTTL: 600, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } }, ...formats[resource],
					}),
				},
			},
		})
		server.on('request', provider.callback())
		return issuer
	},
	'oauth2-mock-server': async () => {
		const { OAuth2Server } = await import('oauth2-mock-server')
		const server = new OAuth2Server(key, cert)
		await server.issuer.keys.generate('RS256')
		await server.start(0, 'localhost')
		server.service.on('beforeTokenSigning', token => { token.payload.aud = audience })
		return server.issuer.url
	},
}
console.log(await issuers[name]())
