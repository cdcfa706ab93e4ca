// Medplum's client in FHIR-path mode: a case manager's board of tasks, and a message to a companion.
import { MedplumClient } from "@medplum/core";

const medplum = new MedplumClient({ baseUrl: new URL("/", process.env.FHIR).href, fhirUrlPath: "fhir", fetch, cacheTime: 0 });
medplum.setAccessToken(process.env.TOKEN_RUTH);
const patient = await medplum.readResource("Patient", "ana");
const tasks = await medplum.searchResources("Task", { patient: "Patient/ana", _count: 20 });
let pages = 0;
for await (const page of medplum.searchResourcePages("Observation", { subject: "Patient/ana", _count: 2 })) pages += Math.sign(page.length);
const goal = await medplum.createResource({
  resourceType: "Goal", lifecycleStatus: "proposed", description: { text: "A call on Sunday" }, subject: { reference: "Patient/ana" },
});
const patched = await medplum.patchResource("Goal", goal.id, [{ op: "replace", path: "/description/text", value: "A call" }]);
const versions = await medplum.readHistory("Goal", goal.id);
const one = await medplum.searchOne("Patient", { name: "Morales", _id: "ana" });
const everything = await medplum.readPatientEverything("ana");
const refused = await medplum.readResource("Patient", "nobody").catch((error) => error.outcome.issue[0].code);
console.log(JSON.stringify({
  name: patient.name[0].family, tasks: tasks.length > 0, pages: pages > 1, patched: patched.description.text,
  versions: versions.entry.length, one: one?.id, everything: everything.entry.length > 5, refused,
}));
