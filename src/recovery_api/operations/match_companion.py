"""Patient/{id}/$match-companion: who might accompany a client, ranked and explained; a case manager decides (domain.md 7)."""
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from recovery_api.domain.preferences import conflicts, person, speaks
from recovery_api.fhir.errors import NotFound
from recovery_api.fhir.json import JsonObject, load
from recovery_api.fhir.paths import objects_at, references_at
from recovery_api.interactions.care.assignments import WISHES
from recovery_api.interactions.context import FhirResult
from recovery_api.interactions.make import seen
from recovery_api.operations.frame import Operating
from recovery_api.policy.project import COMPANION
from recovery_api.store.reader import Reader


class Candidate(NamedTuple):
    """A companion, and what speaks for and against them."""

    role: JsonObject
    conflicts: Sequence[str]
    skills: Sequence[str]
    speaks: bool
    clients: int

    @property
    def rank(self) -> tuple[bool, int, bool, int, str]:
        """The lower, the better: no conflict, then skills that are asked for, a shared language, few clients."""
        return bool(self.conflicts), -len(self.skills), not self.speaks, self.clients, self.role["id"]

    @property
    def reasons(self) -> list[str]:
        return [
            *(self.conflicts or ("Nothing that the client has said speaks against it.",)),
            *(f"Has the skill {skill}." for skill in self.skills),
            "Speaks a language of the client, as far as is known." if self.speaks else "Speaks no language of the client.",
            f"Accompanies {self.clients} clients whom you see.",
        ]


async def match_companion(operating: Operating) -> FhirResult:
    """The companions of the caller's organization, the best match first, each with its reasons. Raises NotFound.

    All is judged by what the caller may read.
    """
    server, request, actor = operating.server, operating.request, operating.request.actor
    async with server.store.reader(server.grants.rows(actor, server.clock())) as reader:
        patient = await reader.read("Patient", request.id or "")
        if patient is None or patient.body is None:
            raise NotFound
        wanted = {(str(each.get("system")), str(each.get("code"))) for each in operating.given().all("skill")}
        client, of_client = load(patient.body), ("patient", f"Patient/{patient.id}")
        wishes = await seen(server, reader, "Observation", of_client, WISHES)
        plans = await seen(server, reader, "CarePlan", of_client, ("status", "active"))
        load_of = Counter(
            member
            for team in await seen(server, reader, "CareTeam", ("status", "active"))
            for member in set(references_at(team, "participant.member"))
        )
        found: list[Candidate] = []
        for role, practitioner in await _companions(operating, reader):
            who = person(practitioner)
            skills = _skills(role, practitioner, wanted)
            found.append(Candidate(role, conflicts(who, wishes, plans), skills, speaks(who, client), load_of[who.reference]))
    ranked = sorted(found, key=lambda one: one.rank)
    told = [
        {"role": {"reference": f"PractitionerRole/{one.role['id']}"}, "fits": not one.conflicts, "reason": one.reasons} for one in ranked
    ]
    return operating.answer(match=told)._replace(shown=[patient])


async def _companions(operating: Operating, reader: Reader) -> list[tuple[JsonObject, JsonObject]]:
    server, organization = operating.server, operating.request.actor.organization or ""
    asked = (("role", "|".join(COMPANION)), ("organization", organization), ("active", "true"))
    held = await seen(server, reader, "PractitionerRole", *asked)
    roles = {reference: role for role in held for reference in references_at(role, "practitioner")}
    ids = ",".join(reference.removeprefix("Practitioner/") for reference in sorted(roles))
    people = await seen(server, reader, "Practitioner", ("_id", ids)) if ids else []
    return [(roles[f"Practitioner/{each['id']}"], each) for each in people]


def _skills(role: JsonObject, practitioner: JsonObject, wanted: set[tuple[str, str]]) -> list[str]:
    """Of the skills that are asked for, those that the role or a qualification has, as people call them."""
    there = [*objects_at(role, "specialty.coding"), *objects_at(practitioner, "qualification.code.coding")]
    return sorted({str(each.get("display") or each.get("code")) for each in there if (each.get("system"), each.get("code")) in wanted})
