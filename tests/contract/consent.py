"""What a client has consented to: who may see which of the client's resources, for which purpose (domain.md 3.2 and 3.3).

A Consent is in force while it is active and its root's period holds the server's now. It is a tree of provisions. A provision applies to a
caller and a resource while it and all above it are of now and all that they ask for holds: actor, purpose, action, class, code, label, date
of the data. A permit anywhere in the trees opens; a deny anywhere closes what it applies to, unless a permit right below it applies too.

Choices where the pages leave one:

1.  What the provisions above ask for is judged as what stands below them asks: strictly for a permit, widely for a deny.
2.  A class of another code system opens nothing: not the rest of its provision either. To a deny it is every class.
3.  A code without coding matches nothing. Codings in `meta` are no content.
4.  Labels of the law and of confidentiality, too, are families of their own; only a sensitivity can be too much for a permit.
5.  A Patient goes by who and why alone: a permit opens it whatever its class, code, labels and dates, in what it excepts from a deny too;
    labels, codes and dates of a deny do not concern it.
6.  A deny closes to staff where any actor on its path means them in person and all actors on the path match them.
7.  A care team as actor means whoever is on it now, by a membership of their organization too; in person, by their own.
8.  Types without a clinical date, and resources other than Encounter, Observation and DocumentReference that tell none, are not limited
    by `dataPeriod`, and not closed by it. The end of `dataPeriod` is exclusive as any other.
9.  Consent.scope and Consent.category do not limit.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any, Literal

from tests.callers import Caller
from tests.contract.content import Resource, client_of, clinical_date, codes, codings, references
from tests.contract.labels import SENSITIVE, Labels, families, family
from tests.contract.periods import span
from tests.contract.relations import Relations

Kind = Literal["permit", "deny"]
Path = tuple[Resource, ...]  # a provision with all above it, the root first

TYPES = "http://hl7.org/fhir/resource-types"
ACTION = "http://terminology.hl7.org/CodeSystem/consentaction"
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
RECIPIENTS = {(PARTICIPATION, "IRCP"), (PARTICIPATION, "PRCP")}
SHARING = {(ACTION, "access"), (ACTION, "disclose")}
DATED = {"Encounter", "Observation", "DocumentReference"}  # where they tell no date, a permit does not reach them and a deny does
STAFF = {"companion", "case-manager"}


def paths(provision: Resource, above: Path = ()) -> Iterator[Path]:
    """Every provision of a tree."""
    path = (*above, provision)
    yield path
    for each in provision.get("provision", ()):
        yield from paths(each, path)


class Consents:
    """The Consents of a world at the moment of its relations."""

    def __init__(self, relations: Relations, labels: Labels) -> None:
        self.relations, self.labels = relations, labels
        self._meant: dict[Caller, tuple[set[str], set[str]]] = {}

    @cached_property
    def _in_force(self) -> Mapping[str, list[tuple[Resource, list[Path]]]]:
        """Of each client, the Consents in force, each with its provisions."""
        found: dict[str, list[tuple[Resource, list[Path]]]] = {}
        for each in self.relations.of("Consent"):
            root = each.get("provision", {})
            if each.get("status") == "active" and self.relations.current(root.get("period")):
                found.setdefault(client_of(each), []).append((each, list(paths(root))))
        return found

    def _of(self, resource: Resource, kind: Kind) -> Iterator[Path]:
        for _, provisions in self._in_force.get(client_of(resource), ()):
            yield from (path for path in provisions if path[-1].get("type") == kind)

    # what is decided -------------------------------------------------------------------------------------------------
    def opens(self, caller: Caller, resource: Resource) -> bool:
        """Whether a permit opens the resource to the caller. Without one there is no way in for an external reader."""
        return any(self._applies(path, caller, resource, "permit") for path in self._of(resource, "permit"))

    def closes(self, caller: Caller, resource: Resource) -> bool:
        """Whether a deny closes the resource to the caller, and nothing below it excepts the resource."""
        return any(
            self._applies(path, caller, resource, "deny") and not self._excepted(path, caller, resource)
            for path in self._of(resource, "deny")
        )

    def _excepted(self, path: Path, caller: Caller, resource: Resource) -> bool:
        below = (each for each in path[-1].get("provision", ()) if each.get("type") == "permit")
        return any(self._applies((*path, each), caller, resource, "permit") for each in below)

    def based_on(self, caller: Caller, consent: Resource) -> bool:
        """Whether a permit of the Consent names the caller now, limited or not: the Consent is then the caller's own basis."""
        for each, provisions in self._in_force.get(client_of(consent), ()):
            if each["id"] == consent["id"]:
                permits = (path for path in provisions if path[-1].get("type") == "permit")
                return any(self._of_now(path) and self._names(path, caller, "permit") for path in permits)
        return False

    # whether a provision applies -------------------------------------------------------------------------------------
    def _applies(self, path: Path, caller: Caller, resource: Resource, kind: Kind) -> bool:
        if not (self._of_now(path) and self._names(path, caller, kind) and _acts(path, kind)):
            return False
        purpose = caller.purpose or ("CAREMGT" if caller.role in STAFF else "TREAT")
        if not all(_lists(each, "purpose", purpose) for each in path):
            return False
        asked = self._asked_of_a_patient if resource["resourceType"] == "Patient" else self._asked
        return all(asked(each, resource, kind) for each in path) and (
            kind == "deny" or resource["resourceType"] == "Patient" or self._may_open(path, resource)
        )

    def _of_now(self, path: Path) -> bool:
        return all(self.relations.current(each.get("period")) for each in path)

    # who -------------------------------------------------------------------------------------------------------------
    def _who(self, caller: Caller) -> tuple[set[str], set[str]]:
        """The references that mean the caller, and those of them that mean the caller in person."""
        if caller not in self._meant:
            person = self.relations.selves(caller)
            anyhow = person | ({f"Organization/{caller.organization}"} if caller.organization else set())
            self._meant[caller] = anyhow | self.relations.teams(anyhow), person | self.relations.teams(person)
        return self._meant[caller]

    def _names(self, path: Path, caller: Caller, kind: Kind) -> bool:
        told = [_actors(each, kind) for each in path if each.get("actor")]
        anyhow, person = self._who(caller)
        if kind == "permit":
            return bool(told) and all(actors & anyhow for actors in told)
        if caller.role in STAFF:
            return any(actors & person for actors in told) and all(actors & anyhow for actors in told)
        return all(actors & anyhow for actors in told)

    # what ------------------------------------------------------------------------------------------------------------
    def _asked_of_a_patient(self, provision: Resource, resource: Resource, kind: Kind) -> bool:
        if kind == "permit":
            return not _foreign(provision)
        return _of_class(provision, resource, kind) and not any(each in provision for each in ("securityLabel", "code", "dataPeriod"))

    def _asked(self, provision: Resource, resource: Resource, kind: Kind) -> bool:
        return (
            _of_class(provision, resource, kind)
            and ("code" not in provision or bool(codes(*provision["code"]) & codings(resource)))
            and ("dataPeriod" not in provision or self._dated(provision["dataPeriod"], resource, kind))
            and ("securityLabel" not in provision or self._labelled(provision["securityLabel"], resource, kind))
        )

    def _dated(self, period: Mapping[str, Any], resource: Resource, kind: Kind) -> bool:
        when, bounds = clinical_date(resource, self.relations.zone), span(period, self.relations.zone)
        if when:
            return when.inside(bounds) if kind == "permit" else when.overlaps(bounds)
        return (resource["resourceType"] in DATED) == (kind == "deny")

    def _labelled(self, named: list[Mapping[str, Any]], resource: Resource, kind: Kind) -> bool:
        labels, wanted = self.labels.of(resource), {each.get("code", "") for each in named}
        has = families(labels) | (labels - SENSITIVE) | (set() if labels & {"R", "V"} else {"N"})
        matches = {family(each) for each in wanted}
        if kind == "deny":
            return bool(has & matches)
        if "PSYTHPN" in wanted & labels:
            return True
        return bool(has & matches) and families(labels) <= matches

    def _may_open(self, path: Path, resource: Resource) -> bool:
        """What is kept apart opens only to who names it, and what is of employees to no consent."""
        labels = self.labels.of(resource)
        named = any("securityLabel" in each for each in path)
        return "EMP" not in labels and ("PSYTHPN" not in labels or named)


def _actors(provision: Resource, kind: Kind) -> set[str]:
    """The actors that count: of a permit, those who receive information or of whom no role is told."""
    actors = provision.get("actor", ())
    if kind == "permit":
        actors = [each for each in actors if not codes(each.get("role")) or codes(each.get("role")) & RECIPIENTS]
    return references([each.get("reference", {}) for each in actors])


def _acts(path: Path, kind: Kind) -> bool:
    """Whether the path is about sharing. A permit of single resources (`data`) opens nothing; a deny of them closes as if it said all."""
    if kind == "permit" and any("data" in each for each in path):
        return False
    return all("action" not in each or codes(*each["action"]) & SHARING for each in path)


def _lists(provision: Resource, name: str, code: str) -> bool:
    return name not in provision or code in {each.get("code") for each in provision[name]}


def _foreign(provision: Resource) -> bool:
    return any(each.get("system") != TYPES for each in provision.get("class", ()))


def _of_class(provision: Resource, resource: Resource, kind: Kind) -> bool:
    if _foreign(provision):
        return kind == "deny"
    return _lists(provision, "class", resource["resourceType"])
