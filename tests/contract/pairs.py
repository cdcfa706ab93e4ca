"""Pairs of worlds that differ only in what one caller may not see, and the requests that try to tell them apart."""

from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime

from tests.callers import Caller
from tests.contract.asking import JSON_PATCH, STATUS_PATCH, Request, batch, posted, search
from tests.contract.content import Resource, World, client_of, codes, reference
from tests.contract.oracle import Oracle
from tests.world import by_id

PART_2_PROGRAM = "https://recovery-api.example.org/fhir/StructureDefinition/part2-program"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
SORTS = ("_id", "-_lastUpdated", "patient")
WORDS = {"DocumentReference": ("startle", "anniversary", "naloxone", "walk")}


@dataclass(frozen=True)
class Mutation:
    """What is done to one resource of a world: it goes, it changes, or it gets a twin."""

    what: str
    target: tuple[str, str]

    def __str__(self) -> str:
        return f"{self.what} {'/'.join(self.target)}"

    @property
    def touched(self) -> tuple[str, str]:
        kind, id_ = self.target
        return (kind, f"twin-{id_}") if self.what == "twin" else self.target

    def __call__(self, resources: Sequence[Resource]) -> list[Resource]:
        return [each for resource in resources for each in self._applied(resource)]

    def _applied(self, resource: Resource) -> list[Resource]:
        if (resource["resourceType"], resource["id"]) != self.target:
            return [resource]
        other = deepcopy(resource)
        if self.what == "change":
            return [_changed(other)]
        if self.what == "twin":
            return [resource, other | {"id": self.touched[1]}]
        return []


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


def hidden(caller: Caller, resources: Sequence[Resource], now: datetime) -> list[tuple[str, str]]:
    world = by_id(resources)
    oracle = Oracle(world, now)
    return [key for key, each in world.items() if not oracle.sees(caller, each)]


def twins(
    caller: Caller, resources: Sequence[Resource], mutations: Sequence[Mutation], now: datetime
) -> tuple[list[Resource], list[Mutation]]:
    """The other world, and the mutations that were made: those that leave the caller's view and the Part 2 status as they were."""
    before = view(caller, resources, now)
    other, made = list(resources), list[Mutation]()
    for mutation in mutations:
        next_world = mutation(other)
        if view(caller, next_world, now) == before and part_2(by_id(next_world)) == part_2(by_id(resources)):
            other = next_world
            made.append(mutation)
    return other, made


def view(caller: Caller, resources: Sequence[Resource], now: datetime) -> dict[tuple[str, str], Resource]:
    world = by_id(resources)
    oracle = Oracle(world, now)
    return {key: each for key, each in world.items() if oracle.sees(caller, each)}


def part_2(world: World) -> set[str]:
    """The clients whose episode has an F10 to F19 condition at a Part 2 program."""
    found: set[str] = set()
    for episode in (each for (kind, _), each in world.items() if kind == "EpisodeOfCare"):
        organization = world.get(("Organization", reference(episode.get("managingOrganization")).removeprefix("Organization/")), {})
        program = any(each.get("url") == PART_2_PROGRAM and each.get("valueBoolean") for each in organization.get("extension", []))
        conditions = [reference(each.get("condition")).removeprefix("Condition/") for each in episode.get("diagnosis", [])]
        diagnosed = codes(*(world.get(("Condition", each), {}).get("code") for each in conditions))
        if program and any(system == ICD and (code or "").startswith("F1") for system, code in diagnosed):
            found.add(client_of(episode))
    return found


# the requests --------------------------------------------------------------------------------------------------------
def reading(kind: str, id_: str, resource: Resource) -> Iterator[Request]:
    """Every way to read towards one resource."""
    target = f"{kind}/{id_}"
    yield Request("GET", target)
    yield Request("HEAD", target)
    yield Request("GET", target, headers={"if-none-match": 'W/"1"'})
    yield Request("GET", f"{target}/_history/1")
    yield Request("GET", f"{target}/_history/2")
    yield Request("GET", f"{target}/_history")
    yield search(kind, _id=id_)
    yield posted(kind, _id=id_)
    yield search("", _type=kind, _count=5, _id=id_)
    yield batch(("GET", target), ("GET", f"{kind}?_id={id_}"), ("DELETE", target))
    if identifier := next(iter(resource.get("identifier", [])), None):
        yield search(kind, identifier=f"{identifier['system']}|{identifier['value']}")
    if kind == "Patient":
        yield search("Observation", patient=target)
        yield search("Observation", **{"patient:Patient.family": "Other"})
        yield search("Patient", family="Other")
        yield search(f"{target}/Observation")
        yield search(f"{target}/DocumentReference", _summary="count")
    if kind == "Encounter":
        yield search("Observation", encounter=target)
        yield search("Observation", **{"encounter:Encounter.status": "finished", "_total": "accurate"})
    if client := client_of(resource):
        yield search(kind, patient=client)
        yield search("Patient", **{f"_has:{kind}:patient:_id": id_})


def browsing(kind: str) -> Iterator[Request]:
    """Every way to look over a type."""
    yield search(kind)
    yield search(kind, _count=2)
    yield search(kind, _total="accurate", _count=1)
    yield search(kind, _summary="count")
    yield search(kind, _lastUpdated="gt2000-01-01", _elements="id")
    yield from (search(kind, _sort=each, _count=3) for each in SORTS)
    yield search(kind, _include="*", _count=1000)
    yield search("Patient", _revinclude=f"{kind}:patient", _count=1000)
    yield search("Patient", **{f"_has:{kind}:patient:_lastUpdated": "gt2000-01-01"})
    yield Request("GET", f"{kind}/_history?_count=1000")
    yield search("", _type=kind, _count=3)
    yield from (search(kind, _content=word) for word in WORDS.get(kind, ()))
    yield from (search(kind, _text=word) for word in WORDS.get(kind, ()))


def writing(kind: str, id_: str, resource: Resource) -> Iterator[Request]:
    """Every way to write towards one resource that the caller does not see. The last ones may well create something."""
    target, body = f"{kind}/{id_}", {name: value for name, value in resource.items() if name not in ("id", "meta")}
    for headers in ({}, {"if-match": 'W/"1"'}, {"if-match": 'W/"9"'}):
        yield Request("PUT", target, body | {"id": id_}, headers)
        yield Request("PATCH", target, STATUS_PATCH, JSON_PATCH | headers)
        yield Request("DELETE", target, headers=headers)
    yield Request("PATCH", f"{kind}?_id={id_}", STATUS_PATCH, JSON_PATCH)
    yield Request("DELETE", f"{kind}?_id={id_}")
    yield Request("PUT", f"{kind}?_id={id_}", body)
    yield Request("POST", kind, body, {"if-none-exist": f"_id={id_}"})
    yield Request("POST", kind, body, {"if-none-exist": f"_id={id_}", "prefer": "return=OperationOutcome"})


def requests(touched: Sequence[tuple[str, str]], sample: Callable[[tuple[str, str]], Resource]) -> list[Request]:
    """All that is asked of both worlds, reads before writes. `sample` gives a body of the type."""
    kinds = sorted({kind for kind, _ in touched})
    asked = [request for key in touched for request in reading(*key, sample(key))]
    asked += [request for kind in kinds for request in browsing(kind)]
    asked += [Request("GET", "_history?_count=1000"), search("", _type=",".join(kinds), _count=1000)]
    asked += [request for key in touched for request in writing(*key, sample(key))]
    return asked + [request for kind in kinds for request in browsing(kind)]
