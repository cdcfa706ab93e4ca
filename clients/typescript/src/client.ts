import createClient, { type Client } from "openapi-fetch";

import type { components, paths } from "./schema.js";

export type RecoveryClient = Client<paths>;
export type Resource<Name extends keyof components["schemas"]> = components["schemas"][Name];

/** Typed calls to the FHIR base `fhir`; `token` gives the access token of each request. */
export function recoveryClient(fhir: string, token: () => string | Promise<string>): RecoveryClient {
  const client = createClient<paths>({ baseUrl: fhir });
  client.use({
    async onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${await token()}`);
      if (request.body && request.headers.get("Content-Type") === "application/json") {
        request.headers.set("Content-Type", "application/fhir+json");
      }
      return request;
    },
  });
  return client;
}
