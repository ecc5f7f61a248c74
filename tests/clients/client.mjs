// One TypeScript SDK at work: the steps of scenario.json, and those that are no plain call.
//
//     node client.mjs NAME FOLDER MODE
//
// FOLDER is where the SDK is installed; MODE is `1` for @modelcontextprotocol/sdk 1.x, or the mode of
// an @modelcontextprotocol/client 2.x: `legacy`, `auto`. With OVER=http the server is a process that serves over
// HTTP, and the client brings it a bearer. Prints a line a step, `pass` or `fail`, and
// leaves counting to `run`.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";

import { steps } from "./steps.mjs";

const [name, folder, mode] = process.argv.slice(2);
const step = steps(name);
const { GRANTOR, ROOT, WORK, ERA, LIAR } = process.env;
const scenario = JSON.parse(readFileSync(new URL("scenario.json", import.meta.url), "utf8"));

const FIRST = mode === "1";
const OVER_HTTP = process.env.OVER === "http";
// A grant that passes the gate of hold.py on its way, and one that any person may be asked about.
const HELD = { asset: "BillingService", userGroupAssetPermission: [{ group: "API Team", permission: "Modify" }] };
const ASKED = { userKey: "marta.lindqvist@example.com", roleKey: "Tester", assetKeys: ["Billing"] };
const PROMPTS = ["onboard", "offboard", "access_review", "time_boxed_grant"];
const LEAVER = { person: "jonas.weber@example.com" };
const LONGEST = 60_000;

const need = createRequire(join(folder, "here.js"));
const { Client } = need(FIRST ? "@modelcontextprotocol/sdk/client/index.js" : "@modelcontextprotocol/client");
const { StdioClientTransport, getDefaultEnvironment } = need(
  FIRST ? "@modelcontextprotocol/sdk/client/stdio.js" : "@modelcontextprotocol/client/stdio",
);
const { StreamableHTTPClientTransport } = need(
  FIRST ? "@modelcontextprotocol/sdk/client/streamableHttp.js" : "@modelcontextprotocol/client",
);
const ELICIT = FIRST ? need("@modelcontextprotocol/sdk/types.js").ElicitRequestSchema : "elicitation/create";

/** What the person at this client says, and what they were asked. */
class Person {
  asked = [];
  wait = Promise.resolve();

  async answer({ params }) {
    this.asked.push(params);
    await this.wait;
    if (this.says !== "accept") return { action: this.says };
    const fields = Object.keys(params.requestedSchema.properties);
    return { action: "accept", content: Object.fromEntries(fields.map((field) => [field, this.types])) };
  }
}

/** What both SDKs have in common. */
async function opened(command, args, { person, environment, bearer = "alex" } = {}, use) {
  if (!OVER_HTTP) {
    const env = { ...getDefaultEnvironment(), ...environment };
    return connected(new StdioClientTransport({ command, args, env }), person, use);
  }
  const child = spawn(command, [...args, "serve", "--http", "127.0.0.1:0"], { stdio: ["ignore", "ignore", "pipe"] });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  try {
    const { url, token } = await addressed(child, bearer);
    const requestInit = { headers: { Authorization: `Bearer ${token}` } };
    return await connected(new StreamableHTTPClientTransport(new URL(url), { requestInit }), person, use);
  } finally {
    child.kill();
    await ended;
  }
}

/** Where a server over HTTP is, and a token of somebody whom the sandbox gives one. */
async function addressed(child, bearer) {
  let url;
  for await (const line of createInterface(child.stderr)) {
    url ??= line.split("clients find it at ")[1];
    const tokens = line.split("bearers, good for an hour: ")[1]?.split("?who=")[0];
    if (tokens) {
      child.stderr.resume();
      return { url, token: await (await fetch(`${tokens}?who=${bearer}`)).text() };
    }
  }
  assert.fail("the server ended before it said where it is");
}

async function connected(transport, person, use) {
  const capabilities = person ? { elicitation: { form: {} } } : {};
  const client = new Client(
    { name, version: "1" },
    FIRST ? { capabilities } : { capabilities, versionNegotiation: { mode } },
  );
  if (person) client.setRequestHandler(ELICIT, (request) => person.answer(request));
  let era;
  // The first SDK tells its transport alone.
  const tell = transport.setProtocolVersion?.bind(transport);
  transport.setProtocolVersion = (version) => {
    era = version;
    tell?.(version);
  };
  await client.connect(transport);
  try {
    await use({
      tools: async () => (await client.listTools()).tools,
      call: (tool, input, options = {}) => {
        const parameters = { name: tool, arguments: input };
        options = { timeout: LONGEST, ...options };
        return FIRST ? client.callTool(parameters, undefined, options) : client.callTool(parameters, options);
      },
      prompts: async () => (await client.listPrompts()).prompts,
      prompt: (name, given) => client.getPrompt({ name, arguments: given }),
      complete: async (prompt, argument, value) => {
        const ref = { type: "ref/prompt", name: prompt };
        return (await client.complete({ ref, argument: { name: argument, value } })).completion.values;
      },
      server: () => client.getServerVersion(),
      era: () => (FIRST ? era : client.getNegotiatedProtocolVersion()),
    });
  } finally {
    await client.close();
  }
}

const state = (folder) => ["--state-dir", join(WORK, folder)];

const found = (body, path) =>
  path.split("/").reduce((value, key) => value?.[Array.isArray(value) ? Number(key) : key], body);

function compare(body, expected, kept) {
  for (const [path, want] of Object.entries(expected)) {
    const have = found(body, path);
    if (want !== null && typeof want === "object" && "has" in want) {
      assert.ok(String(have).includes(want.has), `${path} is ${JSON.stringify(have)}, without ${want.has}`);
    } else {
      const meant = typeof want === "string" ? (kept[want] ?? want) : want;
      assert.ok(isDeepStrictEqual(have ?? null, meant), `${path} is ${JSON.stringify(have)}, not ${JSON.stringify(meant)}`);
    }
  }
}

async function take(session, person, given, kept) {
  // Whoever is asked while the call waits is asked once more.
  const step = FIRST || mode === "legacy" ? { ...given, ...given.legacy } : given;
  const input = Object.fromEntries(
    Object.entries(step.arguments).map(([key, value]) => [key, typeof value === "string" ? (kept[value] ?? value) : value]),
  );
  Object.assign(person, { asked: [], says: step.says, types: step.types ?? step.typed });
  const told = [];
  const options = step.progress ? { onprogress: ({ progress }) => told.push(progress) } : {};
  let result;
  try {
    result = await session.call(step.tool, input, options);
  } catch (error) {
    assert.ok("error" in step, `a protocol error: ${error}`);
    assert.equal(error.code, step.error, String(error));
    return;
  }
  assert.ok(!("error" in step), `no protocol error: ${JSON.stringify(result)}`);
  const body = result.structuredContent;
  assert.equal(Boolean(result.isError), step.isError ?? false, `isError is ${result.isError}: ${JSON.stringify(body)}`);
  assert.deepEqual(JSON.parse(result.content[0].text), body, "the text is other than structuredContent");
  compare(body, { ...step.expect, ...(OVER_HTTP ? step.over_http : {}) }, kept);
  if (step.keep) kept[`$${step.keep}`] = body.receipt;
  if (step.says) {
    assert.equal(person.asked.length, step.asked ?? 1, `asked ${person.asked.length} times`);
    const [{ message, requestedSchema }] = person.asked;
    assert.ok(message.includes(step.question), `no ${step.question} in ${message}`);
    assert.deepEqual(Object.keys(requestedSchema.properties), step.typed ? ["grantee"] : []);
  } else {
    assert.deepEqual(person.asked, [], "asked");
  }
  if (step.progress) {
    const grows = told.every((made, index) => index === 0 || made > told[index - 1]);
    assert.ok(told.length > 0 && grows, `progress was ${told}`);
  }
}

async function until(what) {
  for (const end = Date.now() + LONGEST; Date.now() < end; await sleep(20)) {
    const so = await what();
    if (so) return so;
  }
  assert.fail("it did not happen");
}

async function cancelled(call, controller) {
  controller.abort("changed my mind");
  await assert.rejects(call);
}

for (const [number, scene] of scenario.entries()) {
  // Over HTTP whoever calls is not who approves: nobody is asked.
  if (OVER_HTTP && scene.elicits) continue;
  await step(`${scene.session}: came and went`, async () => {
    const person = new Person();
    const kept = {};
    const policy = scene.policy ? ["--policy", join(ROOT, scene.policy)] : [];
    const flags = ["--sandbox", ...state(`scene-${number}`), ...policy];
    await opened(GRANTOR, flags, { person: scene.elicits && person }, async (session) => {
      await step(`${scene.session}: lists the tools, in ${ERA}`, async () => {
        assert.equal(session.era(), ERA);
        const tools = await session.tools();
        assert.equal(tools.length, 20);
        assert.ok(tools.every((tool) => tool.outputSchema && tool.title));
      });
      await step(`${scene.session}: lists the prompts, makes one and completes an argument`, async () => {
        assert.deepEqual((await session.prompts()).map(({ name }) => name), PROMPTS);
        const { messages } = await session.prompt("offboard", LEAVER);
        assert.ok(messages.length === 1 && messages[0].content.text.includes(LEAVER.person), JSON.stringify(messages));
        await assert.rejects(session.prompt("offboard", {}), ({ code }) => code === -32602);
        assert.deepEqual(await session.complete("offboard", "vendor", "sn"), ["snaplogic"]);
        assert.match(session.server().icons[0].src, /^data:image\/png;base64,/);
      });
      for (const one of scene.steps) await step(one.step, () => take(session, person, one, kept));
    });
  });
}

if (OVER_HTTP) {
  await step("a bearer for reading may look, and changes nothing", () => {
    const policy = ["--policy", join(ROOT, "policies/examples/automation.cedar")];
    return opened(GRANTOR, ["--sandbox", ...state("reader"), ...policy], { bearer: "grace" }, async (session) => {
      const looked = await session.call("list_roles", { vendor: "centrasite" });
      assert.ok(looked.structuredContent.rows.length > 0, JSON.stringify(looked));
      await assert.rejects(session.call("grant_asset_role", ASKED), /403|[Ii]nsufficient.scope/);
    });
  });
  process.exit();
}

await step("a result that breaks its outputSchema is not taken", () =>
  opened("python3", [LIAR, GRANTOR, "--sandbox", ...state("liar")], {}, async (session) => {
    await session.tools();
    await assert.rejects(session.call("list_roles", { vendor: "centrasite" }), /rows/);
  }),
);

await step("a call that is cancelled in flight sends nothing", async () => {
  const hold = join(WORK, "hold");
  const environment = JSON.parse(readFileSync(join(hold, "environment.json"), "utf8"));
  const seen = () => (existsSync(join(hold, "seen")) ? readFileSync(join(hold, "seen"), "utf8").trim().split("\n") : []);
  const policy = ["--policy", join(ROOT, "policies/examples/automation.cedar")];
  await opened(GRANTOR, [...state("held"), ...policy], { environment }, async (session) => {
    await session.tools();
    const controller = new AbortController();
    const call = session.call("set_asset_permissions", HELD, { signal: controller.signal });
    call.catch(() => {});
    await until(() => seen().length > 0);
    await cancelled(call, controller);
    // What is asked next is answered, while the first still waits for its vendor.
    const checked = await session.call("check_change", {});
    assert.deepEqual(checked.structuredContent.changes, []);
    writeFileSync(join(hold, "go"), "");
  });
  const writes = seen().filter((line) => !line.startsWith("GET "));
  assert.ok(seen().length > 0 && writes.length === 0, `sent all the same: ${writes}`);
});

if (ERA < "2026") {
  await step("a yes that comes after its call was cancelled grants nothing", async () => {
    const person = new Person();
    let answer;
    Object.assign(person, { says: "accept", wait: new Promise((resolve) => (answer = resolve)) });
    await opened(GRANTOR, ["--sandbox", ...state("withdrawn")], { person }, async (session) => {
      await session.tools();
      const controller = new AbortController();
      const call = session.call("grant_asset_role", ASKED, { signal: controller.signal });
      call.catch(() => {});
      await until(() => person.asked.length > 0);
      await cancelled(call, controller);
      answer();
      // Neither open nor carried out.
      await until(async () => {
        const checked = await session.call("check_change", {});
        return checked.structuredContent.changes.every(({ outcome }) => outcome === "refused");
      });
      const held = { vendor: "outsystems", principal: ASKED.userKey, role: ASKED.roleKey };
      const { structuredContent } = await session.call("list_access", held);
      assert.deepEqual(structuredContent.rows, [], "granted all the same");
    });
  });
}
