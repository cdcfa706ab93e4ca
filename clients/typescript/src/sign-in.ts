/** One sign-in that was begun (SMART App Launch, PKCE S256): send the browser to `url`, and keep the rest, in sessionStorage say. */
export interface SignIn {
  readonly url: string;
  readonly state: string;
  readonly verifier: string;
  readonly tokenUrl: string;
  readonly clientId: string;
  readonly redirectUri: string;
}

export interface TokenAnswer {
  readonly access_token: string;
  readonly expires_in: number;
  readonly scope: string;
  readonly patient?: string;
  readonly refresh_token?: string;
  readonly id_token?: string;
}

/** Begin a sign-in to the FHIR base `fhir`, whose addresses are discovered. */
export async function begin(fhir: string, clientId: string, redirectUri: string, scope: string): Promise<SignIn> {
  const answer = await fetch(`${fhir}/.well-known/smart-configuration`);
  if (!answer.ok) throw new Error(`${fhir} has no SMART configuration: ${answer.status}`);
  const found = (await answer.json()) as { authorization_endpoint: string; token_endpoint: string };
  const state = random();
  const verifier = random();
  const challenge = base64url(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier)));
  const query = new URLSearchParams({
    response_type: "code", client_id: clientId, redirect_uri: redirectUri, scope, aud: fhir, state,
    code_challenge: challenge, code_challenge_method: "S256",
  });
  return { url: `${found.authorization_endpoint}?${query}`, state, verifier, tokenUrl: found.token_endpoint, clientId, redirectUri };
}

/** The tokens for the address that the browser came back to. Throws for another sign-in's answer, and for a refusal. */
export async function finish(signIn: SignIn, cameBackTo: string): Promise<TokenAnswer> {
  const said = new URL(cameBackTo).searchParams;
  const code = said.get("code");
  if (said.get("state") !== signIn.state || code === null) {
    throw new Error(said.get("error_description") ?? said.get("error") ?? "another sign-in's answer");
  }
  const body = new URLSearchParams({
    grant_type: "authorization_code", code, redirect_uri: signIn.redirectUri, client_id: signIn.clientId, code_verifier: signIn.verifier,
  });
  const answer = await fetch(signIn.tokenUrl, { method: "POST", body });
  if (!answer.ok) throw new Error(`no token: ${await answer.text()}`);
  return (await answer.json()) as TokenAnswer;
}

function random(): string {
  return base64url(crypto.getRandomValues(new Uint8Array(48)).buffer);
}

export function base64url(bytes: ArrayBuffer): string {
  return btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}
