// Starts oidc-provider on TLS with two grants that it does not have: token exchange
// (RFC 8693) and JWT bearer (RFC 7523, Section 2.1): exchange.mjs KEY CERT AUTHORITY
// CLIENTS IDENTITY ORDERS BILLING. Prints its URL.
//
// CLIENTS is a file with the metadata of each client, by its id; it is read for each
// request. IDENTITY is one with the name and the keys of the issuer whose assertions
// are taken. A user's token for ORDERS is exchanged for one for BILLING (a JWT) or for
// BILLING/opaque. Clients with a certificate of AUTHORITY come to a second port, which
// the metadata names (RFC 8705, Section 5). Each DPoP proof needs a nonce.
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { createLocalJWKSet, jwtVerify } from 'jose'
import Provider, { errors } from 'oidc-provider'
import MemoryAdapter from './node_modules/oidc-provider/lib/adapters/memory_adapter.js'
import { applyDpopBinding } from './node_modules/oidc-provider/lib/helpers/grant_common.js'
import validateDPoP from './node_modules/oidc-provider/lib/helpers/validate_dpop.js'

const [key, cert, authority, clients, identity, orders, billing] = process.argv.slice(2)
const tls = { key: readFileSync(key), cert: readFileSync(cert) }
const listen = async options => {
	const server = createServer({ ...tls, ...options })
	await new Promise(listening => server.listen(0, '127.0.0.1', listening))
	return { server, url: `https://localhost:${server.address().port}` }
}
const plain = await listen({})
const mutual = await listen({ ca: readFileSync(authority), requestCert: true, rejectUnauthorized: false })
const issuer = plain.url

const own = { ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }), kid: 'own', alg: 'RS256', use: 'sig' }
const jwt = { accessTokenFormat: 'jwt', jwt: { sign: { alg: 'RS256' } } }
const apis = {
	[orders]: { ...jwt, audience: orders },
	[orders + '/opaque']: { accessTokenFormat: 'opaque', audience: orders },
	[billing]: { ...jwt, audience: billing },
	[billing + '/opaque']: { accessTokenFormat: 'opaque', audience: billing },
}
const api = name => {
	if (!Object.hasOwn(apis, name)) throw new errors.InvalidTarget()
	return { scope: 'read write', accessTokenTTL: 600, ...apis[name] }
}
const certificate = ctx => ctx.socket.getPeerX509Certificate?.()

// Clients are those of the file, as it is now.
class Clients extends MemoryAdapter {
	async find(id) { return JSON.parse(readFileSync(clients, 'utf8'))[id] }
}

const provider = new Provider(issuer, {
	adapter: name => name === 'Client' ? new Clients(name) : new MemoryAdapter(name),
	jwks: { keys: [own] },
	scopes: ['read', 'write'],
	fetch: (url, { dispatcher, ...options }) => fetch(url, options), // keys of clients are on the loopback interface
	extraTokenClaims: ctx => ctx.oidc.params.subject_token && { act: { sub: ctx.oidc.client.clientId } },
	discovery: { mtls_endpoint_aliases: { token_endpoint: mutual.url + '/token' } },
	clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'tls_client_auth', 'self_signed_tls_client_auth'],
	features: {
		devInteractions: { enabled: false },
		dPoP: { enabled: true, nonceSecret: randomBytes(32), requireNonce: () => true },
		introspection: { enabled: true },
		mTLS: {
			enabled: true,
			certificateBoundAccessTokens: true,
			selfSignedTlsClientAuth: true,
			tlsClientAuth: true,
			getCertificate: certificate,
			certificateAuthorized: ctx => ctx.socket.authorized,
			certificateSubjectMatches: (ctx, property, expected) => property === 'tls_client_auth_subject_dn' && certificate(ctx).subject === expected,
		},
		resourceIndicators: { enabled: true, getResourceServerInfo: (_, name) => api(name) },
	},
})

const type = name => 'urn:ietf:params:oauth:token-type:' + name
const list = value => [value ?? []].flat()
const refused = message => new errors.InvalidGrant(message)

async function verified(token, keys, options) {
	return (await jwtVerify(token, createLocalJWKSet({ keys }), { requiredClaims: ['exp', 'sub'], ...options })).payload
}

// The claims of an assertion of the other issuer.
async function asserted(token) {
	const { issuer: name, keys } = JSON.parse(readFileSync(identity, 'utf8'))
	return verified(token, keys, { issuer: name, audience: issuer, algorithms: ['RS256', 'ES256'] })
}

// The subject of a token that may be exchanged: an access token for ORDERS, or an
// assertion. Others are invalid requests (RFC 8693, Section 2.2.2).
async function subjectOf({ subject_token: token, subject_token_type: kind }) {
	try {
		if (kind === type('jwt')) return (await asserted(token)).sub
		if (kind !== type('access_token')) throw new Error('unsupported subject_token_type')
		if (token.includes('.')) {
			const { kty, n, e, kid, alg } = own
			return (await verified(token, [{ kty, n, e, kid, alg }], { issuer, audience: orders, typ: 'at+jwt', algorithms: ['RS256'] })).sub
		}
		const found = await provider.AccessToken.find(token)
		if (!found?.isValid || found.aud !== orders) throw new Error('unknown subject_token')
		return found.accountId
	} catch (error) {
		throw new errors.InvalidRequest(error.message)
	}
}

// The one API that a request names, by audience or resource or both.
function targetOf({ audience, resource }) {
	const names = new Set([...list(audience), ...list(resource)])
	if (names.size !== 1) throw new errors.InvalidTarget()
	const [name] = names
	return new provider.ResourceServer(name, api(name))
}

// Answers with an access token, bound to the key or certificate that came along.
async function issue(ctx, accountId, resourceServer, proof, more) {
	const { client, params } = ctx.oidc
	const scope = list(params.scope?.split(' ')).filter(name => resourceServer.scope.split(' ').includes(name)).join(' ') || undefined
	const token = new provider.AccessToken({ accountId, client, scope, gty: params.grant_type })
	token.resourceServer = resourceServer
	if (client.tlsClientCertificateBoundAccessTokens) {
		if (!certificate(ctx)) throw refused('no client certificate')
		token.setThumbprint('x5t', certificate(ctx))
	}
	await applyDpopBinding(provider, ctx, proof, token)
	if (!proof && client.dpopBoundAccessTokens) throw refused('no DPoP proof')
	ctx.body = { access_token: await token.save(), token_type: token.tokenType, expires_in: token.expiration, scope: token.scope, ...more }
}

async function exchange(ctx) {
	const { params } = ctx.oidc
	if (![undefined, type('access_token')].includes(params.requested_token_type)) throw new errors.InvalidRequest('unsupported requested_token_type')
	const proof = await validateDPoP(provider, ctx)
	const subject = await subjectOf(params)
	await issue(ctx, subject, targetOf(params), proof, { issued_token_type: type('access_token') })
}

// An assertion is used once. The proof is looked at before: a client whose proof needs
// a nonce comes again with the same assertion.
async function bearer(ctx) {
	const proof = await validateDPoP(provider, ctx)
	const { iss, sub, jti, exp } = await asserted(ctx.oidc.params.assertion).catch(error => { throw refused(error.message) })
	if (!jti || !await provider.ReplayDetection.unique(iss, jti, exp)) throw refused('replayed assertion')
	await issue(ctx, sub, targetOf(ctx.oidc.params), proof)
}

const grant = name => 'urn:ietf:params:oauth:grant-type:' + name
const targets = ['scope', 'audience', 'resource']
provider.registerGrantType(grant('token-exchange'), exchange, [...targets, 'subject_token', 'subject_token_type', 'requested_token_type'], ['audience', 'resource'])
provider.registerGrantType(grant('jwt-bearer'), bearer, [...targets, 'assertion'], ['audience', 'resource'])
for (const { server } of [plain, mutual]) server.on('request', provider.callback())
console.log(issuer)
