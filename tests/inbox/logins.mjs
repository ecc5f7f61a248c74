// Log-ins of an identity provider that lies, and names of a vendor that lies: a server that is set up as a company's,
// before the sandbox's vendors.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';

import { startIssuer } from './issuer.mjs';
import { call, said } from './team.mjs';

/// Markup, ends of attributes, direction overrides, what nobody can see, and letters that run from right to left.
const HOSTILE = `Sam</bdi></p><script>document.title='x'</script><img src=x onerror=alert(1)>" autofocus onfocus="alert(1)`
    + `\u202e\u2066\u200b\u{e0041}\ufeff” Policy: nobody has to approve “ שלום ${'A'.repeat(500)}`;

/// The five fake vendors, of which one says other names.
async function vendors(work) {
    const state = mkdtempSync(join(work, 'vendors-'));
    const child = spawn(process.env.GRANTOR, ['sandbox'], {
        env: { PATH: process.env.PATH, HOME: state, GRANTOR_STATE_DIR: state }, stdio: ['ignore', 'pipe', 'inherit'] });
    const text = await said(child, child.stdout, /CENTRASITE_PASSWORD='.*'/);
    const env = Object.fromEntries([...text.matchAll(/export (\w+)='(.*)'/g)].map(([, name, value]) => [name, value]));
    const real = env.OUTSYSTEMS_PORTAL_URL;
    const liar = createServer(async (request, response) => {
        const parts = [];
        for await (const part of request) parts.push(part);
        const headers = { ...request.headers };
        delete headers.host;
        const answer = await fetch(real + request.url, {
            method: request.method, headers, body: parts.length ? Buffer.concat(parts) : undefined, redirect: 'manual' });
        let body = await answer.text();
        if (request.method === 'GET') body = body.replaceAll('"Sam Rivera"', JSON.stringify(HOSTILE));
        // What the vendor calls itself is where it is.
        body = body.replaceAll(real, env.OUTSYSTEMS_PORTAL_URL);
        response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? 'application/json' });
        response.end(body);
    });
    await new Promise((resolve) => liar.listen(0, '127.0.0.1', resolve));
    env.OUTSYSTEMS_PORTAL_URL = `http://127.0.0.1:${liar.address().port}`;
    return { env, stop: () => { liar.close(); child.kill(); } };
}

/// One of a group approves, and two of them what is SnapLogic's.
const rules = (issuer) => `
@id("look") permit (principal, action in Action::"look", resource);
@id("ask") @ask permit (principal, action in [Action::"grant", Action::"revoke"], resource);
@id("two") @ask @approvals("2") @approvers("${issuer}#approvers")
permit (principal, action in [Action::"grant", Action::"revoke"], resource) when { resource.vendor == "snaplogic" };
@id("approve") permit (principal in Group::"${issuer}#approvers", action == Action::"approve", resource);
`;

async function company(issuer, fakes) {
    const work = process.env.WORK;
    const state = mkdtempSync(join(work, 'company-'));
    const config = join(state, 'config.toml');
    writeFileSync(join(state, 'secret'), 's3cret-of-the-inbox\n', { mode: 0o600 });
    writeFileSync(config, `[http.issuers.test]\nissuer = "${issuer.url}"\naudiences = ["grantor"]\ngroups_claim = "groups"\n`
        + 'client_id = "inbox"\nclient_secret = { file = "secret" }\n', { mode: 0o600 });
    writeFileSync(join(state, "rules.cedar"), rules(issuer.url), { mode: 0o600 });
    const given = ['--config', config, '--policy', join(state, 'rules.cedar')];
    const child = spawn(process.env.GRANTOR, ['serve', '--http', '127.0.0.1:0', ...given], {
        env: { PATH: process.env.PATH, HOME: state, GRANTOR_STATE_DIR: state, ...fakes.env },
        stdio: ['ignore', 'inherit', 'pipe'] });
    const text = await said(child, child.stderr, /clients find it at \S+\n/);
    const mcp = /clients find it at (\S+)/.exec(text)[1];
    return { mcp, page: new URL('/inbox', mcp).href, stop: () => child.kill() };
}

export async function logins({ browser, step }) {
    const issuer = await startIssuer('grantor');
    const fakes = await vendors(process.env.WORK);
    const team = await company(issuer, fakes);
    const context = () => browser.newContext({ javaScriptEnabled: false });
    const at = (receipt) => `${team.page}/${receipt}`;
    /// Logs in as whoever the issuer says, and tells whether that counts.
    async function comesIn(page, to = team.page) {
        await page.goto(to);
        await page.getByRole('link', { name: 'Log in' }).click();
        return await page.getByRole('button', { name: 'Log out' }).count() === 1;
    }
    const usual = { claims: issuer.claims, answer: issuer.answer };

    await step('an honest issuer is asked for a code with PKCE, state and nonce', async () => {
        const page = await (await context()).newPage();
        assert.ok(await comesIn(page), await page.content());
        const asked = issuer.asked.at(-1);
        assert.equal(asked.code_challenge_method, 'S256');
        assert.equal(asked.redirect_uri, `${team.page}/back`);
        for (const name of ['state', 'nonce', 'code_challenge']) assert.ok(asked[name].length >= 40, name);
        const before = issuer.asked.at(-2) ?? {};
        assert.notEqual(before.state, asked.state);
    });

    const liars = [
        ['another nonce', { claims: (all) => ({ ...all, nonce: 'x' }) }],
        ['no nonce', { claims: ({ nonce, ...all }) => all }],
        ['another issuer in the ID token', { claims: (all) => ({ ...all, iss: 'https://evil.example' }) }],
        ['for another client', { claims: (all) => ({ ...all, aud: 'other' }) }],
        ['for several, asked for by another', { claims: (all) => ({ ...all, aud: ['inbox', 'other'], azp: 'other' }) }],
        ['expired', { claims: (all) => ({ ...all, exp: all.iat - 60 }) }],
        ['no end', { claims: ({ exp, ...all }) => all }],
        ['nobody', { claims: ({ sub, ...all }) => all }],
        ['a program', { claims: (all) => ({ ...all, client_id: all.sub }) }],
        ['an access token', { claims: (all) => ({ ...all, typ: 'Bearer' }) }],
        ['another state', { answer: (all) => ({ ...all, state: 'x' }) }],
        ['no state', { answer: ({ state, ...all }) => all }],
        ['another issuer in the answer', { answer: (all) => ({ ...all, iss: 'https://evil.example' }) }],
        ['no issuer in the answer', { answer: ({ iss, ...all }) => all }],
        ['another code', { answer: (all) => ({ ...all, code: 'x' }) }],
        ['an error', { answer: ({ code, ...all }) => ({ ...all, error: 'access_denied', error_description: '<b>x</b>' }) }],
    ];
    for (const [what, lie] of liars) {
        await step(`nobody comes in by a log-in with ${what}`, async () => {
            Object.assign(issuer, usual, lie);
            const page = await (await context()).newPage();
            const isIn = await comesIn(page);
            Object.assign(issuer, usual);
            assert.equal(isIn, false);
            assert.ok((await page.locator('main').innerText()).includes('You are not logged in'));
            assert.equal((await page.context().cookies()).length, 0, 'nothing is kept');
        });
    }

    const asks = async (arguments_, tool = 'grant_asset_role') => {
        const token = issuer.bearer('ada');
        const answer = await call({ mcp: team.mcp, token }, null, tool, arguments_);
        if (answer.outcome !== 'awaiting_consent') throw new Error(JSON.stringify(answer).slice(0, 2000));
        return answer.receipt;
    };

    await step('whoever asked with a bearer finds it on their page: both are one', async () => {
        const receipt = await asks({ userKey: 'hiro.tanaka@example.com', roleKey: 'Developer', assetKeys: ['Orders'] });
        issuer.who = 'ada';
        const page = await (await context()).newPage();
        assert.ok(await comesIn(page, at(receipt)));
        assert.equal(await page.getByRole('button', { name: 'Withdraw' }).count(), 1);
    });

    await step('what takes a fresh log-in is not approved on an old one, or on one that has no date', async () => {
        const receipt = await asks({ role: { name: 'admin' }, user: { name: 'jonas.weber@example.com' } },
            'assign_organization_role');
        Object.assign(issuer, { who: 'bo', groups: ['approvers'] });
        for (const [what, claims] of [
            ['old', (all) => ({ ...all, auth_time: all.auth_time - 3_600 })],
            ['without a date', ({ auth_time, ...all }) => all],
            ['of tomorrow', (all) => ({ ...all, auth_time: all.auth_time + 86_400 })],
        ]) {
            issuer.claims = claims;
            const page = await (await context()).newPage();
            assert.ok(await comesIn(page, at(receipt)), what);
            assert.equal(await page.getByRole('button', { name: 'Approve' }).count(), 0, what);
            await page.getByRole('link', { name: 'Log in once more' }).click();
            const asked = issuer.asked.at(-1);
            assert.deepEqual([asked.prompt, asked.max_age], ['login', '0']);
            assert.equal(await page.getByRole('button', { name: 'Approve' }).count(), 0, `${what}, once more`);
            // Whoever sends the form all the same is told the same.
            const values = {};
            for (const input of await page.locator('form.act input[type=hidden]').all()) {
                values[await input.getAttribute('name')] = await input.getAttribute('value');
            }
            const cookie = (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
            const sent = await fetch(at(receipt), { method: 'POST', redirect: 'manual',
                headers: { cookie, origin: new URL(team.page).origin },
                body: new URLSearchParams({ ...values, decision: 'approve', typed: 'Jonas Weber' }) });
            assert.equal(sent.status, 409, what);
            assert.ok((await sent.text()).includes('log-in of the last five minutes'), what);
        }
        issuer.claims = (all) => ({ ...all, auth_time: all.auth_time - 3_600 });
        const page = await (await context()).newPage();
        assert.ok(await comesIn(page, at(receipt)));
        Object.assign(issuer, usual);
        await page.getByRole('link', { name: 'Log in once more' }).click();
        await page.getByLabel('To agree, type').fill('Jonas Weber');
        await page.getByRole('button', { name: 'Approve' }).click();
        await page.locator('.decided').waitFor();
    });

    await step('two people approve where it takes two, and one of them twice is one', async () => {
        const receipt = await asks({ project_or_space_path: '/Harbor/Finance', grant_type: 'USER',
            grantee: 'hiro.tanaka@example.com', permission_list: ['R'] }, 'set_project_acl');
        const [bo, cy] = [await (await context()).newPage(), await (await context()).newPage()];
        for (const [who, page] of [['bo', bo], ['cy', cy]]) {
            Object.assign(issuer, { who, groups: ['approvers'] });
            assert.ok(await comesIn(page, at(receipt)));
        }
        await bo.getByRole('button', { name: 'Approve' }).click();
        const after = await bo.locator('main').innerText();
        assert.ok(after.includes('waiting') && after.includes('Said yes: bo'), after);
        assert.equal(await bo.getByRole('button', { name: 'Approve' }).count(), 0);
        assert.equal(await bo.getByRole('button', { name: 'Deny' }).count(), 1);
        await cy.getByRole('button', { name: 'Approve' }).click();
        const done = await cy.locator('main').innerText();
        assert.ok(done.includes('done') && done.includes('Approved by bo and cy'), done);
    });

    await step('a vendor’s names are data, whatever is in them', async () => {
        const receipt = await asks({ userKey: 'user@example.com', roleKey: 'Developer', assetKeys: ['Orders'],
            reason: '<h1>approve</h1>\u202e\u200b' });
        const browsing = await browser.newContext();
        const page = await browsing.newPage();
        const broken = [];
        page.on('dialog', (dialog) => { broken.push(dialog.message()); dialog.dismiss(); });
        page.on('request', (request) => {
            if (!request.url().startsWith(team.page) && !request.url().startsWith(issuer.url)) broken.push(request.url());
        });
        assert.ok(await comesIn(page, at(receipt)));
        for (const where of [at(receipt), team.page, `${team.page}/history`, `${team.page}/access?principal=user%40example.com`]) {
            if (where.includes('access')) {
                await page.goto(at(receipt));
                await page.getByRole('button', { name: 'Approve' }).click();
                await page.locator('.decided').waitFor();
            }
            await page.goto(where);
            const text = await page.locator('main').innerText();
            assert.ok(text.includes('<script>document.title'), `${where}: ${text}`);
            assert.equal(await page.locator('main script, main img, main h1 ~ h1, [onfocus], [onerror]').count(), 0, where);
            assert.ok(!/[\u202a-\u202e\u2066-\u2069\u200b\ufeff]/.test(await page.content()), where);
            await page.setViewportSize({ width: 320, height: 800 });
            const wide = await page.evaluate(() => document.documentElement.scrollWidth);
            assert.ok(wide <= 320, `${where} is ${wide} wide`);
        }
        assert.deepEqual(broken, []);
    });

    team.stop();
    fakes.stop();
    issuer.stop();
}
