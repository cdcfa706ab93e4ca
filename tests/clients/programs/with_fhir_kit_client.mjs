// fhir-kit-client: a clinic's system sends a referral in one transaction, finds it and follows its task.
import { Client } from "fhir-kit-client";
import { readFile } from "node:fs/promises";

const client = new Client({ baseUrl: process.env.FHIR, bearerToken: process.env.TOKEN_SYS_LAKESIDE });
const { tokenUrl } = await client.smartAuthMetadata();
const statement = await client.capabilityStatement();
const referral = JSON.parse((await readFile(process.env.REFERRAL, "utf8")).replaceAll("LS-881", "LS-kit"));
const answer = await client.transaction({ body: referral });
const found = await client.resourceSearch({ resourceType: "ServiceRequest", searchParams: { identifier: "https://lakeside.example/sr|LS-kit" } });
const request = found.entry[0].resource;
const tasks = await client.search({ resourceType: "Task", searchParams: { focus: `ServiceRequest/${request.id}`, _count: 1 } });
const task = await client.read({ resourceType: "Task", id: tasks.entry[0].resource.id });
const history = await client.resourceHistory({ resourceType: "Task", id: task.id });
const all = await client.resourceSearch({ resourceType: "CodeSystem", searchParams: { _count: 2 } });
const next = await client.nextPage({ bundle: all });
const valid = await client.operation({ name: "$validate", resourceType: "ServiceRequest", method: "POST", input: request });
const refused = await client.read({ resourceType: "Patient", id: "ana" }).catch((error) => error.response.status);
console.log(JSON.stringify({
  fhir: statement.fhirVersion, token: tokenUrl.pathname, created: answer.entry.map((entry) => entry.response.status),
  status: task.status, versions: history.total, next: next.entry.length, valid: valid.resourceType, refused,
}));
