import { base64url, type TokenAnswer } from "./sign-in.js";

/** A private key on the curve P-384 as a JWK with its `kid`, as the server knows it. */
export type BackendKey = JsonWebKey & { readonly kid: string };

const EARLY = 30_000; // milliseconds before a token ends at which a new one is asked for

/** Tokens for a system (SMART Backend Services, private_key_jwt with ES384); call the answer for one that holds. */
export function backend(tokenUrl: string, clientId: string, key: BackendKey, scope: string): () => Promise<string> {
  let kept: { token: string; until: number } | undefined;
  return async () => {
    if (!kept || Date.now() > kept.until - EARLY) {
      const body = new URLSearchParams({
        grant_type: "client_credentials", scope,
        client_assertion_type: "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        client_assertion: await assertion(tokenUrl, clientId, key),
      });
      const answer = await fetch(tokenUrl, { method: "POST", body });
      if (!answer.ok) throw new Error(`no token: ${await answer.text()}`);
      const said = (await answer.json()) as TokenAnswer;
      kept = { token: said.access_token, until: Date.now() + said.expires_in * 1000 };
    }
    return kept.token;
  };
}

async function assertion(tokenUrl: string, clientId: string, { kid, ...key }: BackendKey): Promise<string> {
  const now = Math.floor(Date.now() / 1000);
  const claims = { iss: clientId, sub: clientId, aud: tokenUrl, exp: now + 240, jti: crypto.randomUUID() };
  const signed = `${part({ alg: "ES384", typ: "JWT", kid })}.${part(claims)}`;
  const curve = { name: "ECDSA", namedCurve: "P-384" };
  const known = await crypto.subtle.importKey("jwk", key, curve, false, ["sign"]);
  const signature = await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-384" }, known, new TextEncoder().encode(signed));
  return `${signed}.${base64url(signature)}`;
}

function part(value: object): string {
  return base64url(new TextEncoder().encode(JSON.stringify(value)).buffer as ArrayBuffer);
}
