// The vendor's own TypeScript SDK at work against the sandbox's Dfns, beside Grantor.
//
//     node dfns.mjs NAME FOLDER
//
// FOLDER is where @dfns/sdk and @dfns/sdk-keysigner are installed. Prints a line a step, `pass` or
// `fail`, and leaves counting to `run`. This SDK has no methods for user groups yet: those go through
// the parts that its methods are made of.

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { generateKeyPairSync } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { promisify } from "node:util";

import { steps } from "./steps.mjs";

const [name, folder] = process.argv.slice(2);
const step = steps(name);
const { GRANTOR, ROOT, WORK } = process.env;

const need = createRequire(join(folder, "here.js"));
const { DfnsApiClient, DfnsError, PolicyPendingError } = need("@dfns/sdk");
const { AsymmetricKeySigner } = need("@dfns/sdk-keysigner");
const { simpleFetch } = need("@dfns/sdk/utils/fetch");
const { userActionFetch } = need("@dfns/sdk/utils/userActionFetch");

const KEYS = {
  Ed25519: () => generateKeyPairSync("ed25519"),
  "P-256": () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
  secp256k1: () => generateKeyPairSync("ec", { namedCurve: "secp256k1" }),
  RSA: () => generateKeyPairSync("rsa", { modulusLength: 3072 }),
};
const newKey = (kind) => KEYS[kind]().privateKey.export({ type: "pkcs8", format: "pem" });

/** The five fake vendors, with a key of this kind registered at Dfns. */
async function vendors(kind, use) {
  const state = join(WORK, kind);
  const file = join(state, "sandbox", "dfns.pem");
  mkdirSync(join(state, "sandbox"), { recursive: true, mode: 0o700 });
  writeFileSync(file, newKey(kind), { mode: 0o600 });
  const child = spawn(GRANTOR, ["sandbox", "--state-dir", state], { stdio: ["ignore", "pipe", "inherit"] });
  const end = () => child.kill() && process.exit(143);
  process.once("SIGTERM", end);
  try {
    let told = "";
    child.stdout.setEncoding("utf8");
    for await (const text of child.stdout) {
      told += text;
      if (/^export CENTRASITE_PASSWORD=.*\n/m.test(told)) break;
    }
    const lines = told.matchAll(/^export (\w+)='(.*)'$/gm);
    await use({ state, ...Object.fromEntries([...lines].map(([, key, value]) => [key, value])) });
  } finally {
    process.off("SIGTERM", end);
    child.kill();
  }
}

const options = (at, privateKey = readFileSync(at.DFNS_PRIVATE_KEY_FILE, "utf8")) => ({
  baseUrl: at.DFNS_API_URL,
  authToken: at.DFNS_AUTH_TOKEN,
  signer: new AsymmetricKeySigner({ credId: at.DFNS_CREDENTIAL_ID, privateKey }),
});

/** All rows of a list that comes in pages. */
async function every(list, limit) {
  const rows = [];
  for (let paginationToken; ; ) {
    const page = await list({ limit, paginationToken });
    assert.ok(page.items.length <= limit, `${page.items.length} on a page of ${limit}`);
    rows.push(...page.items);
    ({ nextPageToken: paginationToken } = page);
    if (!paginationToken) return rows;
  }
}

/** The fields that the SDK's types have without a question mark: each is there, and none is null. */
function hasAll(rows, fields) {
  assert.ok(rows.length > 0, "no rows");
  for (const row of rows) {
    for (const [field, type] of Object.entries(fields)) {
      const have = Array.isArray(row[field]) ? "array" : typeof row[field];
      assert.equal(have, type, `${field} of ${JSON.stringify(row)}`);
    }
    const nulls = Object.entries(row).filter(([, value]) => value === null);
    assert.deepEqual(nulls, [], `null in ${JSON.stringify(row)}`);
  }
}

const strings = (...names) => Object.fromEntries(names.map((one) => [one, "string"]));
const PERMISSION = {
  ...strings("id", "name", "status", "dateCreated", "dateUpdated"),
  operations: "array", isImmutable: "boolean", isArchived: "boolean",
};
const ASSIGNMENT = { ...strings("id", "permissionId", "identityId", "dateCreated", "dateUpdated"), isImmutable: "boolean" };
// An organization is optional in the newest types, for users of a whole tenant.
const USER = {
  ...strings("username", "name", "userId", "kind", "credentialUuid"),
  isActive: "boolean", isServiceAccount: "boolean", isRegistered: "boolean", permissionAssignments: "array",
};
const TOKEN = {
  ...strings("dateCreated", "credId", "kind", "linkedUserId", "linkedAppId", "name", "orgId", "publicKey", "tokenId"),
  isActive: "boolean", permissionAssignments: "array",
};
const CHANGE = {
  ...strings("id", "status", "entityId", "dateCreated", "kind", "operationKind"),
  requester: "object", body: "object",
};
const APPROVAL = {
  ...strings("id", "initiatorId", "status", "dateUpdated"),
  activity: "object", policyEvaluations: "array", decisions: "array",
};
const GROUP = { ...strings("id", "name", "dateCreated", "dateUpdated"), memberCount: "number" };
const MEMBER = {
  ...strings("userId", "username", "kind", "dateAdded"),
  isActive: "boolean", isArchived: "boolean", isServiceAccount: "boolean",
};

const named = async (dfns, wanted) => {
  const { items } = await dfns.permissions.listPermissions({});
  return items.find((one) => one.name === wanted).id;
};
const userOf = async (dfns, username) => {
  const { items } = await dfns.auth.listUsers({});
  return items.find((one) => one.username === username).userId;
};
const holders = async (dfns, permissionId) => {
  const { items } = await dfns.permissions.listAssignments({ permissionId });
  return items.map((one) => one.identityId);
};

async function looks(at, dfns) {
  await step("lists permissions, page by page", async () => {
    const rows = await every((query) => dfns.permissions.listPermissions({ query }), 3);
    hasAll(rows, PERMISSION);
    const whole = await dfns.permissions.listPermissions({ query: { limit: 500 } });
    assert.deepEqual(rows, whole.items);
    assert.deepEqual(await dfns.permissions.getPermission({ permissionId: rows[1].id }), rows[1]);
  });
  await step("lists users, of one kind and of several", async () => {
    const rows = await every((query) => dfns.auth.listUsers({ query }), 4);
    hasAll(rows, { ...USER, isSSORequired: "boolean" });
    assert.deepEqual(await dfns.auth.getUser({ userId: rows[0].userId }), rows[0]);
    const count = async (kind) => (await dfns.auth.listUsers({ query: { kind } })).items.length;
    assert.ok((await count("CustomerEmployee")) > 0);
    assert.equal(await count(["TenantUser", "CustomerEmployee", "EndUser"]), rows.length);
    assert.equal((await count("TenantUser")) + (await count("CustomerEmployee")) + (await count("EndUser")), rows.length);
  });
  await step("lists service accounts, with this credential among them", async () => {
    const { items } = await dfns.auth.listServiceAccounts();
    hasAll(items.map((one) => one.userInfo), USER);
    const tokens = items.flatMap((one) => one.accessTokens);
    hasAll(tokens, TOKEN);
    assert.ok(tokens.some((token) => token.credId === at.DFNS_CREDENTIAL_ID));
    const [first] = items;
    assert.deepEqual(await dfns.auth.getServiceAccount({ serviceAccountId: first.userInfo.userId }), first);
    assert.deepEqual((await dfns.auth.listPersonalAccessTokens()).items, []);
  });
  await step("its token is one of the organization, and of no other", async () => {
    const { items } = await dfns.auth.listServiceAccounts();
    const within = (orgId) => new DfnsApiClient({ ...options(at), orgId }).auth.listUsers({});
    await within(items[0].accessTokens[0].orgId);
    await assert.rejects(within("or-00000-00000-0000000000000000"), /not scoped/);
  });
  await step("a token that is none is not let in", async () => {
    const stranger = new DfnsApiClient({ ...options(at), authToken: `${at.DFNS_AUTH_TOKEN}x` });
    await assert.rejects(stranger.permissions.listPermissions({}), (error) => error instanceof DfnsError && error.httpStatus === 401);
  });
}

async function groups(at, dfns) {
  const apiOptions = options(at);
  const get = async (path) => (await simpleFetch(path, { method: "GET", apiOptions })).json();
  const send = (method, path, body) => userActionFetch(path, { method, body, apiOptions });
  const permissionId = await named(dfns, "Treasury Viewer");
  let group;
  await step("lists user groups and their members", async () => {
    const { items } = await get("/auth/user-groups");
    hasAll(items, GROUP);
    for (const one of items) {
      assert.deepEqual(await get(`/auth/user-groups/${one.id}`), one);
      const members = (await get(`/auth/user-groups/${one.id}/members`)).items;
      assert.equal(members.length, one.memberCount);
      if (members.length > 0) hasAll(members, MEMBER);
    }
    group = items.find((one) => one.memberCount > 0);
  });
  await step("a group is given a permission, and loses it", async () => {
    const made = await dfns.permissions.createAssignment({ permissionId, body: { identityId: group.id } });
    assert.equal(made.identityId, group.id);
    assert.ok((await holders(dfns, permissionId)).includes(group.id));
    await dfns.permissions.deleteAssignment({ permissionId, assignmentId: made.id });
    assert.ok(!(await holders(dfns, permissionId)).includes(group.id));
  });
  await step("a group is made, renamed, filled and emptied, and goes with what it holds", async () => {
    const made = await (await send("POST", "/auth/user-groups", { name: "Of the SDK" })).json();
    hasAll([made], GROUP);
    const path = `/auth/user-groups/${made.id}`;
    const renamed = await (await send("PUT", path, { description: "Made by it" })).json();
    assert.deepEqual([renamed.name, renamed.description], ["Of the SDK", "Made by it"]);
    const userIds = [await userOf(dfns, "user@example.com")];
    await send("POST", `${path}/members`, { userIds });
    assert.equal((await get(path)).memberCount, 1);
    await dfns.permissions.createAssignment({ permissionId, body: { identityId: made.id } });
    await send("DELETE", `${path}/members`, { userIds });
    assert.equal((await get(path)).memberCount, 0);
    await send("DELETE", path, {});
    assert.ok(!(await holders(dfns, permissionId)).includes(made.id));
    await assert.rejects(get(path), (error) => error.httpStatus === 404);
  });
}

async function approvals(dfns) {
  const permissionId = await named(dfns, "Payments Approver");
  const identityId = await userOf(dfns, "user@example.com");
  let change;
  await step("an assignment that needs approval waits", async () => {
    const asked = dfns.permissions.createAssignment({ permissionId, body: { identityId } });
    change = await asked.then(assert.fail, (error) => {
      assert.ok(error instanceof PolicyPendingError, String(error));
      return error.context;
    });
    hasAll([change], CHANGE);
    assert.deepEqual([change.status, change.kind, change.operationKind], ["Pending", "Assignment", "Create"]);
    assert.equal(change.body.identityId, identityId);
    const { items } = await dfns.permissions.listAssignments({ permissionId });
    const waiting = items.find((one) => one.id === change.entityId);
    assert.ok(!waiting || waiting.pendingChangeRequest.id === change.id);
    const user = await dfns.auth.getUser({ userId: identityId });
    assert.ok(!user.permissionAssignments.some((one) => one.permissionId === permissionId));
  });
  await step("its approval is listed, read and denied", async () => {
    const query = { status: "Pending", initiatorId: change.requester.userId, limit: "5" };
    const { items } = await dfns.policies.listApprovals({ query });
    hasAll(items, APPROVAL);
    const approval = items.find((one) => one.activity.changeRequest.id === change.id);
    assert.equal(approval.activity.kind, "Permissions:Assign");
    assert.deepEqual(await dfns.policies.getApproval({ approvalId: approval.id }), approval);
    const decision = (value) => dfns.policies.createApprovalDecision({ approvalId: approval.id, body: { value } });
    await assert.rejects(decision("Approved"), (error) => error.httpStatus >= 400);
    const denied = await decision("Denied");
    assert.deepEqual([denied.status, denied.activity.changeRequest.status], ["Denied", "Rejected"]);
    assert.ok(!(await holders(dfns, permissionId)).includes(identityId));
  });
  await step("taking away waits too, unless it is forced", async () => {
    const { items } = await dfns.permissions.listAssignments({ permissionId });
    const { id: assignmentId } = items.find((one) => !one.pendingChangeRequest);
    const gone = dfns.permissions.deleteAssignment({ permissionId, assignmentId });
    await assert.rejects(gone, (error) => error.context?.operationKind === "Delete");
    await dfns.permissions.deleteAssignment({ permissionId, assignmentId, query: { force: true } });
    const left = await dfns.permissions.listAssignments({ permissionId });
    assert.ok(!left.items.some((one) => one.id === assignmentId));
  });
  await step("what a policy blocks is an error", async () => {
    const body = { identityId };
    const blocked = dfns.permissions.createAssignment({ permissionId: await named(dfns, "Vault Custodian"), body });
    await assert.rejects(blocked, (error) => error instanceof DfnsError && error.httpStatus >= 400);
  });
}

async function signs(kind, at, dfns) {
  const permissionId = await named(dfns, "Treasury Viewer");
  const identityId = await userOf(dfns, "user@example.com");
  let made;
  await step(`${kind}: assigns a permission, and sees it`, async () => {
    made = await dfns.permissions.createAssignment({ permissionId, body: { identityId } });
    hasAll([made], ASSIGNMENT);
    const { items } = await dfns.permissions.listAssignments({ permissionId });
    hasAll(items, ASSIGNMENT);
    assert.deepEqual(items.find((one) => one.identityId === identityId), made);
    const user = await dfns.auth.getUser({ userId: identityId });
    assert.ok(user.permissionAssignments.some((one) => one.assignmentId === made.id));
    const again = dfns.permissions.createAssignment({ permissionId, body: { identityId } });
    await assert.rejects(again, (error) => error.httpStatus === 409);
  });
  await step(`${kind}: Grantor lists what the SDK assigned`, async () => {
    const { rows } = await grantor(at, "list_access", { vendor: "dfns", principal: identityId });
    assert.ok(rows.some((row) => row.role.id === permissionId), JSON.stringify(rows));
  });
  await step(`${kind}: revokes it, and it is gone`, async () => {
    await dfns.permissions.deleteAssignment({ permissionId, assignmentId: made.id });
    assert.ok(!(await holders(dfns, permissionId)).includes(identityId));
    const again = dfns.permissions.deleteAssignment({ permissionId, assignmentId: made.id });
    await assert.rejects(again, (error) => error.httpStatus === 404);
  });
  await step(`${kind}: another key of the kind signs nothing`, async () => {
    const stranger = new DfnsApiClient(options(at, newKey(kind)));
    const asked = stranger.permissions.createAssignment({ permissionId, body: { identityId } });
    await assert.rejects(asked, (error) => error instanceof DfnsError && error.httpStatus === 401);
    assert.ok(!(await holders(dfns, permissionId)).includes(identityId));
  });
  await step(`${kind}: what Grantor assigns and revokes, the SDK sees`, async () => {
    const change = { permissionId, identityId };
    assert.equal((await grantor(at, "assign_permission", change)).outcome, "confirmed");
    assert.ok((await holders(dfns, permissionId)).includes(identityId));
    assert.equal((await grantor(at, "revoke_permission", change)).outcome, "confirmed");
    assert.ok(!(await holders(dfns, permissionId)).includes(identityId));
  });
}

/** A call of one tool at the same fake vendors. */
async function grantor(at, tool, input) {
  const policy = join(ROOT, "policies/examples/automation.cedar");
  const flags = ["--vendor", "dfns", "--state-dir", at.state, "--policy", policy];
  // A configuration of whoever runs this is none of it.
  const env = { PATH: process.env.PATH, HOME: WORK, ...at };
  const { stdout } = await promisify(execFile)(GRANTOR, [...flags, "call", tool, JSON.stringify(input)], { env });
  return JSON.parse(stdout);
}

for (const kind of Object.keys(KEYS)) {
  await step(`${kind}: the fake vendors came and went`, () =>
    vendors(kind, async (at) => {
      const dfns = new DfnsApiClient(options(at));
      if (kind === "Ed25519") {
        await looks(at, dfns);
        await groups(at, dfns);
        await approvals(dfns);
      }
      await signs(kind, at, dfns);
    }),
  );
}
