// Grantor behind a real identity provider: from a challenge to a token to a call, as a client finds its way, and what
// becomes of tokens when keys change and when the provider is gone.
//
//     node check.mjs GRANTOR FOLDER SDK WORK
//
// FOLDER is where the provider is installed, SDK where the MCP client is. The vendors' settings come by the
// environment. Prints a line a step, `pass` or `fail`, and leaves counting to `run`.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { createHmac, createPublicKey } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { createServer } from "node:net";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

import { steps } from "../clients/steps.mjs";
import { CHANGE, IdentityProvider, newKey, READ } from "./provider.mjs";

const [grantor, folder, sdk, work] = process.argv.slice(2);
const step = steps("oidc-provider");
const installed = (at, name) => import(pathToFileURL(createRequire(join(at, "here.js")).resolve(name)).href);
const { default: Provider } = await import(pathToFileURL(join(folder, "node_modules/oidc-provider/lib/index.js")).href);
const { Client, StreamableHTTPClientTransport, UnauthorizedError } = createRequire(join(sdk, "here.js"))("@modelcontextprotocol/client");

const LANDING = "http://127.0.0.1:1/landing";
const GRANT = {
  project_or_space_path: "/Harbor/Finance",
  grant_type: "USER",
  grantee: "user@example.com",
  permission_list: ["R"],
  reason: "OPS-7, the audit",
};

const freePort = () =>
  new Promise((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });

/** A Grantor that trusts an issuer, and how one asks it. */
class Server {
  static async start(name, port, issuer, more = "") {
    const at = join(work, name);
    mkdirSync(at, { recursive: true });
    const rules = join(at, "rules.cedar");
    const admins = `Group::"${issuer}#admins"`;
    writeFileSync(rules, `@id("admins") permit (principal in ${admins}, action, resource);\n@id("looks") permit (principal, action in Action::"look", resource);\n`);
    const file = join(at, "grantor.toml");
    writeFileSync(file, `[http.issuers.company]\nissuer = "${issuer}"\ngroups_claim = "groups"\n${more}`);
    const flags = ["--config", file, "--policy", rules, "--state-dir", join(at, "state")];
    const server = new Server();
    server.url = `http://127.0.0.1:${port}/mcp`;
    server.log = "";
    server.child = spawn(grantor, [...flags, "serve", "--http", `127.0.0.1:${port}`], { stdio: ["ignore", "ignore", "pipe"] });
    server.child.stderr.on("data", (data) => (server.log += data));
    for (let tries = 0; !server.log.includes("serving MCP"); tries += 1) {
      assert.ok(tries < 300 && server.child.exitCode === null, `it does not start: ${server.log}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    return server;
  }

  stop() {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill();
    return ended;
  }

  get = (path) => fetch(new URL(path, this.url));

  async ready(wanted) {
    for (let tries = 0; (await this.get("/readyz")).ok !== wanted; tries += 1) {
      assert.ok(tries < 300, `readiness is not ${wanted}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  post(token, method, params = {}) {
    const headers = {
      "content-type": "application/json",
      accept: "application/json, text/event-stream",
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
    };
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
    return fetch(this.url, { method: "POST", headers, body });
  }

  status = async (token) => (await this.post(token, "tools/list")).status;

  async call(token, tool, input) {
    const answer = await this.post(token, "tools/call", { name: tool, arguments: input });
    assert.equal(answer.status, 200, await answer.clone().text());
    return (await answer.json()).result.structuredContent;
  }
}

/** An MCP client that somebody has just pointed at Grantor: it knows nothing but the address. */
class Newcomer {
  clientMetadata = { client_name: "newcomer", redirect_uris: [LANDING], token_endpoint_auth_method: "none", grant_types: ["authorization_code"], response_types: ["code"] };
  redirectUrl = LANDING;
  clientInformation = () => this.known;
  saveClientInformation = (known) => void (this.known = known);
  tokens = () => this.got;
  saveTokens = (got) => void (this.got = got);
  redirectToAuthorization = (to) => void (this.to = to);
  saveCodeVerifier = (verifier) => void (this.verifier = verifier);
  codeVerifier = () => this.verifier;

  /** Goes all the way, for a person of this name, and uses the connection. */
  async connect(url, idp, name, mode, use) {
    const open = () => new StreamableHTTPClientTransport(new URL(url), { authProvider: this });
    const client = () => new Client({ name: "newcomer", version: "1" }, { versionNegotiation: { mode } });
    if (!this.got) {
      const first = open();
      await assert.rejects(client().connect(first), (error) => error instanceof UnauthorizedError || /Unauthorized/.test(String(error)));
      const landed = await idp.browse(this.to.href, name, LANDING);
      await first.finishAuth(landed.searchParams);
    }
    const connected = client();
    await connected.connect(open());
    try {
      return await use(connected);
    } finally {
      await connected.close();
    }
  }
}

const [port, other] = [await freePort(), await freePort()];
const own = `http://127.0.0.1:${port}/mcp`;
const idp = new IdentityProvider(Provider, await freePort(), [own, "https://other.example.com/mcp"]);
const [oldKey, nextKey] = [newKey("old"), newKey("next")];
await idp.start([oldKey]);
const server = await Server.start("own", port, idp.issuer);
const people = { ada: new Newcomer(), grace: new Newcomer() };
const claims = (token) => JSON.parse(atob(token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
const encoded = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

try {
  await server.ready(true);

  await step("a challenge leads to the metadata, and that to the provider", async () => {
    const refused = await server.post(undefined, "tools/list");
    const challenge = refused.headers.get("www-authenticate");
    assert.equal(refused.status, 401);
    const metadata = await (await fetch(challenge.match(/resource_metadata="([^"]+)"/)[1])).json();
    assert.equal(metadata.resource, own);
    assert.deepEqual(metadata.authorization_servers, [idp.issuer]);
    const asked = challenge.match(/scope="([^"]+)"/)[1].split(" ");
    assert.deepEqual(asked, metadata.scopes_supported);
  });

  for (const [name, mode] of [["ada", "auto"], ["grace", "legacy"]]) {
    await step(`${name} logs in by the SDK's own way, ${mode}: registered, PKCE, resource, and looks`, () =>
      people[name].connect(own, idp, name, mode, async (client) => {
        const { tools } = await client.listTools();
        assert.equal(tools.length, 20);
        const looked = await client.callTool({ name: "list_roles", arguments: { vendor: "snaplogic" } });
        assert.ok(!looked.isError && looked.structuredContent.rows.length > 0, JSON.stringify(looked));
        assert.equal(client.getNegotiatedProtocolVersion(), mode === "auto" ? "2026-07-28" : "2025-11-25");
      }),
    );
  }
  const ada = people.ada.got?.access_token ?? "";
  const grace = people.grace.got?.access_token ?? "";

  await step("the token is an access token for this server, with groups and both scopes", async () => {
    const header = JSON.parse(atob(ada.split(".")[0]));
    assert.deepEqual([header.typ, header.alg, header.kid], ["at+jwt", "RS256", "old"]);
    const { aud, sub, scope, groups } = claims(ada);
    assert.deepEqual([aud, sub, scope, groups], [own, "ada", `${READ} ${CHANGE}`, ["admins", "staff"]]);
  });

  await step("rules know the groups: one of the admins may grant, and another may not", async () => {
    const granted = await server.call(ada, "set_project_acl", GRANT);
    assert.equal(granted.outcome, "confirmed", JSON.stringify(granted));
    const refused = await server.call(grace, "set_project_acl", { ...GRANT, grantee: "marta.lindqvist@example.com" });
    assert.equal(refused.outcome, "refused", JSON.stringify(refused));
    const checked = await server.call(ada, "check_change", { receipt: granted.receipt });
    assert.equal(checked.requester, `${idp.issuer}#ada`);
    const hidden = await server.call(grace, "check_change", { receipt: granted.receipt });
    assert.ok(JSON.stringify(hidden).includes("the ledger has no change"), JSON.stringify(hidden));
  });

  const program = await idp.forProgram("pipeline", own, `${READ} ${CHANGE}`);
  await step("a program has a token of its own, and is in no group", async () => {
    assert.deepEqual([claims(program).sub, claims(program).client_id], ["pipeline", "pipeline"]);
    assert.equal(await server.status(program), 200);
    const refused = await server.call(program, "set_project_acl", { ...GRANT, grantee: "hiro.tanaka@example.com" });
    assert.equal(refused.outcome, "refused", JSON.stringify(refused));
  });

  await step("a token for reading does not change anything, and says what it takes", async () => {
    const reader = await idp.forProgram("pipeline", own, READ);
    assert.equal(await server.status(reader), 200);
    const refused = await server.post(reader, "tools/call", { name: "set_project_acl", arguments: GRANT });
    assert.equal(refused.status, 403);
    assert.match(refused.headers.get("www-authenticate"), new RegExp(`scope="${READ} ${CHANGE}", error="insufficient_scope"`));
  });

  await step("tokens of the very provider that are for something else are refused", async () => {
    const elsewhere = await idp.forProgram("pipeline", "https://other.example.com/mcp", READ);
    const opaque = await idp.forProgram("pipeline", undefined, "");
    for (const [what, token] of Object.entries({ elsewhere, opaque })) {
      assert.equal(await server.status(token), 401, what);
    }
    const [header, body, signature] = ada.split(".");
    const forged = (head, said, sealed) => `${encoded(head)}.${typeof said === "string" ? said : encoded(said)}.${sealed}`;
    const pem = createPublicKey({ key: oldKey, format: "jwk" }).export({ type: "spki", format: "pem" });
    const hs = { alg: "HS256", typ: "at+jwt", kid: "old" };
    const mac = createHmac("sha256", pem).update(`${encoded(hs)}.${body}`).digest("base64url");
    for (const [what, token] of Object.entries({
      "no signature": forged({ alg: "none" }, body, ""),
      "the public key as a secret": forged(hs, body, mac),
      "another's name": `${header}.${encoded({ ...claims(ada), sub: "root" })}.${signature}`,
      "more scopes": `${header}.${encoded({ ...claims(grace), groups: ["admins"] })}.${grace.split(".")[2]}`,
    })) {
      assert.equal(await server.status(token), 401, what);
    }
  });

  const restarted = async (...keys) => {
    await idp.stop();
    await idp.start(keys);
    return idp.forProgram("pipeline", own, READ);
  };
  const next = await restarted(nextKey, oldKey);
  await step("a key that is put in counts at once, and the one before it still does", async () => {
    assert.equal(JSON.parse(atob(next.split(".")[0])).kid, "next");
    assert.equal(await server.status(next), 200);
    assert.equal(await server.status(ada), 200);
  });

  const beside = (name) => Server.start(name, other, idp.issuer, `audiences = ["${own}"]\n`);
  const rotated = await beside("rotated");
  await rotated.ready(true);
  await step("a key that is taken away counts no more once another is seen", async () => {
    assert.equal(await rotated.status(ada), 200);
    const last = await restarted(newKey("last"));
    assert.equal(await rotated.status(last), 200);
    assert.equal(await rotated.status(ada), 401);
    assert.equal(await rotated.status(next), 401);
  }).finally(() => rotated.stop());

  const calm = await beside("calm");
  await calm.ready(true);
  const last = await idp.forProgram("pipeline", own, READ);
  await idp.stop();
  await step("with the provider gone, keys that are held serve, and a token by another key is none of ours to refuse", async () => {
    assert.equal(await calm.status(last), 200);
    assert.equal((await calm.get("/readyz")).status, 200);
    const [, body, signature] = last.split(".");
    const unknown = `${encoded({ alg: "RS256", typ: "at+jwt", kid: "unseen" })}.${body}.${signature}`;
    const answer = await calm.post(unknown, "tools/list");
    assert.deepEqual([answer.status, answer.headers.has("retry-after")], [503, true]);
  }).finally(() => calm.stop());
  const late = await beside("late");
  await step("a server that begins without the provider refuses nobody for good", async () => {
    const answer = await late.post(ada, "tools/list");
    assert.deepEqual([answer.status, answer.headers.has("retry-after")], [503, true]);
    await late.ready(false);
    assert.equal((await late.get("/livez")).status, 200);
  }).finally(() => late.stop());

  await step("no token is in what the server says", async () => {
    for (const token of [ada, grace, program]) assert.ok(!server.log.includes(token.split(".")[2]));
  });
} finally {
  await server.stop();
  await idp.stop().catch(() => {});
}
