// fhirclient (SMART Health IT, JavaScript): the client's own app, with the patient that it was launched with.
import smart from "fhirclient";

const kept = new Map();
const storage = { get: async (key) => kept.get(key), set: async (key, value) => kept.set(key, value), unset: async (key) => kept.delete(key) };
const client = smart({ headers: {}, url: "/" }, {}, storage).client({
  serverUrl: process.env.FHIR,
  tokenResponse: { access_token: process.env.TOKEN_APP_ANA, patient: "ana" },
});
const patient = await client.patient.read();
const appointments = await client.patient.request("Appointment?_count=1", { pageLimit: 0, flat: true });
const goals = await client.request(`Goal?subject=${client.patient.id}`, { flat: true, resolveReferences: ["subject"] });
const made = await client.create({
  resourceType: "Goal", lifecycleStatus: "proposed", description: { text: "To sleep well" }, subject: { reference: "Patient/ana" },
});
const refused = await client.request("Patient/ben").catch((error) => error.status ?? error.statusCode);
console.log(JSON.stringify({
  name: patient.name[0].family, appointments: appointments.length, goals: goals.length, made: made.lifecycleStatus, refused,
}));
