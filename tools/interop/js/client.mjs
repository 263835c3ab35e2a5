// Sends requests with DPoP proofs by a library of npm and prints the answers.
// Reads {library, url, method, token, jwk, headers, times} from standard input.
import * as dpop from 'dpop'
import * as oauth from 'oauth4webapi'
import * as openid from 'openid-client'

let text = ''
for await (const chunk of process.stdin) text += chunk
const task = JSON.parse(text)

const algorithm = { name: 'ECDSA', namedCurve: 'P-256' }
const { d, ...publicPart } = task.jwk
const keys = {
	privateKey: await crypto.subtle.importKey('jwk', task.jwk, algorithm, false, ['sign']),
	publicKey: await crypto.subtle.importKey('jwk', publicPart, algorithm, true, ['verify']),
}

// Counts the requests that a library makes, its own retries included.
let requests = 0
const counting = (url, options) => {
	requests++
	return fetch(url, options)
}

const senders = {
	'openid-client': () => {
		const config = new openid.Configuration({ issuer: 'https://issuer.example' }, 'client')
		config[openid.customFetch] = counting
		const DPoP = openid.getDPoPHandle(config, keys)
		return async () => {
			try {
				return await openid.fetchProtectedResource(config, task.token, new URL(task.url), task.method, null, new Headers(task.headers ?? {}), { DPoP })
			} catch (error) {
				if (error.code === 'OAUTH_WWW_AUTHENTICATE_CHALLENGE') return error.response
				throw error
			}
		}
	},
	oauth4webapi: () => {
		const DPoP = oauth.DPoP({ client_id: 'client' }, keys)
		const send = () => oauth.protectedResourceRequest(task.token, task.method, new URL(task.url), new Headers(task.headers ?? {}), null, { DPoP, [oauth.customFetch]: counting })
		return async () => {
			for (let attempt = 0; ; attempt++) {
				try {
					return await send()
				} catch (error) {
					if (oauth.isDPoPNonceError(error) && attempt === 0) continue
					if (error instanceof oauth.WWWAuthenticateChallengeError) return error.response
					throw error
				}
			}
		}
	},
	dpop: () => {
		let nonce
		const send = async () => {
			const htu = task.url.split('?')[0]
			const proof = await dpop.generateProof(keys, htu, task.method, nonce, task.token)
			const answer = await counting(task.url, { method: task.method, headers: { ...task.headers, authorization: `DPoP ${task.token}`, dpop: proof } })
			nonce = answer.headers.get('dpop-nonce') ?? nonce
			return answer
		}
		return async () => {
			const first = await send()
			return first.status === 401 && /use_dpop_nonce/.test(first.headers.get('www-authenticate')) ? send() : first
		}
	},
}

const send = senders[task.library]()
const answers = []
for (let i = 0; i < (task.times ?? 1); i++) {
	requests = 0
	const answer = await send()
	answers.push({ status: answer.status, requests, challenge: answer.headers.get('www-authenticate'), nonce: answer.headers.get('dpop-nonce'), body: answer.bodyUsed ? '' : await answer.text() })
}
console.log(JSON.stringify(answers))
