"""Who belongs to whom, by the words of world.md: care teams, supervision, delegation. Plain Python over JSON resources."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cached_property
from typing import Any

from tests.callers import Caller
from tests.contract.content import Resource, World, codes, extension, local, reference
from tests.contract.periods import span

NUCC = "http://nucc.org/provider-taxonomy"
COMPANION, CASE_MANAGER = (NUCC, "175T00000X"), (NUCC, "171M00000X")
GRACE = timedelta(days=7)


@dataclass(frozen=True)
class Relations:
    """The relations that hold in a world at a moment; `zone` is the agency's: what a date without a time means."""

    world: World
    now: datetime
    zone: tzinfo = UTC

    @cached_property
    def _kinds(self) -> Mapping[str, list[Resource]]:
        kinds: dict[str, list[Resource]] = {}
        for (kind, _), each in self.world.items():
            kinds.setdefault(kind, []).append(each)
        return kinds

    def of(self, resource_type: str) -> Sequence[Resource]:
        return self._kinds.get(resource_type, ())

    def get(self, target: str) -> Resource | None:
        kind, _, id_ = target.partition("/")
        return self.world.get((kind, id_))

    # time ------------------------------------------------------------------------------------------------------------
    def begun(self, period: Mapping[str, Any]) -> bool:
        return span(period, self.zone).first <= self.now

    def end(self, period: Mapping[str, Any]) -> datetime | None:
        return span(period, self.zone).after if "end" in period else None

    def current(self, period: Mapping[str, Any] | None) -> bool:
        return span(period, self.zone).holds(self.now)

    # people ----------------------------------------------------------------------------------------------------------
    def roles(self, practitioner: str) -> list[Resource]:
        """The active PractitionerRoles of a Practitioner."""
        return [
            each
            for each in self.of("PractitionerRole")
            if reference(each.get("practitioner")) == practitioner and each.get("active") is not False and self.current(each.get("period"))
        ]

    def selves(self, caller: Caller) -> set[str]:
        """The references that mean the caller in person."""
        if caller.fhir_user is None:
            return set()
        return {caller.fhir_user} | {f"PractitionerRole/{each['id']}" for each in self.roles(caller.fhir_user)}

    def person(self, target: str) -> str:
        """The Practitioner that a reference to a Practitioner or to one of its roles means, or ''."""
        if target.startswith("PractitionerRole/"):
            return reference((self.get(target) or {}).get("practitioner"))
        return target if target.startswith("Practitioner/") else ""

    def ours(self, organization: str) -> bool:
        found = self.get(organization) or {}
        return local("organization-type", "agency") in codes(*found.get("type", []))

    # care teams ------------------------------------------------------------------------------------------------------
    def participants(self, client: str, *states: str) -> Iterator[tuple[Resource, Resource]]:
        """The participants of the client's teams in these states (none: active)."""
        for team in self.of("CareTeam"):
            begun = self.begun(team.get("period", {}))
            if begun and team.get("status") in (states or ("active",)) and reference(team.get("subject")) == client:
                yield from ((team, each) for each in team.get("participant", []))

    def members(self, client: str) -> Iterator[Resource]:
        for team, participant in self.participants(client):
            if self.current(team.get("period")) and self.current(participant.get("period")):
                yield participant

    def inside(self, client: str, code: tuple[str, str]) -> set[str]:
        """Our own practitioners who have this role on the client's care team now."""
        return {
            reference(each.get("member"))
            for each in self.members(client)
            if code in codes(*each.get("role", [])) and self.ours(reference(each.get("onBehalfOf")))
        }

    def in_grace(self, caller: Caller, client: str) -> bool:
        """Whether a companion of the client stopped being one within the last seven days."""
        for team, participant in self.participants(client, "active", "inactive"):
            ends = [end for end in (self.end(team.get("period", {})), self.end(participant.get("period", {}))) if end]
            if (
                reference(participant.get("member")) == caller.fhir_user
                and COMPANION in codes(*participant.get("role", []))
                and self.ours(reference(participant.get("onBehalfOf")))
                and self.begun(participant.get("period", {}))
                and ends
                and min(ends) <= self.now < min(ends) + GRACE
            ):
                return True
        return False

    def treats(self, caller: Caller, client: str) -> bool:
        """Whether the client's care team names an external clinician, or the clinician's organization."""
        organization = f"Organization/{caller.organization}"
        if self.ours(organization):
            return False
        return any(
            reference(each.get("member")) == organization
            or (reference(each.get("member")) == caller.fhir_user and reference(each.get("onBehalfOf")) == organization)
            for each in self.members(client)
        )

    # supervision -----------------------------------------------------------------------------------------------------
    def supervises(self, caller: Caller, practitioner: str) -> bool:
        """Whether the caller supervises the practitioner now, or supervision is delegated to the caller by who does."""
        mine = self.selves(caller)
        for role in self.roles(practitioner):
            for supervisor in self._linked(role, "supervised-by", "supervisor"):
                if supervisor in mine:
                    return True
                delegates = self._linked(self.get(supervisor) or {}, "supervision-delegate", "delegate")
                if any(each in mine for each in delegates):
                    return True
        return False

    def _linked(self, role: Resource, name: str, part: str) -> Iterator[str]:
        for each in extension(role, name):
            parts = {inner.get("url"): inner for inner in each.get("extension", [])}
            if self.current(parts.get("period", {}).get("valuePeriod")):
                yield reference(parts.get(part, {}).get("valueReference"))

    # together --------------------------------------------------------------------------------------------------------
    def teams(self, members: set[str]) -> set[str]:
        """The care teams on which one of these members is now."""
        return {
            f"CareTeam/{team['id']}"
            for team in self.of("CareTeam")
            if team.get("status") == "active" and self.current(team.get("period"))
            for each in team.get("participant", [])
            if reference(each.get("member")) in members and self.current(each.get("period"))
        }
