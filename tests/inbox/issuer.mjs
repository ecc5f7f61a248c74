// An identity provider that says what a test has it say: log-ins of whoever is next, and bearers.

import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { createServer } from 'node:http';

const encoded = (value) => Buffer.from(value).toString('base64url');

export async function startIssuer(audience) {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    const jwk = { ...publicKey.export({ format: 'jwk' }), kid: 'k', use: 'sig', alg: 'EdDSA' };
    const codes = new Map();
    // Who logs in next; `claims` of the ID token, and `answer` of the redirect, can be changed.
    const issuer = { who: 'ada', groups: [], claims: (all) => all, answer: (all) => all, asked: [] };
    const jwt = (header, claims) => {
        const text = `${encoded(JSON.stringify({ alg: 'EdDSA', kid: 'k', ...header }))}.${encoded(JSON.stringify(claims))}`;
        return `${text}.${sign(null, Buffer.from(text), privateKey).toString('base64url')}`;
    };
    const now = () => Math.floor(Date.now() / 1000);
    const server = createServer(async (request, response) => {
        const url = new URL(request.url, issuer.url);
        const json = (status, value) => {
            response.writeHead(status, { 'content-type': 'application/json' });
            response.end(JSON.stringify(value));
        };
        if (url.pathname === '/.well-known/openid-configuration') {
            return json(200, {
                issuer: issuer.url, jwks_uri: `${issuer.url}/keys`,
                authorization_endpoint: `${issuer.url}/authorize`, token_endpoint: `${issuer.url}/token`,
                token_endpoint_auth_methods_supported: ['client_secret_basic'],
                authorization_response_iss_parameter_supported: true,
            });
        }
        if (url.pathname === '/keys') return json(200, { keys: [jwk] });
        if (url.pathname === '/authorize') {
            const query = Object.fromEntries(url.searchParams);
            issuer.asked.push(query);
            const code = randomBytes(9).toString('hex');
            codes.set(code, { ...query, who: issuer.who, groups: issuer.groups });
            const back = new URL(query.redirect_uri);
            const answer = issuer.answer({ code, state: query.state, iss: issuer.url });
            for (const [name, value] of Object.entries(answer)) back.searchParams.set(name, value);
            response.writeHead(303, { location: back.href });
            return response.end();
        }
        if (url.pathname === '/token') {
            let text = '';
            for await (const part of request) text += part;
            const form = Object.fromEntries(new URLSearchParams(text));
            const asked = codes.get(form.code);
            codes.delete(form.code);
            const challenge = createHash('sha256').update(form.code_verifier ?? '').digest('base64url');
            const secret = `Basic ${Buffer.from('inbox:s3cret-of-the-inbox').toString('base64')}`;
            if (!asked || challenge !== asked.code_challenge || asked.code_challenge_method !== 'S256'
                || form.redirect_uri !== asked.redirect_uri || request.headers.authorization !== secret) {
                return json(400, { error: 'invalid_grant' });
            }
            const claims = issuer.claims({
                iss: issuer.url, aud: 'inbox', sub: asked.who, nonce: asked.nonce, iat: now(), exp: now() + 300,
                auth_time: now(), email: `${asked.who}@example.com`, groups: asked.groups,
            });
            return json(200, { token_type: 'Bearer', access_token: 'opaque', id_token: jwt({}, claims) });
        }
        return json(404, {});
    });
    await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
    issuer.url = `http://127.0.0.1:${server.address().port}`;
    issuer.bearer = (who, groups = []) => jwt({ typ: 'at+jwt' }, {
        iss: issuer.url, aud: audience, sub: who, client_id: 'assistant', iat: now(), exp: now() + 600,
        scope: 'grantor:read grantor:change', groups, email: `${who}@example.com`,
    });
    issuer.stop = () => server.close();
    return issuer;
}
