// An OpenID provider (npm oidc-provider) on TLS that logs in whom login_hint
// names and consents to everything. It prints its issuer and goes on until its
// input ends. A resource whose path begins with /short has tokens of 3 seconds.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:https';
import Provider from 'oidc-provider';

const server = createServer({ key: readFileSync(process.env.TLS_KEY), cert: readFileSync(process.env.TLS_CERT) });
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const issuer = `https://127.0.0.1:${server.address().port}`;

const short = (resource) => new URL(resource).pathname.startsWith('/short');

const provider = new Provider(issuer, {
    scopes: ['openid', 'offline_access', 'mcp', 'read:orders', 'write:orders'],
    clients: [{
        client_id: 'interop', token_endpoint_auth_method: 'none', application_type: 'native',
        redirect_uris: ['http://127.0.0.1:9/callback'], grant_types: ['authorization_code', 'refresh_token'],
    }],
    cookies: { keys: ['a key of this test'] },
    findAccount: (_, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
    // Without offline_access only where tokens are short: the 1.x client cannot step up once it has one.
    issueRefreshToken: async (_, client, code) => code.scopes.has('offline_access') || [code.resource].flat().some(short),
    interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
    features: {
        devInteractions: { enabled: false },
        dPoP: { enabled: true },
        resourceIndicators: {
            enabled: true,
            useGrantedResource: async () => true,
            getResourceServerInfo: async (_, resource) => ({
                scope: 'mcp read:orders write:orders',
                audience: resource,
                accessTokenFormat: 'jwt',
                accessTokenTTL: short(resource) ? 3 : 600,
                jwt: { sign: { alg: 'RS256' } },
            }),
        },
    },
});

provider.use(async (ctx, next) => {
    if (!ctx.path.startsWith('/interaction/')) return next();
    const { prompt, params, session, grantId } = await provider.interactionDetails(ctx.req, ctx.res);
    let result;
    if (prompt.name === 'login') {
        result = { login: { accountId: params.login_hint } };
    } else {
        const grant = (grantId && (await provider.Grant.find(grantId)))
            || new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
        if (prompt.details.missingOIDCScope) grant.addOIDCScope(prompt.details.missingOIDCScope.join(' '));
        for (const [resource, scopes] of Object.entries(prompt.details.missingResourceScopes ?? {})) {
            grant.addResourceScope(resource, scopes.join(' '));
        }
        result = { consent: { grantId: await grant.save() } };
    }
    await provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: false });
    ctx.respond = false;
});

server.on('request', provider.callback());
console.log(JSON.stringify({ issuer }));
process.stdin.on('end', () => process.exit(0)).resume();
