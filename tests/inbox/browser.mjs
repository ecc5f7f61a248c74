// What people do with the page, and what must not work, in Chromium. Without script in the page's own contexts,
// but for the tool that looks for what keeps people out (axe).

import AxeBuilder from '@axe-core/playwright';
import { chromium } from 'playwright-core';
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import { logins } from './logins.mjs';
import { shown, sign, signed } from './picture.mjs';
import { ask, call, start } from './team.mjs';

const option = (name) => {
    const at = process.argv.indexOf(name);
    return at < 0 ? null : process.argv[at + 1];
};
const pictures = option('--pictures');
const readme = process.argv.includes('--readme');
const check = process.argv.includes('--check');
let [passed, failed] = [0, 0];

const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
        '--disable-component-update', '--disable-sync'],
});
const team = readme ? null : await start();

async function step(name, run) {
    try {
        await run();
        passed += 1;
        console.log(`pass  ${name}`);
    } catch (error) {
        failed += 1;
        console.log(`FAIL  ${name}: ${error.stack}`);
    }
}

/// The page that README.md shows, drawn anew, or compared with what it shows.
async function pictured() {
    const own = await start();
    const receipt = await ask(own, 'alex', 'grant_asset_role', { userKey: 'user@example.com', roleKey: 'Developer',
        assetKeys: ['Orders'], expires_in: 'PT8H', reason: 'OPS-7: she is on call tonight' });
    const page = await logIn('marta', `${own.page}/${receipt}`);
    await page.setViewportSize({ width: 900, height: 600 });
    const hash = await shown(page);
    if (readme && !check) {
        await page.screenshot({ path: process.env.PICTURE, fullPage: true });
        sign(process.env.PICTURE, hash);
    }
    await own.stop();
    assert.equal(signed(process.env.PICTURE), hash, 'tests/inbox/run --readme draws it anew');
}

/// A browser of somebody's own, in which no page may run a script.
const context = (more = {}) => browser.newContext({ javaScriptEnabled: false, ...more });

/// Logs somebody in from wherever they were, and gives the page that they are led back to.
async function logIn(who, to = team.page, browsing = null) {
    const page = await (browsing ?? (await context())).newPage();
    await page.goto(to);
    await page.getByRole('link', { name: 'Log in' }).click();
    await page.getByRole('link', { name: new RegExp(`^${who}`) }).click();
    await page.getByRole('button', { name: 'Log out' }).waitFor();
    return page;
}

const at = (receipt) => `${team.page}/${receipt}`;
const state = async (page) => page.locator('.facts .badge').first().innerText();
const cookies = async (page) => (await page.context().cookies()).map(({ name, value }) => `${name}=${value}`).join('; ');
const shows = async (page, text) => assert.ok((await page.locator('main').innerText()).includes(text),
    `${text} is not in: ${await page.locator('main').innerText()}`);
const SAM = 'user@example.com';
const finance = (grantee, more = {}) => ({
    project_or_space_path: '/Harbor/Finance', grant_type: 'USER', grantee, permission_list: ['R'],
    reason: 'OPS-7, the audit', ...more,
});
/// Asks as somebody for a grant on a project, and gives the receipt of the request that waits.
const asks = (who, grantee, more = {}) => ask(team, who, 'set_project_acl', finance(grantee, more));
/// A grant that reaches far: whoever agrees to it types who gets it.
const asksMuch = (who, permission) => ask(team, who, 'assign_permission',
    { permissionId: permission, identityId: SAM, reason: 'the quarter’s end' });

if (readme) {
    await step('the picture of README.md shows the page as it is', pictured);
    await browser.close();
    console.log(`${passed} passed, ${failed} failed`);
    process.exit(failed ? 1 : 0);
}

const marta = await logIn('marta');
const tomas = await logIn('tomas');
const alex = await logIn('alex');

await step('a page that nobody has logged in to tells nothing', async () => {
    const receipt = await asks('alex', SAM);
    const page = await (await context()).newPage();
    for (const where of [at(receipt), `${team.page}/gr-aaaaaaaaaaaaaaaaaaaaaaaaaa`]) {
        await page.goto(where);
        assert.equal(await page.getByRole('heading', { level: 1 }).innerText(), 'Log in');
        assert.ok(!(await page.content()).includes('Finance'));
    }
});

await step('whoever logs in is led to what they wanted to see', async () => {
    const receipt = await asks('alex', SAM, { permission_list: ['R', 'W'] });
    const page = await logIn('marta', at(receipt));
    assert.equal(page.url(), at(receipt));
    await shows(page, 'Sam Rivera');
    await shows(page, 'OPS-7, the audit');
});

await step('an approver finds a request in their list, and approves it', async () => {
    const receipt = await asks('alex', 'hiro.tanaka@example.com');
    await marta.goto(team.page);
    await marta.locator(`a[href$="${receipt}"]`).click();
    assert.equal(await state(marta), 'waiting');
    await marta.getByRole('button', { name: 'Approve' }).click();
    assert.equal(await state(marta), 'done');
    await shows(marta, 'Approved by person-marta (page)');
    const checked = await call(team, 'alex', 'check_change', { receipt });
    assert.equal(checked.outcome, 'confirmed', JSON.stringify(checked));
});

await step('what reaches far takes the name that is typed', async () => {
    const receipt = await asksMuch('alex', 'Treasury Viewer');
    await marta.goto(at(receipt));
    const box = marta.getByLabel('To agree, type');
    await box.fill('somebody else');
    await marta.getByRole('button', { name: 'Approve' }).click();
    await shows(marta, 'what you typed is not what the question asks for');
    assert.equal(await state(marta), 'waiting');
    const name = await marta.locator('label[for=typed] bdi').innerText();
    await marta.getByLabel('To agree, type').fill(name.replace(/[“”]/g, ''));
    await marta.getByRole('button', { name: 'Approve' }).click();
    assert.equal(await state(marta), 'done');
});

await step('a no has its reason, and whoever asked reads it', async () => {
    const receipt = await asks('alex', 'lena.novak@example.com');
    await marta.goto(at(receipt));
    await marta.getByLabel('Why not').fill('the wrong Lena <b>“x”</b>');
    await marta.getByRole('button', { name: 'Deny' }).click();
    assert.equal(await state(marta), 'denied');
    await alex.goto(at(receipt));
    await shows(alex, 'Denied by person-marta');
    await shows(alex, 'the wrong Lena <b>“x”</b>');
    await alex.goto(`${team.page}/mine`);
    await shows(alex, 'the wrong Lena');
});

await step('whoever asked withdraws it', async () => {
    const receipt = await asks('alex', 'jonas.weber@example.com');
    await alex.goto(at(receipt));
    assert.equal(await alex.getByRole('button', { name: 'Approve' }).count(), 0);
    await alex.getByRole('button', { name: 'Withdraw' }).click();
    assert.equal(await state(alex), 'withdrawn');
    await marta.goto(at(receipt));
    assert.equal(await marta.getByRole('button').count(), 1, 'only the way out is left');
});

await step('a request that was asked anew meanwhile is not approved, and leads to the new one', async () => {
    const grantee = 'priya.raman@example.com';
    const receipt = await asks('alex', grantee);
    await marta.goto(at(receipt));
    const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call', 'mcp-name': 'set_project_acl' };
    const params = { _meta: {
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientInfo': { name: 'another', version: '1' },
        'io.modelcontextprotocol/clientCapabilities': {},
    } };
    const again = await call(team, 'alex', 'set_project_acl', finance(grantee), { headers, params });
    const next = again.structuredContent.receipt;
    assert.notEqual(next, receipt);
    await marta.getByRole('button', { name: 'Approve' }).click();
    await shows(marta, 'Not recorded');
    assert.equal(await state(marta), 'withdrawn');
    await marta.getByRole('link', { name: next }).click();
    assert.equal(await state(marta), 'waiting');
});

await step('of two approvers one decides, and the other is told who', async () => {
    const receipt = await asks('alex', 'grace.okafor@example.com');
    await marta.goto(at(receipt));
    await tomas.goto(at(receipt));
    await shows(tomas, 'Being looked at by person-marta');
    await Promise.all([marta, tomas].map((page) => page.getByRole('button', { name: 'Approve' }).click()));
    const texts = await Promise.all([marta, tomas].map((page) => page.locator('main').innerText()));
    const lost = texts.filter((text) => text.includes('Not recorded'));
    assert.equal(lost.length, 1, texts.join('\n----\n'));
    const winner = texts.indexOf(lost[0]) === 0 ? 'person-tomas' : 'person-marta';
    assert.ok(lost[0].includes(`Approved by ${winner}`), lost[0]);
});

await step('nobody approves what gives access to themselves', async () => {
    const receipt = await asks('alex', 'marta.lindqvist@example.com');
    await marta.goto(at(receipt));
    assert.equal(await marta.getByRole('button', { name: 'Approve' }).count(), 0);
    await tomas.goto(at(receipt));
    assert.equal(await tomas.getByRole('button', { name: 'Approve' }).count(), 1);
});

await step('whoever may only see decides nothing', async () => {
    const receipt = await asks('alex', SAM, { permission_list: ['R', 'X'] });
    const grace = await logIn('grace', at(receipt));
    assert.equal(await state(grace), 'waiting');
    assert.equal(await grace.getByRole('button').count(), 1, 'only the way out');
    await marta.goto(at(receipt));
    const form = await fields(marta);
    for (const decision of ['approve', 'deny', 'withdraw']) {
        const sent = await post(grace, at(receipt), { ...form, decision, reason: 'x' });
        assert.equal(sent.status, 403, decision);
    }
    await marta.reload();
    assert.equal(await state(marta), 'waiting');
});

await step('what is not theirs to see is not there', async () => {
    const receipt = await asks('marta', SAM, { permission_list: ['R', 'W', 'X'] });
    const of = async (where) => {
        const answer = await alex.goto(at(where));
        return [answer.status(), (await alex.content()).replaceAll(where, 'R')];
    };
    const [hidden, none] = [await of(receipt), await of('gr-aaaaaaaaaaaaaaaaaaaaaaaaaa')];
    assert.equal(hidden[0], 404);
    const bare = ([status, text]) => [status, text.replace(/value="[0-9a-f]{64}"/g, '')];
    assert.deepEqual(bare(hidden), bare(none));
});

/// The fields of the first form about a decision on a page.
async function fields(page) {
    const values = {};
    for (const input of await page.locator('form.act').first().locator('input[type=hidden]').all()) {
        values[await input.getAttribute('name')] = await input.getAttribute('value');
    }
    return values;
}

/// Sends a form as somebody's browser would, from a page of `origin`.
async function post(page, where, values, headers = {}) {
    const { origin } = new URL(team.page);
    return fetch(where, {
        method: 'POST', redirect: 'manual',
        headers: { cookie: await cookies(page), origin, 'content-type': 'application/x-www-form-urlencoded', ...headers },
        body: new URLSearchParams(values),
    });
}

await step('looking decides nothing, whoever looks and however', async () => {
    const receipt = await asks('alex', SAM, { permission_list: ['W'] });
    await marta.goto(at(receipt));
    const form = await fields(marta);
    const query = new URLSearchParams(form);
    const cookie = await cookies(marta);
    for (const [method, more] of [['GET', {}], ['HEAD', {}], ['GET', { purpose: 'prefetch', 'sec-purpose': 'prefetch' }]]) {
        for (const where of [`${at(receipt)}?${query}`, `${at(receipt)}?decision=deny&${query}`, `${team.page}/logout?${query}`]) {
            await fetch(where, { method, headers: { cookie, ...more }, redirect: 'manual' });
        }
    }
    for (const method of ['PUT', 'DELETE', 'PATCH', 'OPTIONS']) {
        const answer = await fetch(`${at(receipt)}?${query}`, { method, headers: { cookie } });
        assert.equal(answer.status, 405, method);
    }
    await marta.reload();
    assert.equal(await state(marta), 'waiting');
});

await step('a form counts from the page and the session that it was made for', async () => {
    const receipt = await asks('alex', SAM, { permission_list: ['X'] });
    const other = await asks('alex', SAM, { permission_list: ['W', 'X'] });
    await marta.goto(at(receipt));
    await tomas.goto(at(receipt));
    const [own, stolen] = [await fields(marta), await fields(tomas)];
    const { origin } = new URL(team.page);
    for (const [what, page, where, values, headers] of [
        ['the form of somebody else', marta, at(receipt), stolen, {}],
        ['no seal', marta, at(receipt), { ...own, seal: '' }, {}],
        ['for another request', marta, at(other), own, {}],
        ['with another digest', marta, at(receipt), { ...own, digest: 'f'.repeat(64) }, {}],
        ['from another page', marta, at(receipt), own, { origin: 'http://evil.example' }],
        ['from a page without an origin', marta, at(receipt), own, { origin: 'null' }],
        ['from a page of another port', marta, at(receipt), own, { origin: origin.replace(/\d+$/, '1') }],
        ['across sites', marta, at(receipt), own, { 'sec-fetch-site': 'cross-site' }],
    ]) {
        const answer = await post(page, where, values, headers);
        assert.equal(answer.status, 403, what);
    }
    const nobody = await (await context()).newPage();
    assert.equal((await post(nobody, at(receipt), own)).status, 403, 'without a session');
    for (const one of [receipt, other]) {
        await marta.goto(at(one));
        assert.equal(await state(marta), 'waiting');
    }
    assert.equal((await post(marta, at(receipt), own)).status, 303, 'and from their own it counts');
});

await step('another page cannot send it: the browser keeps the cookie from it', async () => {
    const receipt = await asks('alex', SAM, { permission_list: ['R', 'W'], reason: 'another' });
    await marta.goto(at(receipt));
    const form = await fields(marta);
    const evil = await marta.context().newPage();
    const inputs = Object.entries(form).map(([name, value]) => `<input name="${name}" value="${value}">`).join('');
    await evil.route('http://evil.example/', (route) => route.fulfill({
        contentType: 'text/html', body: `<form method="post" action="${at(receipt)}">${inputs}<button>Win a prize</button></form>`,
    }));
    await evil.goto('http://evil.example/');
    await evil.getByRole('button').click();
    await shows(marta, 'Sam Rivera');
    await marta.reload();
    assert.equal(await state(marta), 'waiting');
});

await step('a page at another port of the host, which has the cookie and a seal that counts, is told from its own by its origin',
    async () => {
        const receipt = await asks('alex', SAM, { permission_list: ['R', 'X'], reason: 'another port' });
        await marta.goto(at(receipt));
        const form = await fields(marta);
        const near = await marta.context().newPage();
        const { port } = new URL(team.page);
        const neighbour = `http://127.0.0.1:${Number(port) === 65535 ? 65534 : Number(port) + 1}/`;
        const inputs = Object.entries(form).map(([name, value]) => `<input name="${name}" value="${value}">`).join('');
        await near.route(neighbour, (route) => route.fulfill({
            contentType: 'text/html', body: `<form method="post" action="${at(receipt)}">${inputs}<button>Win a prize</button></form>`,
        }));
        await near.goto(neighbour);
        const sent = near.waitForRequest((request) => request.method() === 'POST');
        await near.getByRole('button').click();
        const headers = await (await sent).allHeaders();
        assert.ok(headers.cookie?.includes(`grantor-${port}=`), `the browser sends the cookie: ${JSON.stringify(headers)}`);
        assert.equal(headers.origin, new URL(neighbour).origin);
        await shows(near, 'This was not sent from a page of this server. Nothing was decided.');
        await near.close();
        await marta.reload();
        assert.equal(await state(marta), 'waiting');
        assert.equal((await post(marta, at(receipt), form)).status, 303, 'nothing else was wrong with it');
    });

await step('whoever goes back after a decision finds it decided', async () => {
    const receipt = await asks('alex', 'hiro.tanaka@example.com', { permission_list: ['R', 'W', 'X'] });
    await marta.goto(at(receipt));
    await marta.getByLabel('Why not').fill('not now');
    await marta.getByRole('button', { name: 'Deny' }).click();
    assert.equal(await state(marta), 'denied');
    await marta.goBack();
    const approve = marta.getByRole('button', { name: 'Approve' });
    // A browser that shows what it had sends a form that is too late.
    if (await approve.count()) {
        await approve.click();
        await shows(marta, 'Not recorded');
    }
    assert.equal(await state(marta), 'denied');
});

await step('a form of before a new log-in in another tab is not taken, and says why', async () => {
    const receipt = await asks('alex', 'priya.raman@example.com', { permission_list: ['R', 'W', 'X'] });
    const browsing = await context();
    const page = await logIn('marta', at(receipt), browsing);
    const tab = await browsing.newPage();
    await tab.goto(`${team.page}/login?issuer=sandbox&anew=1`);
    await tab.getByRole('link', { name: /^marta/ }).click();
    await tab.getByRole('button', { name: 'Log out' }).waitFor();
    await page.getByRole('button', { name: 'Approve' }).click();
    await shows(page, 'you have logged in anew since. Nothing was decided.');
    await page.goto(at(receipt));
    assert.equal(await state(page), 'waiting');
});

await step('it is not shown in a frame of another page', async () => {
    const frame = await marta.context().newPage();
    await frame.route('http://evil.example/', (route) => route.fulfill({
        contentType: 'text/html', body: `<iframe src="${team.page}"></iframe>`,
    }));
    await frame.goto('http://evil.example/');
    const inner = frame.frames().find((one) => one !== frame.mainFrame());
    assert.ok(!inner.url().startsWith(team.page) || !(await inner.content()).includes('Waiting for you'));
});

await step('nobody is led elsewhere after logging in', async () => {
    for (const to of ['http://evil.example/', '//evil.example', '/\\evil.example', '/inbox/../mcp', 'javascript:alert(1)']) {
        const page = await (await context()).newPage();
        await page.goto(`${team.page}/login?issuer=sandbox&to=${encodeURIComponent(to)}`);
        await page.getByRole('link', { name: /^alex/ }).click();
        assert.equal(page.url(), team.page, to);
    }
});

await step('a session that somebody put there is not the one that is logged in', async () => {
    const browsing = await context();
    const port = new URL(team.page).port;
    const name = `grantor-${port}`;
    const planted = 'a'.repeat(26);
    await browsing.addCookies([{ name, value: planted, url: team.page }]);
    const page = await logIn('marta', team.page, browsing);
    const first = (await browsing.cookies()).find((one) => one.name === name).value;
    assert.notEqual(first, planted);
    // Logging in once more gives another, and ends the one before.
    await page.goto(`${team.page}/login?issuer=sandbox&anew=1`);
    await page.getByRole('link', { name: /^marta/ }).click();
    const second = (await browsing.cookies()).find((one) => one.name === name).value;
    assert.notEqual(second, first);
    for (const value of [planted, first]) {
        const answer = await fetch(team.page, { headers: { cookie: `${name}=${value}` } });
        assert.ok((await answer.text()).includes('<h1>Log in</h1>'), value);
    }
});

await step('a log-in that another browser has begun does not end in this one', async () => {
    const [one, other] = [await (await context()).newPage(), await (await context()).newPage()];
    await one.goto(`${team.page}/login?issuer=sandbox`);
    const chosen = new URL(await one.getByRole('link', { name: /^marta/ }).getAttribute('href'), one.url());
    const back = (await fetch(chosen, { redirect: 'manual' })).headers.get('location');
    await other.goto(`${team.page}/login?issuer=sandbox`);
    const answer = await other.goto(back);
    assert.equal(answer.status(), 403);
    await shows(other, 'You are not logged in');
    assert.equal(await other.getByRole('button', { name: 'Log out' }).count(), 0);
});

await step('whoever logs out is out', async () => {
    const page = await logIn('tomas');
    const cookie = await cookies(page);
    await page.getByRole('button', { name: 'Log out' }).click();
    await shows(page, 'You are logged out here');
    const answer = await fetch(team.page, { headers: { cookie } });
    assert.ok((await answer.text()).includes('<h1>Log in</h1>'), 'the cookie of before is good for nothing');
});

await step('a set is a table, and takes its number where it is wide', async () => {
    const changes = ['hiro.tanaka@example.com', 'priya.raman@example.com', 'lena.novak@example.com'].map((grantee) => (
        { tool: 'set_project_acl', arguments: finance(grantee, { project_or_space_path: '/Harbor/Integrations' }) }));
    const receipt = await ask(team, 'alex', 'apply_changes', { changes });
    await marta.goto(at(receipt));
    assert.equal(await marta.locator('.question tbody tr').count(), 3);
    await picture(marta, 'set');
    const number = marta.getByLabel('To agree, type');
    if (await number.count()) await number.fill('3');
    await marta.getByRole('button', { name: 'Approve' }).click();
    await shows(marta, 'What became of each');

    assert.equal(await marta.locator('.parts .badge.good').count(), 3,
        `${await marta.locator('main').innerText()} ${JSON.stringify(await call(team, 'alex', 'check_change', { receipt }))}`);
});

await step('history is found by its filters, and access by person', async () => {
    await marta.goto(`${team.page}/history`);
    await marta.getByLabel('Whose access').fill('hiro.tanaka@example.com');
    await marta.getByLabel('State').selectOption('done');
    await marta.getByRole('button', { name: 'Show' }).click();
    assert.ok(await marta.locator('tbody tr').count() >= 1);
    for (const text of await marta.locator('tbody tr').allInnerTexts()) assert.ok(text.includes('Hiro Tanaka'), text);
    await marta.goto(`${team.page}/history?since=yesterday`);
    await shows(marta, 'must be an RFC 3339 time');
    await marta.goto(`${team.page}/access`);
    await marta.getByLabel('Of whom').fill('hiro.tanaka@example.com');
    await marta.getByLabel('To what').fill('/Harbor/Finance');
    await marta.getByRole('button', { name: 'Show' }).click();
    await shows(marta, 'Finance');
});

await step('all of it is done by keyboard', async () => {
    const receipt = await asks('alex', 'jonas.weber@example.com', { reason: 'by keyboard' });
    const page = await logIn('marta', team.page);
    const focus = async (name) => {
        for (let i = 0; i < 80; i += 1) {
            await page.keyboard.press('Tab');
            const found = await page.locator(':focus').first();
            const text = `${await found.innerText().catch(() => '')} ${await found.getAttribute('href') ?? ''}`;
            if (text.includes(name)) return;
        }
        throw new Error(`Tab does not lead to ${name}`);
    };
    await focus(receipt);
    await page.keyboard.press('Enter');
    await page.waitForURL(at(receipt));
    await focus('Approve');
    await page.keyboard.press('Enter');
    await page.locator('.decided').waitFor();
    assert.equal(await state(page), 'done');
});

/// What a page looks like, narrow and wide, dark and light.
async function picture(page, name) {
    if (!pictures) return;
    mkdirSync(pictures, { recursive: true });
    for (const width of [320, 1280]) {
        for (const colorScheme of ['light', 'dark']) {
            await page.setViewportSize({ width, height: 800 });
            await page.emulateMedia({ colorScheme });
            await page.screenshot({ path: join(pictures, `${name}-${width}-${colorScheme}.png`), fullPage: true });
        }
    }
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.emulateMedia({ colorScheme: null });
}

await step('nothing keeps anybody out (axe), at any width, in dark and light', async () => {
    const waits = await asks('alex', SAM, { reason: 'a look at the page' });
    const much = await asksMuch('alex', 'Wallet Operator');
    await tomas.goto(at(waits));
    const decided = await asks('alex', 'lena.novak@example.com', { reason: 'no' });
    await tomas.goto(at(decided));
    await tomas.getByLabel('Why not').fill('ask her lead first');
    await tomas.getByRole('button', { name: 'Deny' }).click();
    await tomas.goto(at(waits));
    const browsing = await browser.newContext({ bypassCSP: true, storageState: await marta.context().storageState() });
    const door = await browser.newContext({ bypassCSP: true });
    const found = [];
    for (const [name, where, of] of [
        ['door', team.page, door], ['waiting', team.page, browsing], ['mine', `${team.page}/mine`, browsing],
        ['request', at(waits), browsing], ['privileged', at(much), browsing], ['denied', at(decided), browsing],
        ['decided', `${team.page}/decided`, browsing], ['due', `${team.page}/due`, browsing],
        ['history', `${team.page}/history`, browsing],
        ['access', `${team.page}/access?principal=hiro.tanaka%40example.com`, browsing],
        ['not-found', at('gr-aaaaaaaaaaaaaaaaaaaaaaaaaa'), browsing],
    ]) {
        const page = await of.newPage();
        await page.goto(where);
        for (const width of [320, 1280]) {
            for (const colorScheme of ['light', 'dark']) {
                await page.setViewportSize({ width, height: 800 });
                await page.emulateMedia({ colorScheme });
                const { violations } = await new AxeBuilder({ page }).analyze();
                for (const { id, nodes } of violations) {
                    found.push(`${name} ${width} ${colorScheme}: ${id}: ${nodes.map((node) => node.html).join(' ')}`);
                }
                const wide = await page.evaluate(() => document.documentElement.scrollWidth);
                if (wide > width) found.push(`${name} ${width}: it is ${wide} wide`);
            }
        }
        await picture(page, name);
        await page.close();
    }
    assert.deepEqual(found, []);
});

await step('on a slow line a page is small and whole', async () => {
    const sizes = [];
    const page = await (await context({ storageState: await marta.context().storageState() })).newPage();
    page.on('response', async (response) => sizes.push((await response.body().catch(() => '')).length));
    await page.goto(team.page);
    assert.ok(sizes.length <= 3, `${sizes.length} requests`);
    const all = sizes.reduce((sum, size) => sum + size, 0);
    assert.ok(all < 100_000, `${all} bytes`);
});

await step('on a slow line somebody finds a request, approves it, and sees what came of it', async () => {
    const receipt = await asks('alex', 'hiro.tanaka@example.com', { permission_list: ['R', 'W'] });
    const page = await (await context({ storageState: await marta.context().storageState() })).newPage();
    const line = await page.context().newCDPSession(page);
    // About what a telephone has where it barely has one: 20 kbit a second, and a second and a half to begin.
    const rate = 20_000 / 8;
    const slow = { offline: false, latency: 1_500, downloadThroughput: rate, uploadThroughput: rate };
    await line.send('Network.emulateNetworkConditions', slow);
    const began = Date.now();
    await page.goto(team.page);
    await page.locator(`a[href$="${receipt}"]`).click();
    await page.getByRole('button', { name: 'Approve' }).click();
    assert.equal(await state(page), 'done');
    // A line that is not slowed down would show nothing.
    assert.ok(Date.now() - began > 4_500, `${Date.now() - began} ms`);
});

await logins({ browser, step });

await step('the picture of README.md shows the page as it is', pictured);

await browser.close();
await team.stop();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
