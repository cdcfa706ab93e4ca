"""The security labels of every resource, computed a second time: from world.md's table of labels and Decisions 1 to 3, and domain.md 3.2.

Imports nothing of the program under test. A set of labels is a set of codes: sensitivity and law of v3-ActCode, R and V of
v3-Confidentiality; a resource with neither R nor V is N.

Choices where the pages leave one:

1.  Labels travel from the target of a reference with all that the target is, raised labels and its own targets' included; the law does not
    travel, it is the client's.
2.  Only members at the top of a resource (and `component.code`, `component.value`, `diagnosis.condition`) carry labels, not those deeper
    in it, `activity.detail.reasonCode` say.
3.  A counselling note has R beside V, for it is sensitive; it has the union of the episode's families too, as any note. What was raised to
    PSYTHPN is V as such a note is (domain.md 0.5).
4.  An amended note is not narrowed: Decision 1 says final. On any other note `securityLabel` raises.
5.  The episode's conditions are those of all of the client's episodes, whatever their status. Raised labels of a condition count.
6.  A Part 2 program sent what names it, or one of its PractitionerRoles, as `requester`.
7.  A Provenance is under the law where some target is; of a target's sensitivity it has nothing.
8.  The thoughts of suicide and the self-harm that domain.md 2.2 names in SNOMED CT are PSY, as the C-SSRS is.
"""

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

from tests.contract.content import (
    Code,
    Codes,
    Resource,
    World,
    client_of,
    codes,
    consent_form,
    counselling_note,
    extension,
    local,
    reference,
    supervision,
)
from tests.contract.matrix import DEFINITIONS, DIRECTORY

ICD, SCT, LOINC = "http://hl7.org/fhir/sid/icd-10-cm", "http://snomed.info/sct", "http://loinc.org"
LAW = "42CFRPart2"
ACT = "http://terminology.hl7.org/CodeSystem/v3-ActCode"
SENSITIVE = frozenset(("ETH", "SUD", "ETHUD", "OPIOIDUD", "PSY", "MH", "BH", "PSYTHPN", "SDV", "VIO", "SEX", "HIV", "STD", "EMP"))
SUBSTANCE, MIND, BEHAVIOUR = frozenset(("SUD", "ETH")), frozenset(("PSY",)), frozenset(("BH",))
FAMILY = {code: family for family, codes in {"ETH": ("ETH", "SUD", "ETHUD", "OPIOIDUD"), "PSY": ("PSY", "MH")}.items() for code in codes}
OUTSIDE_THE_LAW = DIRECTORY | DEFINITIONS | {"Patient", "Consent", "Group", "AuditEvent"}


def _each(system: str, labels: frozenset[str], listed: str) -> dict[Code, frozenset[str]]:
    return {(system, code): labels for code in listed.split()}


def _session(labels: frozenset[str], listed: str) -> dict[Code, frozenset[str]]:
    return {local("companion-observation", code): labels for code in listed.split()}


CODES = (
    _session(SUBSTANCE, "craving sober-today")
    | _session(BEHAVIOUR, "urge-gambling")
    | _session(BEHAVIOUR | {"SEX"}, "urge-sexual")
    | _session(MIND, "urge-restrict urge-binge meal-support urge-self-harm trauma-response")
    | _each(SCT, SUBSTANCE, "66590003 75544000 191816009 371422002")
    | _each(SCT, MIND, "47505003 35489007 310496002 56882008 78004001 439960005 72366004 6471006 711561004 406554000 82313006")
    | _each(SCT, BEHAVIOUR, "18085000")
    | _each(LOINC, SUBSTANCE, "72109-2 75626-2 72110-0 75624-7 82666-9 82667-7")  # AUDIT-C, AUDIT, DAST-10
    | _each(LOINC, MIND, "44249-1 44261-6 44260-8 69737-5 70274-6 101697-1 101698-9")  # PHQ-9, GAD-7, PCL-5
    | _each(LOINC, MIND, "93373-9 93246-7 93247-5 93248-3 93249-1 93250-9 93267-3 93269-9 93374-7")  # C-SSRS
)


def family(label: str) -> str:
    """The family that a consent's label and a resource's label are matched by: the label itself where the page tells of none."""
    return FAMILY.get(label, label)


def families(labels: frozenset[str]) -> frozenset[str]:
    """The families of the sensitivity codes among labels."""
    return frozenset(family(each) for each in labels if each in SENSITIVE)


def _of_code(code: Code) -> frozenset[str]:
    if code[0] == ICD and (code[1] or "").startswith("F") and (code[1] or "")[1:3].isdigit():
        number = int((code[1] or "")[1:3])
        if 10 <= number <= 19:
            return SUBSTANCE
        if 20 <= number <= 69:
            return BEHAVIOUR if number == 63 else MIND
    return CODES.get(code, frozenset())


def _listed(holder: Resource, name: str) -> list[Any]:
    """The values of a member that is single in one type and many in another."""
    value = holder.get(name, [])
    return value if isinstance(value, list) else [value]


def _own_codes(resource: Resource) -> Codes:
    """The codes that tell what the resource is about: its code, its value, its components', its reasons."""
    holders = [resource, *resource.get("component", ())]
    concepts = [each for holder in holders for name in ("code", "valueCodeableConcept", "reasonCode") for each in _listed(holder, name)]
    return codes(*(each for each in concepts if isinstance(each, Mapping)))


def _inward(resource: Resource) -> Iterator[str]:
    """The references along which labels travel, from the target to the resource (world.md, Decision 2)."""
    yield from map(reference, _listed(resource, "reasonReference"))
    yield from (reference(each.get("condition")) for each in resource.get("diagnosis", ()))


class Labels:
    """The labels of a world."""

    def __init__(self, world: World) -> None:
        self.world = world
        self._sensitivity: dict[tuple[str, str], frozenset[str]] = {}
        self._labels: dict[tuple[str, str], frozenset[str]] = {}

    def of(self, resource: Resource) -> frozenset[str]:
        """All labels of a resource of the world."""
        key = resource["resourceType"], resource["id"]
        if key not in self._labels:
            self._labels[key] = self._computed(resource)
        return self._labels[key]

    def _computed(self, resource: Resource) -> frozenset[str]:
        sensitivity, raised, law = self.sensitivity(resource), _raised(resource), self.under_the_law(resource)
        restricted = {"R"} if sensitivity or law else set[str]()
        very = {"V"} if counselling_note(self._document(resource)) else set[str]()
        return sensitivity | raised | restricted | very | ({LAW} if law else set())

    def _get(self, target: str) -> Resource | None:
        kind, _, id_ = target.partition("/")
        return self.world.get((kind, id_))

    def _document(self, resource: Resource) -> Resource:
        """A Binary is labelled as the document that it is the text of."""
        context = self._get(reference(resource.get("securityContext"))) if resource["resourceType"] == "Binary" else None
        return context or resource

    # sensitivity -----------------------------------------------------------------------------------------------------
    def sensitivity(self, resource: Resource) -> frozenset[str]:
        key = resource["resourceType"], resource["id"]
        if key not in self._sensitivity:
            self._sensitivity[key] = frozenset()  # what points back at itself adds nothing
            self._sensitivity[key] = self._about(resource) | {each for each in _raised(resource) if each in SENSITIVE}
        return self._sensitivity[key]

    def _about(self, resource: Resource) -> frozenset[str]:
        kind = resource["resourceType"]
        if kind == "Provenance":
            return frozenset()
        if (document := self._document(resource)) is not resource:
            return self.sensitivity(document)
        found = self._content(resource)
        if counselling_note(resource):
            found |= {"PSYTHPN"}
        if supervision(resource):
            found |= {"EMP"}
        return found | self._free_text(resource)

    def _content(self, resource: Resource) -> frozenset[str]:
        found = frozenset[str]().union(*map(_of_code, _own_codes(resource)))
        for each in resource.get("contained", ()):
            found |= self._content(each)
        for target in map(self._get, _inward(resource)):
            found |= self.sensitivity(target) if target else frozenset()
        return found

    def _free_text(self, resource: Resource) -> frozenset[str]:
        """Notes cannot be classified safely: they have the families of the client's episodes, unless their signer has narrowed them."""
        kind, client = resource["resourceType"], client_of(resource)
        noted = kind in ("DocumentReference", "Composition", "Communication") and not consent_form(resource) and not supervision(resource)
        if not noted or not client:
            return frozenset()
        union = frozenset[str]().union(*map(self.sensitivity, self._diagnosed(client)))
        classified = frozenset(code for system, code in codes(*resource.get("securityLabel", ())) if system == ACT and code in SENSITIVE)
        narrowed = kind == "DocumentReference" and resource.get("docStatus") == "final" and "authenticator" in resource
        return classified if narrowed and "securityLabel" in resource else union | classified

    def _diagnosed(self, client: str) -> list[Resource]:
        return [condition for _, condition in self._episodes.get(client, ())]

    @cached_property
    def _episodes(self) -> Mapping[str, list[tuple[Resource, Resource]]]:
        """Of each client, the episodes with each condition that they treat."""
        found: dict[str, list[tuple[Resource, Resource]]] = {}
        for (kind, _), episode in self.world.items():
            if kind == "EpisodeOfCare":
                conditions = (self._get(reference(each.get("condition"))) for each in episode.get("diagnosis", ()))
                found.setdefault(client_of(episode), []).extend((episode, each) for each in conditions if each)
        return found

    # the law ---------------------------------------------------------------------------------------------------------
    @cached_property
    def part_2_clients(self) -> frozenset[str]:
        """Clients whom a Part 2 program treats for a substance use disorder: an episode of its own with an F10 to F19 condition."""
        return frozenset(
            client
            for client, treated in self._episodes.items()
            for episode, condition in treated
            if self._program(reference(episode.get("managingOrganization"))) and _substance_use(condition)
        )

    def under_the_law(self, resource: Resource) -> bool:
        kind = resource["resourceType"]
        if kind in OUTSIDE_THE_LAW:
            return False
        if kind == "Provenance":
            targets = map(self._get, map(reference, resource.get("target", ())))
            return any(client_of(self._document(each)) in self.part_2_clients for each in targets if each)
        if (document := self._document(resource)) is not resource:
            return self.under_the_law(document)
        return client_of(resource) in self.part_2_clients or (kind in ("ServiceRequest", "Task") and self._sent_by_a_program(resource))

    def _sent_by_a_program(self, resource: Resource) -> bool:
        requester = reference(resource.get("requester"))
        if requester.startswith("PractitionerRole/"):
            requester = reference((self._get(requester) or {}).get("organization"))
        return self._program(requester)

    def _program(self, organization: str) -> bool:
        return any(each.get("valueBoolean") is True for each in extension(self._get(organization) or {}, "part2-program"))


def _raised(resource: Resource) -> frozenset[str]:
    """The labels that came with the resource."""
    sent = frozenset(each["code"] for each in resource.get("meta", {}).get("security", ()))
    return sent | ({"R"} if sent & SENSITIVE else set()) | ({"V"} if "PSYTHPN" in sent else set())


def _substance_use(condition: Resource) -> bool:
    return any(system == ICD and _of_code((system, code)) == SUBSTANCE for system, code in codes(condition.get("code")))
