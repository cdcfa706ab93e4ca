"""The relations that a resource's content states: who may be whose companion, case manager, supervisor, recipient, and when.

A pure projection; the store keeps it in the write's own transaction and derives supervision from it. Sources: world.md,
"Who is who", decisions 8, 9, 12, 20, 21.
"""
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import MappingProxyType
from zoneinfo import ZoneInfo

from recovery_api.domain.codes import CANON
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.paths import has_coding, references_at
from recovery_api.policy.consent import consent_rules
from recovery_api.policy.periods import interval, within
from recovery_api.store.records import NEVER, Relation

COMPANION = ("http://nucc.org/provider-taxonomy", "175T00000X")
CASE_MANAGER = ("http://nucc.org/provider-taxonomy", "171M00000X")
REFERRALS = (("http://hl7.org/fhir/CodeSystem/task-code", "fulfill"), (f"{CANON}/CodeSystem/task-code", "inquiry"))
ROLE_CODE = "http://terminology.hl7.org/CodeSystem/v3-RoleCode"
REPRESENTATIVES = ("GUARD", "HPOWATT")

def _first(resource: JsonObject, path: str) -> str:
    return next(references_at(resource, path), "")


def _client_of(resource: JsonObject, path: str) -> str:
    reference = _first(resource, path)
    return reference.removeprefix("Patient/") if reference.startswith("Patient/") else ""


def _care_team(team: JsonObject, zone: ZoneInfo) -> Iterator[Relation]:
    client = _client_of(team, "subject")
    if team.get("status") not in {"active", "inactive"} or not client:
        return
    for participant in team.get("participant", ()):
        holder = _first(participant, "member")
        starts, ends = within(interval(team.get("period"), zone), interval(participant.get("period"), zone))
        if team["status"] == "inactive":
            if "companion" in _team_kinds(participant, holder) and ends != NEVER:
                yield Relation("former-companion", holder, client, _first(participant, "onBehalfOf"), "", starts, ends)
            continue
        yield Relation("on-team", holder, f"CareTeam/{team['id']}", "", "", starts, ends)
        for kind in _team_kinds(participant, holder):
            yield Relation(kind, holder, client, _first(participant, "onBehalfOf"), "", starts, ends)


def _team_kinds(participant: JsonObject, holder: str) -> Iterable[str]:
    if holder.startswith("Organization/"):
        return ("treatment-organization",)
    if not holder.startswith("Practitioner/"):
        return ()
    ours = tuple(
        kind for kind, code in (("companion", COMPANION), ("case-manager", CASE_MANAGER)) if has_coding(participant, "role", *code)
    )
    return ours or ("treatment-team",)


def _practitioner_role(role: JsonObject, zone: ZoneInfo) -> Iterator[Relation]:
    me, practitioner, organization = f"PractitionerRole/{role['id']}", _first(role, "practitioner"), _first(role, "organization")
    held = interval(role.get("period"), zone)
    if role.get("active") is False or not practitioner:
        return
    yield Relation("practitioner-of", me, practitioner, organization, "", *held)
    yield Relation("own-role", practitioner, me, organization, "", *held)
    if organization:
        yield Relation("employment", practitioner, organization, organization, "", *held)
    for name, kind, holder in (("supervised-by", "supervises", "supervisor"), ("supervision-delegate", "delegates", "delegate")):
        for extension in role.get("extension", ()):
            if extension.get("url") == f"{CANON}/StructureDefinition/{name}":
                parts = {part.get("url"): part for part in extension.get("extension", ())}
                during = interval(parts.get("period", {}).get("valuePeriod"), zone)
                for other in references_at(parts.get(holder, {}), "valueReference"):
                    yield Relation(kind, other, me, organization, "", *within(held, during))


def _consent(consent: JsonObject, zone: ZoneInfo) -> Iterator[Relation]:
    """To whom some permit opens something of the client: what exactly is told by the Consent's rules."""
    for rule in consent_rules(consent, zone):
        if rule.effect == "permit":
            for holder in rule.actors:
                for purpose in rule.purposes or ("*",):
                    yield Relation("consent-permit", holder, rule.client, "", purpose, rule.starts, rule.ends)


def _related_person(person: JsonObject, zone: ZoneInfo) -> Iterator[Relation]:
    verified = any(
        extension.get("url") == f"{CANON}/StructureDefinition/verified-representative" and extension.get("valueBoolean") is True
        for extension in person.get("extension", ())
    )
    related = any(has_coding(person, "relationship", ROLE_CODE, code) for code in REPRESENTATIVES)
    if verified and related and person.get("active") is not False and (client := _client_of(person, "patient")):
        yield Relation("representative", f"RelatedPerson/{person['id']}", client, "", "", *interval(person.get("period"), zone))


def _organization(organization: JsonObject, zone: ZoneInfo) -> Iterator[Relation]:
    del zone
    for extension in organization.get("extension", ()):
        if extension.get("url") == f"{CANON}/StructureDefinition/part2-program" and extension.get("valueBoolean") is True:
            yield Relation("part2-program", f"Organization/{organization['id']}", "")


def _patient(patient: JsonObject, zone: ZoneInfo) -> Iterator[Relation]:
    del zone
    yield Relation("self", f"Patient/{patient['id']}", patient["id"])


def _task(task: JsonObject, zone: ZoneInfo) -> Iterator[Relation]:
    del zone
    if any(has_coding(task, "code", *code) for code in REFERRALS) and (client := _client_of(task, "for")):
        for owner in references_at(task, "owner"):
            yield Relation("referral", owner, client)


PROJECTIONS: Mapping[str, Callable[[JsonObject, ZoneInfo], Iterator[Relation]]] = MappingProxyType(
    {
        "CareTeam": _care_team,
        "Consent": _consent,
        "Organization": _organization,
        "Patient": _patient,
        "PractitionerRole": _practitioner_role,
        "RelatedPerson": _related_person,
        "Task": _task,
    }
)


def relations(resource: JsonObject, zone: ZoneInfo) -> tuple[Relation, ...] | None:
    """The relations that a resource states; None for a type that never states any."""
    project = PROJECTIONS.get(resource["resourceType"])
    return None if project is None else tuple(dict.fromkeys(project(resource, zone)))
