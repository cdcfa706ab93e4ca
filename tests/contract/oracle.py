"""Who sees what, told a second time: plain Python over JSON, written from the design's tables and from nothing else.

Sources: world.md "Labels that the server adds", "Who sees what" and Decisions; domain.md 3.1 to 3.5, 4.1 (with the corrections under it)
and 4.2; interfaces.md "Roles and scopes". Imports nothing of the program under test. Who has a client is in `access`, what a client has
consented to in `consent`, how a resource is labelled in `labels`, what a served copy leaves out in `copies`; the choices that stand there
belong to these.

Choices where the pages leave one (interfaces.md before world.md before domain.md):

1.  Matrix cells "(own)" of a companion: Tasks that she owns or requested, ServiceRequests that she requested or performs,
    Communications that she sent or got, Appointments that she takes part in; and the client, where there is one, must be open to her
    now.
2.  A treatment-team caller sees a Task or ServiceRequest that she requested herself for a client who consents to it. What her
    organization requested is the referrer's: Patel sees nothing of Lakeside's referral.
3.  The client sees Communications about them (no EMP), ServiceRequests about them, Tasks that they own or requested.
4.  A referral is a Task with code `fulfill` (HL7) or `inquiry` (ours) whose owner is our organization, the token's. Other Tasks owned
    by the organization open nothing, or any outreach Task would open one of our own clients to every case manager; they are seen where
    they are about somebody who was referred (an escalation at intake).
5.  EMP opens to the case manager who is recipient of a supervision Communication too, or a companion's reply would have no reader.
6.  A counselling note is for its author, a case manager, while the client is open to that author; and, signed, for a clinician of the
    treatment team whom a permit that names PSYTHPN lets at it. Nobody else: not the EHR, not a relative, not the client.
7.  Grace opens DocumentReference, Binary and Encounter, and the Provenance of each, while the CareTeam is active; consent forms and
    counselling notes are not in it. CareTeam.period bounds membership as participant.period does. PractitionerRole.period and active
    bound supervision.
8.  A Provenance needs a visible target; where some target belongs to a client, one of those (else every Provenance that also names an
    Organization would be everybody's). Consent is asked about the target, not about the Provenance. A Binary is as its document.
9.  The client's notes need docStatus final or amended and an authenticator, as an external reader's do: final comes by co-sign alone.
10. Own basis (Decision 8): a Consent in force with a permit of now, at the root or below, that names the caller, its organization or its
    care team, limited or not, for whatever purpose; the client's Patient must be visible.
11. A RelatedPerson who is not a verified representative reads as an external reader does, without forms, Tasks and ServiceRequests.
12. The auditor reads a Binary whose securityContext is a consent form.
13. A case manager sees a Task without client when she owns or requested it; Tasks of clients who are not hers stay hidden even so, save an
    escalation that she owns (it has come to her because nobody below has answered), or of a person who was referred to her organization.
14. EMP that was raised by hand on something else leaves it to the case managers of the client (domain.md 4.2, rule 3: Decision 10 is
    about supervision); PSYTHPN, inside, to who wrote it, where it is a note, message or Observation that somebody writes, and to the
    clinician of 6. The auditor is not subject to labels: what they may read, they read to see that all is right.
15. A deny that names a case manager does not close what a referral opens to her: the clinic's copy is not yet a client.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime, tzinfo

from tests.callers import Caller
from tests.contract.access import Access
from tests.contract.content import (
    CHECK_IN,
    Resource,
    World,
    client_of,
    codes,
    consent_form,
    counselling_note,
    local,
    reference,
    references,
    supervision,
)
from tests.contract.copies import served
from tests.contract.matrix import DEFINITIONS, DIRECTORY, may

FINAL_OBSERVATION, FINAL_NOTE = {"final", "amended", "corrected"}, {"final", "amended"}
REFERRALS = {("http://hl7.org/fhir/CodeSystem/task-code", "fulfill"), local("task-code", "inquiry")}
EMERGENCY_REVIEW = local("task-code", "emergency-review")
WROTE = {"Communication": "sender", "Composition": "author", "DocumentReference": "author", "Observation": "performer"}
ESCALATION = local("task-code", "escalation")


class Oracle(Access):
    """Who sees what in a world at a moment. `creators` says who made which resource, as fhirUser or client id."""

    may = staticmethod(may)

    def __init__(self, world: World, now: datetime, zone: tzinfo = UTC, creators: Mapping[tuple[str, str], str] | None = None) -> None:
        super().__init__(world, now, zone)
        self.creators = creators or {}
        self._seen: dict[tuple[Caller, str], bool] = {}
        self._copies: dict[tuple[Caller, str], Resource] = {}
        self.rules: dict[str, Callable[[Caller, Resource], bool]] = {
            "Appointment": self._appointment, "Binary": self._binary, "CareTeam": self._care_team, "Communication": self._communication,
            "Composition": self._composition, "Consent": self._consent, "DocumentReference": self._document, "Encounter": self._encounter,
            "Group": self._group, "Observation": self._observation, "Patient": self._patient, "Provenance": self._provenance,
            "ServiceRequest": self._request, "Task": self._task,
        }  # fmt: skip

    def visible(self, caller: Caller) -> set[str]:
        """Everything that the caller sees, as `Type/id`."""
        return {f"{kind}/{id_}" for (kind, id_), each in self.world.items() if self.sees(caller, each)}

    def sees(self, caller: Caller, resource: Resource) -> bool:
        """Whether the caller may read the resource as it stands."""
        key = caller, f"{resource['resourceType']}/{resource['id']}"
        if key not in self._seen:
            self._seen[key] = self._judged(caller, resource)
        return self._seen[key]

    def copy(self, caller: Caller, resource: Resource) -> Resource:
        """What the caller gets to read of it, without `meta`; not to be changed."""
        key = caller, f"{resource['resourceType']}/{resource['id']}"
        if key not in self._copies:
            self._copies[key] = served(caller.role, resource, lambda target: self.reads(caller, target))
        return self._copies[key]

    def reads(self, caller: Caller, target: str) -> bool:
        """Whether `Type/id` is there for the caller to read."""
        found = self.relations.get(target)
        return found is not None and self.sees(caller, found)

    def _judged(self, caller: Caller, resource: Resource) -> bool:
        kind = resource["resourceType"]
        if not may(caller.role, kind, "read"):
            return False
        if kind in DIRECTORY or kind in DEFINITIONS or kind == "AuditEvent":
            return True
        if not self._cleared(caller, resource):
            return False
        return self.rules.get(kind, self.opened)(caller, resource)

    def _cleared(self, caller: Caller, resource: Resource) -> bool:
        """Whether labels that were raised by hand leave it to the caller; what has them by its kind has rules of its own."""
        labels, role, kind = self.labels.of(resource), caller.role, resource["resourceType"]
        if role == "auditor" or kind == "Binary":
            return True
        if kind == "Provenance":
            return not labels & {"EMP", "PSYTHPN"}
        if "EMP" in labels and not supervision(resource) and role in ("companion", "client"):
            return False
        if "PSYTHPN" in labels and not counselling_note(resource):
            written = self.means(caller, *_named(resource, WROTE.get(kind, "")))
            return role == "treatment-team" or (role in ("companion", "case-manager") and written)
        return True

    # the rules of single types ---------------------------------------------------------------------------------------
    def _patient(self, caller: Caller, patient: Resource) -> bool:
        client = client_of(patient)
        if self.opened(caller, patient):
            return True
        return caller.role == "case-manager" and any(reference(each.get("for")) == client for each in self._referrals(caller))

    def _referrals(self, caller: Caller) -> list[Resource]:
        return [each for each in self.relations.of("Task") if self._refers(caller, each)]

    def _about_referred(self, caller: Caller, task: Resource) -> bool:
        """A Task that our organization owns about somebody who was referred to it."""
        client = reference(task.get("for"))
        ours = reference(task.get("owner")) == f"Organization/{caller.organization}"
        return ours and client != "" and any(reference(each.get("for")) == client for each in self._referrals(caller))

    def _refers(self, caller: Caller, task: Resource) -> bool:
        owner = reference(task.get("owner"))
        return bool(codes(task.get("code")) & REFERRALS) and owner == f"Organization/{caller.organization}" and self.relations.ours(owner)

    def _care_team(self, caller: Caller, team: Resource) -> bool:
        return caller.role == "admin" or self.opened(caller, team)

    def _encounter(self, caller: Caller, encounter: Resource) -> bool:
        if self.outside(caller) and encounter.get("status") != "finished":
            return False
        mine = references([each.get("individual", {}) for each in encounter.get("participant", [])])
        return self.opened(caller, encounter) or (self.means(caller, *mine) and self.kept_by(caller, encounter))

    def _observation(self, caller: Caller, observation: Resource) -> bool:
        if supervision(observation):
            concerned = references(observation.get("focus"))
            return self.employs(caller, concerned=concerned, acting=references(observation.get("performer")))
        if (self.outside(caller) or caller.role == "client") and observation.get("status") not in FINAL_OBSERVATION:
            return False
        return self.opened(caller, observation)

    def _document(self, caller: Caller, document: Resource) -> bool:
        opened, outside = self.opened(caller, document), caller.role == "client" or self.outside(caller)
        written = self.means(caller, *references(document.get("author")))
        released = document.get("docStatus") in FINAL_NOTE and "authenticator" in document
        if consent_form(document):
            return caller.role == "auditor" or (opened and not self.outside(caller))
        if counselling_note(document):
            return opened and _kept_apart(caller, written=written, released=released)
        if outside and not released:
            return False
        return opened or (written and self.kept_by(caller, document))

    def _composition(self, caller: Caller, composition: Resource) -> bool:
        released = composition.get("status") in FINAL_NOTE
        if counselling_note(composition):
            written = self.means(caller, *references(composition.get("author")))
            return self.opened(caller, composition) and _kept_apart(caller, written=written, released=released)
        return self.opened(caller, composition) and (released or not (caller.role == "client" or self.outside(caller)))

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
        if caller.role == "auditor":
            return True
        if not self.outside(caller):
            return self.opened(caller, consent)
        return self.has_client(caller, client_of(consent)) and self.consents.based_on(caller, consent)

    def _group(self, caller: Caller, group: Resource) -> bool:
        managed = reference(group.get("managingEntity")) == f"Organization/{caller.organization}"
        return caller.role == "case-manager" or (caller.role == "ehr" and managed)

    def _task(self, caller: Caller, task: Resource) -> bool:
        code, client = codes(task.get("code")), client_of(task)
        owner, requester, focus = (reference(task.get(each)) for each in ("owner", "requester", "focus"))
        if supervision(task):
            herself = CHECK_IN in code and caller.role == "companion" and self.relations.person(focus) == caller.fhir_user
            return herself or self.employs(caller, concerned={focus}, acting={owner})
        mine = self.means(caller, owner, requester)
        return {
            "companion": lambda: mine and (not client or self.opened(caller, task)),
            "case-manager": lambda: (
                self.opened(caller, task)
                or self._refers(caller, task)
                or self._about_referred(caller, task)
                or (mine and not client)
                or (ESCALATION in code and self._escalated(caller, task))
            ),
            "treatment-team": lambda: self.means(caller, requester) and self.opened(caller, task),
            "client": lambda: (
                not self.outside(caller) and (mine or self._client_is(caller, owner, requester)) and self.opened(caller, task)
            ),
            "referrer": lambda: self._of_organization(caller, requester),
            "auditor": lambda: EMERGENCY_REVIEW in code,
        }[caller.role]()

    def _escalated(self, caller: Caller, task: Resource) -> bool:
        """Whether an escalation may be read by a case manager whose client it is not: she owns it, or the person was referred to her
        organization."""
        if "EMP" in self.labels.of(task):
            return False
        owned = self.means(caller, reference(task.get("owner"))) and not self.consents.closes(caller, task)
        return owned or any(reference(each.get("for")) == client_of(task) for each in self._referrals(caller))

    def _request(self, caller: Caller, request: Resource) -> bool:
        requester = reference(request.get("requester"))
        target = f"ServiceRequest/{request['id']}"
        return {
            "companion": lambda: self.means(caller, requester, *references(request.get("performer"))) and self.opened(caller, request),
            "case-manager": lambda: (
                self.opened(caller, request) or any(reference(each.get("focus")) == target for each in self._referrals(caller))
            ),
            "treatment-team": lambda: self.means(caller, requester) and self.opened(caller, request),
            "client": lambda: not self.outside(caller) and self.opened(caller, request),
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
        mine = self.means(caller, sender, *recipients)
        if supervision(message):
            if caller.role == "companion":
                return mine or self.means(caller, *about)
            return self.employs(caller, concerned=recipients | about, acting={sender} | recipients)
        opened = self.opened(caller, message)
        if caller.role == "case-manager":
            return opened or (mine and not client)
        if caller.role == "client" and not self.outside(caller):
            return opened
        return mine and (opened or (not client and caller.role == "companion"))

    def _appointment(self, caller: Caller, appointment: Resource) -> bool:
        client = client_of(appointment)
        mine = self.means(caller, *references([each.get("actor", {}) for each in appointment.get("participant", [])]))
        opened = self.opened(caller, appointment)
        if caller.role == "companion":
            return mine and (opened or not client)
        return opened or (caller.role == "case-manager" and mine and not client)


def _kept_apart(caller: Caller, *, written: bool, released: bool) -> bool:
    """A counselling note that consent does not close: for who wrote it, and for the clinician whom a consent of its own names."""
    return (caller.role == "case-manager" and written) or (caller.role == "treatment-team" and released)


def _named(resource: Resource, name: str) -> set[str]:
    """Whom a member names, which is single in one type and many in another."""
    value = resource.get(name, [])
    listed = value if isinstance(value, list) else [value]
    return references([each.get("actor", each) for each in listed])
