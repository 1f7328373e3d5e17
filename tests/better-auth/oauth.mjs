// Better Auth as an OAuth 2.1 provider, and a client of it that goes through the flows as one in
// the world does, so that each token is one that a real client could send to an API.

import { createHash, randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { oauthProvider } from "@better-auth/oauth-provider";
import { calculateJwkThumbprint, exportJWK, generateKeyPair, SignJWT } from "jose";

// Resources are told to the provider when a test names one, so the plugin needs none here.
export function oauthPlugin() {
  return oauthProvider({
    loginPage: "/sign-in",
    consentPage: "/consent",
    scopes: ["openid", "profile", "email", "offline_access", "tasks:read", "tasks:write"],
    // Who may set up clients: whoever is signed in.
    clientPrivileges: () => true,
    silenceWarnings: { oauthAuthServerConfig: true, openidConfig: true },
  });
}

// Those that the provider was told of. There is one provider in a process.
const resources = new Set();

// Signs a user up, has a client get every kind of token, and signs the user out again.
export async function oauthTokens(auth, url, { resource }) {
  const redirectUri = "https://client.example/callback";
  const cookie = await signUp(url);
  const headers = new Headers({ cookie });
  if (!resources.has(resource)) {
    await auth.api.adminCreateOAuthResource({ headers, body: { identifier: resource } });
    resources.add(resource);
  }
  const client = await auth.api.adminCreateOAuthClient({
    headers,
    body: {
      redirect_uris: [redirectUri],
      grant_types: ["authorization_code", "refresh_token", "client_credentials"],
      scope: "openid profile email offline_access tasks:read tasks:write",
      client_credentials_scopes: ["tasks:read"],
      token_endpoint_auth_method: "client_secret_post",
      skip_consent: true,
      enable_end_session: true,
    },
  });
  await auth.api.adminLinkClientResource({
    headers,
    params: { identifier: resource, client_id: client.client_id },
  });
  const { received: logout } = await logoutReceiver(auth, client);

  const credentials = { client_id: client.client_id, client_secret: client.client_secret };
  const code = async (extra) => {
    const verifier = randomBytes(32).toString("base64url");
    const query = new URLSearchParams({
      response_type: "code",
      client_id: client.client_id,
      redirect_uri: redirectUri,
      scope: "openid profile email offline_access",
      state: randomUUID(),
      nonce: randomUUID(),
      code_challenge: createHash("sha256").update(verifier).digest("base64url"),
      code_challenge_method: "S256",
      ...extra,
    });
    const answer = await fetch(`${url}/api/auth/oauth2/authorize?${query}`, {
      headers: { cookie },
      redirect: "manual",
    });
    const location = answer.headers.get("location") ?? (await answer.json()).url;
    const code = new URL(location).searchParams.get("code");
    if (!code) throw new Error(`no code in ${location}`);
    return {
      grant_type: "authorization_code",
      code,
      redirect_uri: redirectUri,
      code_verifier: verifier,
    };
  };
  const token = async (body, headers = {}) => {
    const answer = await fetch(`${url}/api/auth/oauth2/token`, {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded", ...headers },
      body: new URLSearchParams({ ...body, ...credentials }),
    });
    if (!answer.ok) throw new Error(`${answer.status} ${await answer.text()}`);
    return answer.json();
  };

  const user = await token({ ...(await code({ resource })), resource });
  const opaque = await token(await code({}));
  const bound = await token(
    { ...(await code({ resource })), resource },
    { dpop: await dpopProof(`${url}/api/auth/oauth2/token`) },
  );
  const withScope = async (scope) => {
    const granted = await token({ ...(await code({ resource, scope })), resource });
    return granted.access_token;
  };
  const read = await withScope("openid tasks:read");
  const write = await withScope("tasks:write");
  const session = await fetch(`${url}/api/auth/token`, { headers: { cookie } });
  const { token: userToken } = await session.json();
  const own = await token({ grant_type: "client_credentials", scope: "tasks:read", resource });
  const signedOut = await fetch(`${url}/api/auth/sign-out`, {
    method: "POST",
    headers: { cookie, origin: url, "content-type": "application/json" },
    body: "{}",
  });
  if (!signedOut.ok) throw new Error(`sign-out: ${signedOut.status}`);
  return {
    clientId: client.client_id,
    userToken,
    readToken: read,
    writeToken: write,
    accessToken: user.access_token,
    idToken: user.id_token,
    refreshToken: user.refresh_token,
    opaqueAccessToken: opaque.access_token,
    dpopAccessToken: bound.access_token,
    dpopTokenType: bound.token_type,
    dpopProof: await dpopProof(resource),
    clientAccessToken: own.access_token,
    logoutToken: await logout,
  };
}

async function signUp(url) {
  const answer = await fetch(`${url}/api/auth/sign-up/email`, {
    method: "POST",
    headers: { origin: url, "content-type": "application/json" },
    body: JSON.stringify({
      name: "Grace Hopper",
      email: `${randomUUID()}@example.com`,
      password: "correct horse battery",
    }),
  });
  if (!answer.ok) throw new Error(`sign-up: ${answer.status} ${await answer.text()}`);
  return answer.headers
    .getSetCookie()
    .map((line) => line.split(";")[0])
    .join("; ");
}

// RFC 9449 section 4.2.
async function dpopProof(uri) {
  const { privateKey, publicKey } = await generateKeyPair("ES256");
  const jwk = await exportJWK(publicKey);
  return new SignJWT({ htm: "POST", htu: uri, jti: await calculateJwkThumbprint(jwk) })
    .setProtectedHeader({ typ: "dpop+jwt", alg: "ES256", jwk })
    .setIssuedAt()
    .sign(privateKey);
}

// Where the provider sends a logout token (OpenID Connect Back-Channel Logout 1.0). It registers
// public https URLs only, as it should, so that this one is written to its database.
async function logoutReceiver(auth, client) {
  const receiver = createServer();
  receiver.listen(0, "127.0.0.1");
  await once(receiver, "listening");
  const { adapter } = await auth.$context;
  await adapter.update({
    model: "oauthClient",
    where: [{ field: "clientId", value: client.client_id }],
    update: { backchannelLogoutUri: `http://127.0.0.1:${receiver.address().port}/logout` },
  });
  const received = new Promise((resolve) => {
    receiver.once("request", async (request, response) => {
      const form = new URLSearchParams(await text(request));
      response.writeHead(204).end();
      receiver.close();
      resolve(form.get("logout_token"));
    });
  });
  // In an object: to await a promise of a promise is to await both.
  return { received };
}
