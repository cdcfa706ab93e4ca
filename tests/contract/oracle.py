"""Who sees what, told a second time: plain Python over JSON, written from the design's tables and from nothing else.

Sources: world.md "Who sees what" and Decisions; domain.md 4.1 (with the corrections under it) and 4.2; interfaces.md "Roles
and scopes"; consent by the first half of issue 2: only a plain permit opens, any deny closes. Imports nothing of the program under test.

Choices where the pages leave one (interfaces.md before world.md before domain.md):

1.  Matrix cells "(own)" of a companion: Tasks that she owns or requested, ServiceRequests that she requested or performs,
    Communications that she sent or got, Appointments that she takes part in; and the client, where there is one, must be open to her
    now.
2.  A treatment-team caller sees a Task or ServiceRequest that she requested herself for an open client. What her organization requested
    is the referrer's: Patel sees nothing of Lakeside's referral.
3.  The client sees Communications about them (no EMP), ServiceRequests about them, Tasks that they own or requested.
4.  A referral is a Task with code `fulfill` (HL7) or `inquiry` (ours) whose owner is our organization, the token's. Other Tasks owned
    by the organization open nothing, or any outreach Task would open one of our own clients to every case manager.
5.  EMP opens to the case manager who is recipient of a supervision Communication too, or a companion's reply would have no reader.
6.  A counselling note is for its author while the client is open to that author.
7.  Grace opens DocumentReference, Binary and Encounter, and the Provenance of each, while the CareTeam is active; consent forms and
    counselling notes are not in it. CareTeam.period bounds membership as participant.period does. PractitionerRole.period and active
    bound supervision.
8.  A Provenance needs a visible target; where some target belongs to a client, one of those (else every Provenance that also names an
    Organization would be everybody's).
9.  The client's notes need docStatus final or amended and an authenticator, as an external reader's do: final comes by co-sign alone.
10. Own basis (Decision 8): an active permit in its period that names the caller, its organization or its care team, limited or not; the
    client must be open.
11. A deny is in force with its Consent's root period; nested periods, purposes and labels do not soften it. It closes the client also
    to internal staff where it names them. A deny without actors closes the client to external readers, not to the care team.
12. A RelatedPerson whom a plain permit names and who is not a verified representative reads as an external reader does, without
    forms, Tasks and ServiceRequests.
13. Provision.data limits like class and code do. Action and Consent.scope do not limit yet.
14. The auditor reads a Binary whose securityContext is a consent form.
15. A case manager sees a Task without client when she owns or requested it; Tasks of clients who are not hers stay hidden even so.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo

from tests.callers import Caller
from tests.contract.content import Resource, World, client_of, codes, extension, local, reference, references
from tests.contract.matrix import DEFINITIONS, DIRECTORY, may
from tests.contract.relations import CASE_MANAGER, COMPANION, Relations

FINAL_OBSERVATION, FINAL_NOTE = {"final", "amended", "corrected"}, {"final", "amended"}
REFERRALS = {("http://hl7.org/fhir/CodeSystem/task-code", "fulfill"), local("task-code", "inquiry")}
BOUNDARY_EVENTS = {local("companion-observation", "boundary-event"), local("task-code", "boundary-event")}
CHECK_IN, EMERGENCY_REVIEW = local("task-code", "supervision-check-in"), local("task-code", "emergency-review")
REPRESENTS = {("http://terminology.hl7.org/CodeSystem/v3-RoleCode", code) for code in ("GUARD", "HPOWATT")}


class Oracle:
    """Who sees what in a world at a moment. `creators` says who made which resource, as fhirUser or client id."""

    may = staticmethod(may)

    def __init__(self, world: World, now: datetime, zone: tzinfo = UTC, creators: Mapping[tuple[str, str], str] | None = None) -> None:
        self.world, self.relations, self.creators = world, Relations(world, now, zone), creators or {}
        self._opened: dict[tuple[Caller, str], bool] = {}
        self.rules: dict[str, Callable[[Caller, Resource], bool]] = {
            "Composition": self._composition,
            "Appointment": self._appointment, "Binary": self._binary, "CareTeam": self._care_team, "Communication": self._communication,
            "Consent": self._consent, "DocumentReference": self._document, "Encounter": self._encounter, "Group": self._group,
            "Observation": self._observation, "Patient": self._patient, "Provenance": self._provenance,
            "ServiceRequest": self._request, "Task": self._task,
        }  # fmt: skip

    def visible(self, caller: Caller) -> set[str]:
        """Everything that the caller sees, as `Type/id`."""
        return {f"{kind}/{id_}" for (kind, id_), each in self.world.items() if self.sees(caller, each)}

    def sees(self, caller: Caller, resource: Resource) -> bool:
        """Whether the caller may read the resource as it stands."""
        kind = resource["resourceType"]
        if not may(caller.role, kind, "read"):
            return False
        if kind in DIRECTORY or kind in DEFINITIONS or kind == "AuditEvent":
            return True
        rule = self.rules.get(kind)
        return rule(caller, resource) if rule else self.opened(caller, client_of(resource))

    # who opens which client ------------------------------------------------------------------------------------------
    def outside(self, caller: Caller) -> bool:
        return caller.role in ("treatment-team", "ehr") or (caller.role == "client" and not self._as_client(caller))

    def opened(self, caller: Caller, client: str) -> bool:
        """Whether the caller has a relationship to the client now, and no deny stands against it."""
        if (caller, client) not in self._opened:
            denied = not client or self.relations.denied(caller, client, external=self.outside(caller))
            self._opened[caller, client] = not denied and self._related(caller, client)
        return self._opened[caller, client]

    def _related(self, caller: Caller, client: str) -> bool:
        if caller.role == "companion":
            return caller.fhir_user in self.relations.inside(client, COMPANION)
        if caller.role == "case-manager":
            return self._manages(caller, client)
        if caller.role == "treatment-team":
            return self.relations.treats(caller, client) and self.relations.permitted(caller, client)
        if caller.role == "ehr":
            return self.relations.permitted(caller, client)
        if caller.role == "client":
            return client == f"Patient/{caller.patient}" and (self._as_client(caller) or self.relations.permitted(caller, client))
        return False

    def _manages(self, caller: Caller, client: str) -> bool:
        if caller.fhir_user in self.relations.inside(client, CASE_MANAGER):
            return True
        return any(self.relations.supervises(caller, each) for each in self.relations.inside(client, COMPANION))

    def _as_client(self, caller: Caller) -> bool:
        if caller.fhir_user == f"Patient/{caller.patient}":
            return True
        related = self.relations.get(caller.fhir_user or "")
        return (
            related is not None
            and related["resourceType"] == "RelatedPerson"
            and reference(related.get("patient")) == f"Patient/{caller.patient}"
            and related.get("active") is not False
            and self.relations.current(related.get("period"))
            and bool(codes(*related.get("relationship", [])) & REPRESENTS)
            and any(each.get("valueBoolean") is True for each in extension(related, "verified-representative"))
        )

    def _kept_by(self, caller: Caller, resource: Resource) -> bool:
        """Whether a companion who has just left the client's team keeps this for a while."""
        client = client_of(resource)
        return (
            caller.role == "companion"
            and not self.relations.denied(caller, client, external=False)
            and self.relations.in_grace(caller, client)
        )

    def _is(self, caller: Caller, *targets: str) -> bool:
        return bool(self.relations.selves(caller) & set(targets))

    # the rules of single types ---------------------------------------------------------------------------------------
    def _patient(self, caller: Caller, patient: Resource) -> bool:
        client = client_of(patient)
        if self.opened(caller, client):
            return True
        return caller.role == "case-manager" and any(reference(each.get("for")) == client for each in self._referrals(caller))

    def _referrals(self, caller: Caller) -> list[Resource]:
        return [each for each in self.relations.of("Task") if self._refers(caller, each)]

    def _refers(self, caller: Caller, task: Resource) -> bool:
        owner = reference(task.get("owner"))
        return bool(codes(task.get("code")) & REFERRALS) and owner == f"Organization/{caller.organization}" and self.relations.ours(owner)

    def _care_team(self, caller: Caller, team: Resource) -> bool:
        return caller.role == "admin" or self.opened(caller, client_of(team))

    def _encounter(self, caller: Caller, encounter: Resource) -> bool:
        if self.outside(caller) and encounter.get("status") != "finished":
            return False
        mine = references([each.get("individual", {}) for each in encounter.get("participant", [])])
        return self.opened(caller, client_of(encounter)) or (self._is(caller, *mine) and self._kept_by(caller, encounter))

    def _observation(self, caller: Caller, observation: Resource) -> bool:
        if codes(observation.get("code")) & BOUNDARY_EVENTS:
            concerned = references(observation.get("focus"))
            return self._employment(caller, concerned=concerned, acting=references(observation.get("performer")))
        if (self.outside(caller) or caller.role == "client") and observation.get("status") not in FINAL_OBSERVATION:
            return False
        return self.opened(caller, client_of(observation))

    def _employment(self, caller: Caller, *, concerned: set[str], acting: set[str]) -> bool:
        """EMP, for a case manager: who acted, or who now supervises whom it concerns."""
        if caller.role != "case-manager":
            return False
        return self._is(caller, *acting) or any(self.relations.supervises(caller, self.relations.person(each)) for each in concerned)

    def _document(self, caller: Caller, document: Resource) -> bool:
        opened, outside = self.opened(caller, client_of(document)), caller.role == "client" or self.outside(caller)
        written = self._is(caller, *references(document.get("author")))
        if local("document-category", "consent-form") in codes(*document.get("category", [])):
            return caller.role == "auditor" or (opened and not self.outside(caller))
        if local("note-type", "counseling-note") in codes(document.get("type"), *document.get("category", [])):
            return caller.role == "case-manager" and opened and written
        if outside and not (document.get("docStatus") in FINAL_NOTE and "authenticator" in document):
            return False
        return opened or (written and self._kept_by(caller, document))

    def _composition(self, caller: Caller, composition: Resource) -> bool:
        opened = self.opened(caller, client_of(composition))
        if local("note-type", "counseling-note") in codes(composition.get("type")):
            return caller.role == "case-manager" and opened and self._is(caller, *references(composition.get("author")))
        final = composition.get("status") in FINAL_NOTE
        return opened and (final or not (caller.role == "client" or self.outside(caller)))

    def _binary(self, caller: Caller, binary: Resource) -> bool:
        context = reference(binary.get("securityContext"))
        if not context:
            maker = self.creators.get(("Binary", binary["id"]))
            return maker is not None and maker in (caller.fhir_user, caller.client_id)
        target = self.relations.get(context)
        return target is not None and self.sees(caller, target)

    def _provenance(self, caller: Caller, provenance: Resource) -> bool:
        if caller.role == "auditor":
            return True
        targets = [each for each in map(self.relations.get, references(provenance.get("target"))) if each]
        of_clients = [each for each in targets if self._client(each)]
        return any(self.sees(caller, each) for each in (of_clients or targets))

    def _client(self, target: Resource) -> str:
        """The client of a target of a Provenance; of a Binary, that of its document."""
        document = self.relations.get(reference(target.get("securityContext"))) if target["resourceType"] == "Binary" else None
        return client_of(document or target)

    def _consent(self, caller: Caller, consent: Resource) -> bool:
        client = client_of(consent)
        if caller.role == "auditor":
            return True
        if not self.outside(caller):
            return self.opened(caller, client)
        basis = [
            provision
            for each, provision in self.relations.consents(client)
            if each["id"] == consent["id"] and provision.get("type") == "permit" and self.relations.names(provision, caller, client)
        ]
        return bool(basis) and self.opened(caller, client)

    def _group(self, caller: Caller, group: Resource) -> bool:
        managed = reference(group.get("managingEntity")) == f"Organization/{caller.organization}"
        return caller.role == "case-manager" or (caller.role == "ehr" and managed)

    def _task(self, caller: Caller, task: Resource) -> bool:
        code, client = codes(task.get("code")), client_of(task)
        owner, requester, focus = (reference(task.get(each)) for each in ("owner", "requester", "focus"))
        if CHECK_IN in code or code & BOUNDARY_EVENTS:
            herself = CHECK_IN in code and caller.role == "companion" and self.relations.person(focus) == caller.fhir_user
            return herself or self._employment(caller, concerned={focus}, acting={owner})
        mine = self._is(caller, owner, requester)
        return {
            "companion": lambda: mine and (not client or self.opened(caller, client)),
            "case-manager": lambda: self.opened(caller, client) or self._refers(caller, task) or (mine and not client),
            "treatment-team": lambda: self._is(caller, requester) and self.opened(caller, client),
            "client": lambda: (
                not self.outside(caller) and (mine or self._client_is(caller, owner, requester)) and self.opened(caller, client)
            ),
            "referrer": lambda: self._of_organization(caller, requester),
            "auditor": lambda: EMERGENCY_REVIEW in code,
        }[caller.role]()

    def _request(self, caller: Caller, request: Resource) -> bool:
        client, requester = client_of(request), reference(request.get("requester"))
        target = f"ServiceRequest/{request['id']}"
        return {
            "companion": lambda: self._is(caller, requester, *references(request.get("performer"))) and self.opened(caller, client),
            "case-manager": lambda: (
                self.opened(caller, client) or any(reference(each.get("focus")) == target for each in self._referrals(caller))
            ),
            "treatment-team": lambda: self._is(caller, requester) and self.opened(caller, client),
            "client": lambda: not self.outside(caller) and self.opened(caller, client),
            "referrer": lambda: self._of_organization(caller, requester),
        }[caller.role]()

    def _client_is(self, caller: Caller, *targets: str) -> bool:
        return f"Patient/{caller.patient}" in targets

    def _of_organization(self, caller: Caller, requester: str) -> bool:
        organization = f"Organization/{caller.organization}"
        role = self.relations.get(requester) if requester.startswith("PractitionerRole/") else None
        return requester == organization or (role is not None and reference(role.get("organization")) == organization)

    def _communication(self, caller: Caller, message: Resource) -> bool:
        client, sender = client_of(message), reference(message.get("sender"))
        recipients, about = references(message.get("recipient")), references(message.get("about"))
        mine = self._is(caller, sender, *recipients)
        if local("communication-category", "supervision") in codes(*message.get("category", [])):
            if caller.role == "companion":
                return mine or self._is(caller, *about)
            return self._employment(caller, concerned=recipients | about, acting={sender} | recipients)
        opened = self.opened(caller, client)
        if caller.role == "case-manager":
            return opened or (mine and not client)
        if caller.role == "client" and not self.outside(caller):
            return opened
        return mine and (opened or (not client and caller.role == "companion"))

    def _appointment(self, caller: Caller, appointment: Resource) -> bool:
        client = client_of(appointment)
        mine = self._is(caller, *references([each.get("actor", {}) for each in appointment.get("participant", [])]))
        opened = self.opened(caller, client)
        if caller.role == "companion":
            return mine and (opened or not client)
        return opened or (caller.role == "case-manager" and mine and not client)
