// recovery-api-client: a companion's app reads and writes with types, a backend signs in, and a sign-in keeps its state.
import { readFile } from "node:fs/promises";
import { backend, begin, finish, pages, recoveryClient } from "../../../clients/typescript/dist/index.js";

const { FHIR, ORIGIN, SYSTEM, TOKEN_MAYA } = process.env;
const maya = recoveryClient(FHIR, () => TOKEN_MAYA);
const { data: patient } = await maya.GET("/Patient/{id}", { params: { path: { id: "ana" } } });
const { data: first } = await maya.GET("/Observation", { params: { query: { patient: "ana", _count: 2 } } });
let count = 0;
for await (const page of pages(first, () => TOKEN_MAYA)) count += page.entry?.length ?? 0;
const goal = { resourceType: "Goal", lifecycleStatus: "proposed", description: { text: "Tea" }, subject: { reference: "Patient/ana" } };
const { response, error } = await maya.POST("/Goal", { body: goal });
const { error: refused } = await maya.GET("/Patient/{id}", { params: { path: { id: "nobody" } } });
const key = JSON.parse(await readFile(`${SYSTEM}.jwks`, "utf8")).keys[0];
const system = recoveryClient(FHIR, backend(`${ORIGIN}/oauth/token`, SYSTEM, key, "system/*.rs"));
const { data: notes } = await system.GET("/DocumentReference", { params: { query: { patient: "ana" } } });
const signIn = await begin(FHIR, "app", "http://127.0.0.1:9/back", "openid user/*.rs");
const other = await finish(signIn, "http://127.0.0.1:9/back?code=x&state=another").catch((reason) => reason.message);
console.log(JSON.stringify({
  family: patient.name[0].family, paged: count > 2, made: response.status, error, refused: refused.issue[0].code, notes: notes.total, other,
  challenge: new URL(signIn.url).searchParams.get("code_challenge_method"),
}));
