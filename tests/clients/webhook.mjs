// The official JavaScript library of Standard Webhooks receives what Grantor tells, and checks its signatures.
//
//     node webhook.mjs NAME FOLDER
//
// FOLDER is where standardwebhooks is installed. Prints a line a step, `pass` or `fail`, and leaves counting
// to `run`.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { createPublicKey, verify } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";

import { steps } from "./steps.mjs";

const [name, folder] = process.argv.slice(2);
const step = steps(name);
const { GRANTOR, ROOT, WORK, PATH } = process.env;
const { Webhook } = createRequire(join(folder, "here.js"))("standardwebhooks");
const OLD = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const NEW = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
// Signs beside them, for whoever checks by the public key alone; the library has `v1` only.
const PRIVATE = "whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbc=";
const OTHER = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const state = join(WORK, "state");
const got = [];

const receiver = createServer((request, response) => {
  let body = "";
  request.setEncoding("utf8");
  request.on("data", (text) => (body += text));
  request.on("end", () => {
    got.push({ body, headers: request.headers });
    // The first one is to come again.
    response.writeHead(got.length === 1 ? 503 : 204).end();
  });
});
await new Promise((ready) => receiver.listen(0, "127.0.0.1", ready));

async function run(at, ...words) {
  const places = ["--state-dir", state, "--config", join(WORK, "config.toml")];
  const policy = ["--policy", join(ROOT, "policies/examples/automation.cedar")];
  const env = { PATH, HOME: WORK, ...at };
  const ran = await promisify(execFile)(GRANTOR, ["--vendor", "dfns", ...places, ...policy, ...words], { env });
  return ran.stdout;
}

/** What the fake vendors say of themselves. */
async function exports(child) {
  let told = "";
  child.stdout.setEncoding("utf8");
  for await (const text of child.stdout) {
    told += text;
    if (/^export CENTRASITE_PASSWORD=.*\n/m.test(told)) break;
  }
  return Object.fromEntries([...told.matchAll(/^export (\w+)='(.*)'$/gm)].map(([, key, value]) => [key, value]));
}

/** As if the time to try again had come. */
function triedAgain() {
  const path = join(state, "notices", "hook.json");
  const kept = JSON.parse(readFileSync(path, "utf8"));
  kept.failing.next = "2020-01-01T00:00:00Z";
  writeFileSync(path, JSON.stringify(kept));
}

mkdirSync(state, { mode: 0o700 });
const url = `http://127.0.0.1:${receiver.address().port}/hook`;
const lines = ["[notify.hook]", `url = "${url}"`, `secrets = ["${NEW}", "${PRIVATE}", "${OLD}"]`, "allow_private = true"];
writeFileSync(join(WORK, "config.toml"), lines.join("\n"), { mode: 0o600 });
const served = spawn(GRANTOR, ["sandbox", "--state-dir", join(WORK, "vendors")], { stdio: ["ignore", "pipe", "inherit"] });
process.once("SIGTERM", () => served.kill() && process.exit(143));
try {
  const at = await exports(served);
  await step("a change is told, again where it was not taken", async () => {
    await run(at, "expire");
    const change = { permissionId: "Treasury Viewer", identityId: "user@example.com" };
    const { receipt } = JSON.parse(await run(at, "call", "assign_permission", JSON.stringify(change)));
    await run(at, "expire");
    triedAgain();
    await run(at, "expire");
    assert.equal(got.length, 2);
    const told = JSON.parse(got[1].body);
    assert.deepEqual([told.type, told.data.receipt], ["carried_out", receipt]);
    assert.equal(got[0].headers["webhook-id"], got[1].headers["webhook-id"]);
  });
  await step("the library takes each signature, by either secret", () => {
    for (const { body, headers } of got) {
      for (const secret of [OLD, NEW]) assert.deepEqual(new Webhook(secret).verify(body, headers), JSON.parse(body));
    }
  });
  await step("whoever has the public key that `doctor` tells checks v1a by it, with node's own cryptography", async () => {
    const [, said] = /checked with whpk_(\S+)/.exec(await run(at, "doctor"));
    // An Ed25519 key as certificates have it, before its 32 bytes.
    const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), Buffer.from(said, "base64")]);
    const key = createPublicKey({ key: der, format: "der", type: "spki" });
    for (const { body, headers } of got) {
      const signed = (text) => Buffer.from(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${text}`);
      const own = headers["webhook-signature"].split(" ").filter((one) => one.startsWith("v1a,"));
      assert.equal(own.length, 1);
      const signature = Buffer.from(own[0].slice(4), "base64");
      assert.ok(verify(null, signed(body), key, signature));
      assert.ok(!verify(null, signed(`${body} `), key, signature));
    }
  });
  await step("it takes no other secret and no other body", () => {
    const { body, headers } = got[1];
    assert.throws(() => new Webhook(OTHER).verify(body, headers));
    assert.throws(() => new Webhook(NEW).verify(body.replace("carried_out", "asked"), headers));
  });
} finally {
  served.kill();
  receiver.close();
}
