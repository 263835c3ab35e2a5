// A client of the official TypeScript SDK, 1.x or 2.x (first argument), that
// does what the lines of its input say and answers each with a line of JSON.
import { createInterface } from 'node:readline';

const major = process.argv[2];
const sdk = major === '1'
    ? { ...(await import('@modelcontextprotocol/sdk/client/index.js')), ...(await import('@modelcontextprotocol/sdk/client/streamableHttp.js')), ...(await import('@modelcontextprotocol/sdk/client/auth.js')) }
    : await import('@modelcontextprotocol/client');

const redirectUrl = 'http://127.0.0.1:9/callback'; // never fetched

// Provider keeps what the SDK gives it, and is the user's browser.
class Provider {
    constructor(user, dpop) {
        Object.assign(this, { user, session: dpop, authorizations: 0, saved: 0, asked: [], cookies: new Map() });
        if (dpop) this.dpop = () => this.session;
    }
    get redirectUrl() { return redirectUrl; }
    get clientMetadata() {
        return {
            client_name: 'interop', redirect_uris: [redirectUrl], grant_types: ['authorization_code', 'refresh_token'],
            response_types: ['code'], token_endpoint_auth_method: 'none', application_type: 'native',
            ...(this.session ? { dpop_bound_access_tokens: true } : {}),
        };
    }
    clientInformation() { return this.information ?? { client_id: 'interop' }; }
    saveClientInformation(information) { this.information = information; }
    tokens() { return this.current; }
    saveTokens(tokens) { this.current = tokens; this.saved += 1; }
    saveCodeVerifier(verifier) { this.verifier = verifier; }
    codeVerifier() { return this.verifier; }
    saveDiscoveryState(state) { this.discovery = state; }
    discoveryState() { return this.discovery; }

    async redirectToAuthorization(url) {
        this.authorizations += 1;
        this.asked.push({ scope: url.searchParams.get('scope'), resource: url.searchParams.get('resource') });
        url = new URL(url);
        url.searchParams.set('login_hint', this.user);
        for (let hops = 0; hops < 12; hops += 1) {
            const response = await fetch(url, { redirect: 'manual', headers: { cookie: [...this.cookies].map(([k, v]) => `${k}=${v}`).join('; ') } });
            for (const line of response.headers.getSetCookie()) {
                const [name, value] = line.split(';')[0].split(/=(.*)/s);
                if (value) this.cookies.set(name, value); else this.cookies.delete(name);
            }
            const location = response.headers.get('location');
            if (!location) throw new Error(`no redirect: ${response.status} ${await response.text()}`);
            url = new URL(location, url);
            if (url.href.startsWith(redirectUrl)) {
                this.callback = url.searchParams;
                return;
            }
        }
        throw new Error('too many redirects');
    }
}

let provider, transport, client, address;

async function connect(session) {
    transport = new sdk.StreamableHTTPClientTransport(address, { authProvider: provider, ...(session ? { sessionId: session } : {}) });
    client = new sdk.Client({ name: 'interop', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } });
    await client.connect(transport);
}

// authorized does something, and once more when the user had to be asked.
async function authorized(what) {
    try {
        return await what();
    } catch (error) {
        if (!(error instanceof sdk.UnauthorizedError) || !provider.callback) throw error;
        const callback = provider.callback;
        provider.callback = undefined;
        if (callback.get('error')) throw new Error(callback.toString());
        await transport.finishAuth(major === '1' ? callback.get('code') : callback);
        return what();
    }
}

const commands = {
    async connect({ url, user, dpop, session }) {
        address = new URL(url);
        provider = new Provider(user, dpop ? await sdk.DpopSession.create() : undefined);
        await authorized(() => connect(session));
        return {};
    },
    // call makes a call with the tokens of this client.
    async call({ tool }) {
        const result = await authorized(() => client.callTool({ name: tool, arguments: {} }));
        return { result: result.structuredContent };
    },
    // raw posts a call in any session, with the token of this client.
    async raw({ tool, session, method }) {
        const response = await fetch(address, {
            method,
            headers: {
                'content-type': 'application/json', accept: 'application/json, text/event-stream', 'mcp-session-id': session,
                'mcp-protocol-version': '2025-06-18', authorization: `Bearer ${provider.current.access_token}`,
            },
            ...(method !== 'POST' ? {} : { body: JSON.stringify({ jsonrpc: '2.0', id: 99, method: 'tools/call', params: { name: tool, arguments: {} } }) }),
        });
        return { status: response.status, text: await response.text() };
    },
    async close() {
        await client.close();
        return {};
    },
};

for await (const line of createInterface({ input: process.stdin })) {
    const command = JSON.parse(line);
    let answer;
    try {
        answer = await commands[command.do](command);
    } catch (error) {
        answer = { error: `${error.name ?? ''}: ${error.message}` };
    }
    console.log(JSON.stringify({
        ...answer, session: transport?.sessionId ?? '', authorizations: provider?.authorizations ?? 0,
        asked: provider?.asked ?? [], tokens: provider?.saved ?? 0, type: provider?.current?.token_type ?? '',
        protocol: client?.getNegotiatedProtocolVersion?.() ?? transport?.protocolVersion ?? '',
    }));
}
process.exit(0);
