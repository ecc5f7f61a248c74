// A sandbox over HTTP as a child, its people as clients, and small things that tests share.

import { spawn } from 'node:child_process';
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';

/// What a child says until it says what is waited for.
export function said(child, stream, wanted) {
    let text = '';
    stream.setEncoding('utf8');
    return new Promise((resolve, reject) => {
        child.on('exit', (code) => reject(new Error(`it ended with ${code}: ${text}`)));
        stream.on('data', (more) => {
            text += more;
            if (wanted.test(text)) resolve(text);
        });
    });
}

/// Starts `grantor serve --http … --sandbox` with a state of its own.
export async function start(more = []) {
    const state = mkdtempSync(join(process.env.WORK, 'state-'));
    const env = { PATH: process.env.PATH, HOME: state, GRANTOR_STATE_DIR: state };
    const child = spawn(
        process.env.GRANTOR,
        ['--sandbox', 'serve', '--http', '127.0.0.1:0', ...more],
        { env, stdio: ['ignore', 'inherit', 'pipe'] },
    );
    const text = await said(child, child.stderr, /token\?who=[^]*\n/);
    const mcp = /clients find it at (\S+)/.exec(text)[1];
    const tokens = /(http:\S+\/token)\?who=/.exec(text)[1];
    const page = new URL('/inbox', mcp).href;
    const stop = () => new Promise((resolve) => { child.on('exit', resolve); child.kill(); });
    return { mcp, page, tokens, state, env, stop, said: text };
}

/// Calls a tool as one of its people, as a client of the older protocols does; gives what it answered.
export async function call(team, who, name, args, more = {}) {
    const token = team.token ?? await (await fetch(`${team.tokens}?who=${who}`)).text();
    const answer = await fetch(team.mcp, {
        method: 'POST',
        headers: {
            authorization: `Bearer ${token}`,
            'content-type': 'application/json',
            accept: 'application/json, text/event-stream',
            ...more.headers,
        },
        body: JSON.stringify({
            jsonrpc: '2.0', id: 1, method: 'tools/call',
            params: { name, arguments: args, ...more.params },
        }),
    });
    const body = await answer.json();
    if (!body.result) throw new Error(JSON.stringify(body));
    return more.params ? body.result : body.result.structuredContent;
}

/// Has a tool change something, and gives the receipt of the request that waits for somebody's yes.
export async function ask(team, who, tool, args) {
    const answer = await call(team, who, tool, args);
    if (answer.outcome !== 'awaiting_consent') throw new Error(JSON.stringify(answer));
    return answer.receipt;
}
