// Gets a token for itself by openid-client, with a DPoP key if asked to, and calls
// an API twice. Reads {issuer, api, resource, scope, bound} from standard input and
// prints the answers with the token.
import * as openid from 'openid-client'

let text = ''
for await (const chunk of process.stdin) text += chunk
const task = JSON.parse(text)

const config = await openid.discovery(new URL(task.issuer), 'client', 'secret')
openid.allowInsecureRequests(config) // the API is on the loopback interface
const DPoP = task.bound ? openid.getDPoPHandle(config, await openid.randomDPoPKeyPair('ES256')) : undefined
const tokens = await openid.clientCredentialsGrant(config, { scope: task.scope, resource: task.resource }, { DPoP })
const answers = []
for (let i = 0; i < 2; i++) {
	try {
		const answer = await openid.fetchProtectedResource(config, tokens.access_token, new URL(task.api), 'GET', null, new Headers(), { DPoP })
		answers.push({ status: answer.status, body: await answer.text(), token: tokens.access_token })
	} catch (error) {
		if (error.code !== 'OAUTH_WWW_AUTHENTICATE_CHALLENGE') throw error
		answers.push({ status: error.response.status, challenge: error.response.headers.get('www-authenticate') })
	}
}
console.log(JSON.stringify(answers))
