"""Pairs of worlds that differ only in what one caller may not see: things that are hidden, their labels, consents that name others, and
references to what is hidden in things that are not.

What is hidden is changed in one of the two. What is seen is told anew in both, at the same moment: with one thing left out of its copy
in the one, and with another in the other.
"""

from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from tests.callers import Caller
from tests.contract.content import Resource, World, client_of
from tests.contract.labels import ACT, Labels
from tests.contract.oracle import Oracle
from tests.world import by_id

Key = tuple[str, str]
Resources = Sequence[Resource]
PARTICIPATION = "http://terminology.hl7.org/CodeSystem/v3-ParticipationType"
SCOPE = "http://terminology.hl7.org/CodeSystem/consentscope"


class Mutation(Protocol):
    """Makes two worlds of one. `touched` are the resources that requests are made about."""

    @property
    def touched(self) -> Sequence[Key]: ...
    def __call__(self, one: Resources, other: Resources) -> tuple[Resources, Resources]: ...


@dataclass(frozen=True)
class Hidden:
    """What is done to one resource of the other world: it goes, it changes, it gets a twin, or a label that nothing else has."""

    what: str
    target: Key

    def __str__(self) -> str:
        return f"{self.what} {'/'.join(self.target)}"

    @property
    def touched(self) -> Sequence[Key]:
        kind, id_ = self.target
        return [(kind, f"twin-{id_}") if self.what == "twin" else self.target]

    def __call__(self, one: Resources, other: Resources) -> tuple[Resources, Resources]:
        return one, [each for resource in other for each in self._applied(resource)]

    def _applied(self, resource: Resource) -> list[Resource]:
        if _key(resource) != self.target:
            return [resource]
        copy = deepcopy(resource)
        if self.what == "change":
            return [_changed(copy)]
        if self.what == "twin":
            return [resource, copy | {"id": self.touched[0][1]}]
        if self.what == "label":
            return [copy | {"meta": {"security": [{"system": ACT, "code": "STD"}]}}]
        return []


@dataclass(frozen=True)
class Agreement:
    """A Consent of the other world's client towards somebody else."""

    kind: str
    client: str  # Patient/id
    actor: str

    def __str__(self) -> str:
        return f"{self.client}: {self.kind} {self.actor}"

    @property
    def touched(self) -> Sequence[Key]:
        return [("Consent", f"else-{self.client.removeprefix('Patient/')}")]

    def __call__(self, one: Resources, other: Resources) -> tuple[Resources, Resources]:
        consent: Resource = {
            "resourceType": "Consent",
            "id": self.touched[0][1],
            "status": "active",
            "scope": {"coding": [{"system": SCOPE, "code": "patient-privacy"}]},
            "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0"}]}],
            "patient": {"reference": self.client},
            "policy": [{"uri": "https://www.ecfr.gov/current/title-42/part-2"}],
            "provision": {
                "type": self.kind,
                "actor": [
                    {"role": {"coding": [{"system": PARTICIPATION, "code": "IRCP"}]}, "reference": {"reference": self.actor}},
                ],
            },
        }
        return one, [*(each for each in other if _key(each) != self.touched[0]), consent]


@dataclass(frozen=True)
class Retold:
    """Something that is seen, told anew in both worlds, and in the other with a reference to something hidden."""

    target: Key
    hidden: Key

    def __str__(self) -> str:
        return f"{'/'.join(self.target)} points at {'/'.join(self.hidden)}"

    @property
    def touched(self) -> Sequence[Key]:
        return [self.target, self.hidden]

    def __call__(self, one: Resources, other: Resources) -> tuple[Resources, Resources]:
        return [self._told(each, points=False) for each in one], [self._told(each, points=True) for each in other]

    def _told(self, resource: Resource, *, points: bool) -> Resource:
        if _key(resource) != self.target:
            return resource
        anew = deepcopy(resource) | {"language": "fr"}
        return _with(anew, POINTERS[self.target[0]](self.hidden)) if points else anew


@dataclass(frozen=True)
class LeftOut:
    """A Patient told anew in both worlds, and in the other with an identifier that a companion does not get."""

    target: Key

    def __str__(self) -> str:
        return f"{'/'.join(self.target)} has another number"

    @property
    def touched(self) -> Sequence[Key]:
        return [self.target]

    def __call__(self, one: Resources, other: Resources) -> tuple[Resources, Resources]:
        number = {"identifier": [{"system": "https://recovery-api.example.org/fhir/NamingSystem/client-number", "value": "CIR-1"}]}
        return [self._told(each, {}) for each in one], [self._told(each, number) for each in other]

    def _told(self, resource: Resource, more: Resource) -> Resource:
        return resource | {"language": "fr"} | more if _key(resource) == self.target else resource


def _key(resource: Resource) -> Key:
    return resource["resourceType"], resource["id"]


def _changed(resource: Resource) -> Resource:
    resource["language"] = "de"
    for name, value in (("valueInteger", 1), ("birthDate", "1970-02-03"), ("description", "Other words"), ("title", "Other words")):
        if name in resource and isinstance(resource[name], type(value)):
            resource[name] = value
    if resource["resourceType"] == "Binary":
        resource["data"] = "T3RoZXIgd29yZHM="
    if resource["resourceType"] == "Patient":
        resource["name"] = [{"family": "Other", "given": ["Words"]}]
    return resource


def _plan(hidden: Key) -> Resource:
    name = {"Condition": "addresses", "Goal": "goal"}.get(hidden[0], "supportingInfo")
    return {name: [_reference(hidden)]}


def _treated(hidden: Key) -> Resource:
    return {"diagnosis": [{"condition": _reference(hidden)}]} if hidden[0] == "Condition" else {}


def _reference(key: Key) -> Resource:
    return {"reference": "/".join(key), "display": "Hidden"}


POINTERS: Mapping[str, Callable[[Key], Resource]] = {
    "CarePlan": _plan,
    "Communication": lambda hidden: {"about": [_reference(hidden)]},
    "Condition": lambda hidden: {"evidence": [{"detail": [_reference(hidden)]}]},
    "DocumentReference": lambda hidden: {"context": {"related": [_reference(hidden)]}},
    "Encounter": _treated,
    "EpisodeOfCare": _treated,
    "Observation": lambda hidden: {"focus": [_reference(hidden)]},
    "Provenance": lambda hidden: {"entity": [{"role": "source", "what": _reference(hidden)}]},
}


def _with(resource: Resource, more: Resource) -> Resource:
    """The resource with more in its lists."""
    for name, value in more.items():
        old: Any = resource.get(name)
        if isinstance(value, list):
            resource[name] = [*(old or []), *value]
        else:
            resource[name] = _with(dict(old or {}), value)
    return resource


# what is seen of a world ---------------------------------------------------------------------------------------------
View = dict[Key, tuple[Resource, frozenset[str]]]


def view(caller: Caller, resources: Resources, now: datetime) -> View:
    """What the caller gets to read, with its labels."""
    world = by_id(resources)
    oracle = Oracle(world, now)
    return {key: (oracle.copy(caller, each), oracle.labels.of(each)) for key, each in world.items() if oracle.sees(caller, each)}


def hidden(caller: Caller, resources: Resources, now: datetime) -> list[Key]:
    world = by_id(resources)
    oracle = Oracle(world, now)
    return [key for key, each in world.items() if not oracle.sees(caller, each)]


def part_2(world: World) -> frozenset[str]:
    """The clients who are under the law, which everybody may know who reads anything of them (world.md, Decision 18)."""
    return Labels(world).part_2_clients


def twins(
    caller: Caller, resources: Resources, mutations: Sequence[Mutation], now: datetime
) -> tuple[Resources, Resources, list[Mutation]]:
    """Two worlds, and the mutations that were made: those that leave both the same view for the caller, and the same Part 2 status."""
    one, other, made = resources, resources, list[Mutation]()
    seen = view(caller, one, now), part_2(by_id(one))
    for mutation in mutations:
        next_one, next_other = mutation(one, other)
        next_seen = seen if next_one is one else (view(caller, next_one, now), part_2(by_id(next_one)))
        if next_one != next_other and next_seen == (view(caller, next_other, now), part_2(by_id(next_other))):
            one, other, seen = next_one, next_other, next_seen
            made.append(mutation)
    return one, other, made


def clients(resources: Resources) -> list[str]:
    return sorted({client_of(each) for each in resources if each["resourceType"] == "CareTeam"})
