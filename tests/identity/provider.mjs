// A real identity provider on this machine, with keys that are put in and taken away: what an administrator sets up,
// and no more. Whoever gives their name at its log-in page is them.

import http from "node:http";
import { generateKeyPairSync } from "node:crypto";

export const READ = "grantor:read";
export const CHANGE = "grantor:change";
const GROUPS = { ada: ["admins", "staff"], grace: ["staff"] };

export const newKey = (kid) => ({
  ...generateKeyPairSync("rsa", { modulusLength: 2048 }).privateKey.export({ format: "jwk" }),
  kid,
  alg: "RS256",
  use: "sig",
});

/** The provider, whose state outlives that it is stopped and begun again with other keys. */
export class IdentityProvider {
  kept = new Map();

  constructor(Provider, port, resources) {
    Object.assign(this, { Provider, port, resources, issuer: `http://127.0.0.1:${port}` });
  }

  async start(keys) {
    const { resources, kept } = this;
    class Kept {
      constructor(kind) {
        this.kind = kind;
      }
      key = (id) => `${this.kind} ${id}`;
      upsert = async (id, payload) => void kept.set(this.key(id), payload);
      find = async (id) => kept.get(this.key(id));
      findByUid = async (uid) => [...kept.values()].find((one) => one.uid === uid);
      findByUserCode = async () => undefined;
      consume = async (id) => void (kept.get(this.key(id)).consumed = 1);
      destroy = async (id) => void kept.delete(this.key(id));
      revokeByGrantId = async () => {};
    }
    const program = (client_id) => ({
      client_id,
      client_secret: `${client_id}-secret`,
      grant_types: ["client_credentials"],
      response_types: [],
      redirect_uris: [],
    });
    this.provider = new this.Provider(this.issuer, {
      adapter: Kept,
      jwks: { keys },
      clients: [program("pipeline")],
      cookies: { keys: ["on this machine alone"] },
      scopes: ["openid", READ, CHANGE],
      features: {
        registration: { enabled: true },
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          defaultResource: () => undefined,
          useGrantedResource: () => true,
          getResourceServerInfo: (_, resource) => {
            if (!resources.includes(resource)) throw new Error(`unknown: ${resource}`);
            return { scope: `${READ} ${CHANGE}`, accessTokenFormat: "jwt", jwt: { sign: { alg: "RS256" } } };
          },
        },
      },
      extraTokenClaims: (_, token) => (token.accountId ? { groups: GROUPS[token.accountId] ?? [] } : {}),
      findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, groups: GROUPS[id] ?? [] }) }),
      pkce: { required: () => true },
    });
    this.server = http.createServer(this.provider.callback());
    // Whoever asks again after it was stopped finds the next one.
    this.server.maxRequestsPerSocket = 1;
    await new Promise((resolve) => this.server.listen(this.port, "127.0.0.1", resolve));
  }

  async stop() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }

  /** What a person's browser does with a link to the provider: they log in, and agree. Gives where it leads. */
  async browse(url, name, until) {
    const jar = new Map();
    const go = async (to, form) => {
      const cookie = [...jar].map(([key, value]) => `${key}=${value}`).join("; ");
      const options = { redirect: "manual", headers: { cookie } };
      const answer = await fetch(to, form ? { ...options, method: "POST", body: new URLSearchParams(form) } : options);
      for (const line of answer.headers.getSetCookie()) {
        const [, key, value] = line.match(/^([^=]+)=([^;]*)/);
        if (value) jar.set(key, value);
        else jar.delete(key);
      }
      return answer;
    };
    let [at, form] = [url, undefined];
    for (let hops = 0; hops < 20; hops += 1) {
      const answer = await go(at, form);
      const next = answer.headers.get("location");
      form = undefined;
      if (next) {
        at = new URL(next, at).href;
        if (at.startsWith(until)) return new URL(at);
        continue;
      }
      const page = await answer.text();
      const prompt = page.match(/name="prompt" value="(\w+)"/)?.[1];
      if (!prompt) throw new Error(`${answer.status} at ${at}: ${page.slice(0, 300)}`);
      at = new URL(page.match(/action="([^"]+)"/)[1], at).href;
      form = prompt === "login" ? { prompt, login: name, password: "any" } : { prompt };
    }
    throw new Error("it leads nowhere");
  }

  /** A token for a program in its own name. */
  async forProgram(client, resource, scope) {
    const answer = await fetch(`${this.issuer}/token`, {
      method: "POST",
      headers: { authorization: `Basic ${btoa(`${client}:${client}-secret`)}` },
      body: new URLSearchParams({ grant_type: "client_credentials", ...(resource && { resource }), scope }),
    });
    const body = await answer.json();
    if (!answer.ok) throw new Error(JSON.stringify(body));
    return body.access_token;
  }
}
