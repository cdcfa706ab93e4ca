"""What makes loaded clients somebody's: a CareTeam and an EpisodeOfCare of ours for each that has none (world.md, "Who is who")."""
import uuid
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from recovery_api.domain.codes import CANON
from recovery_api.fhir.json import JsonObject, load
from recovery_api.fhir.paths import references_at
from recovery_api.fhir.search.parse import condition
from recovery_api.interactions.context import Server
from recovery_api.interactions.load_sources import Incoming, Place
from recovery_api.policy.project import CASE_MANAGER, COMPANION
from recovery_api.store.loading import sighted
from recovery_api.store.reader import Reader
from recovery_api.store.search import SearchQuery
from recovery_api.store.staff import organization_of

KINDS: Mapping[str, tuple[str, str, str]] = {
    "companion": (*COMPANION, "Peer Specialist"),
    "case-manager": (*CASE_MANAGER, "Case Manager/Care Coordinator"),
}
"""The roles that a member may have: system, code, display (NUCC)."""

_NAMESPACE = uuid.UUID("0190a5c3-7c8e-7d5e-9b1a-636172657465")


class Member(NamedTuple):
    """Somebody of ours: what they are (a key of KINDS), their Practitioner's and their Organization's reference."""

    kind: str
    practitioner: str
    organization: str


class NotEmployed(Exception):
    """A member has no active PractitionerRole; the message is a sentence."""


async def members(server: Server, named: Mapping[str, str]) -> list[Member]:
    """The members by kind and Practitioner's id, with the organization of their PractitionerRole. Raises NotEmployed."""
    found: list[Member] = []
    for kind, id in named.items():
        practitioner = f"Practitioner/{id}"
        organization = await organization_of(server.store, practitioner, server.clock())
        if organization is None:
            raise NotEmployed(f"{practitioner} has no active PractitionerRole that names an organization.")
        found.append(Member(kind, practitioner, organization))
    return found


async def engagements(server: Server, patients: Iterable[str], team: list[Member]) -> list[Incoming]:
    """The CareTeams and EpisodesOfCare to load for those of the Patients (ids) that have none of the members' organization."""
    now = datetime.fromtimestamp(server.clock() // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    ours = team[0].organization
    made: list[JsonObject] = []
    async with sighted(server.store) as reader:
        for patient in patients:
            care_team = next((each["id"] for each in await _of(server, reader, "CareTeam", patient) if _is_ours(each, ours)), None)
            if care_team is None:
                made.append(_care_team(patient, team, now))
                care_team = made[-1]["id"]
            if not any(ours in references_at(each, "managingOrganization") for each in await _of(server, reader, "EpisodeOfCare", patient)):
                made.append(_episode(patient, team, care_team, now))
    return [Incoming(Place("--care-team", number), resource, {}) for number, resource in enumerate(made, start=1)]


async def _of(server: Server, reader: Reader, type: str, patient: str) -> list[JsonObject]:
    where = condition(type, [("patient", f"Patient/{patient}")], server.search)
    page = await reader.search(SearchQuery((type,), where, count=1_000))
    return [load(record.body or b"") for record in page.records]


def _is_ours(care_team: JsonObject, organization: str) -> bool:
    on_behalf = references_at(care_team, "participant.onBehalfOf")
    return care_team.get("status") == "active" and organization in on_behalf


def _care_team(patient: str, team: list[Member], now: str) -> JsonObject:
    return {
        "resourceType": "CareTeam",
        "id": _id("CareTeam", patient),
        "status": "active",
        "subject": {"reference": f"Patient/{patient}"},
        "period": {"start": now},
        "participant": [_participant(member, now) for member in team],
        "managingOrganization": [{"reference": team[0].organization}],
    }


def _participant(member: Member, now: str) -> JsonObject:
    system, code, display = KINDS[member.kind]
    return {
        "role": [{"coding": [{"system": system, "code": code, "display": display}], "text": member.kind.replace("-", " ")}],
        "member": {"reference": member.practitioner},
        "onBehalfOf": {"reference": member.organization},
        "period": {"start": now},
    }


def _episode(patient: str, team: list[Member], care_team: str, now: str) -> JsonObject:
    managers = [{"reference": member.practitioner} for member in team if member.kind == "case-manager"]
    return {
        "resourceType": "EpisodeOfCare",
        "id": _id("EpisodeOfCare", patient),
        "status": "active",
        "type": [{"coding": [{"system": f"{CANON}/CodeSystem/episode-type", "code": "recovery-companionship"}]}],
        "patient": {"reference": f"Patient/{patient}"},
        "managingOrganization": {"reference": team[0].organization},
        "period": {"start": now},
        **({"careManager": managers[0]} if managers else {}),
        "team": [{"reference": f"CareTeam/{care_team}"}],
    }


def _id(type: str, patient: str) -> str:
    """The same in every run: one that was ended half-way is finished by the next."""
    return str(uuid.uuid5(_NAMESPACE, f"{type}/{patient}"))
