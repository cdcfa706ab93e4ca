"""Doors that ask by a reference: what a copy does not point at any more is found by nothing that it pointed at (domain.md 3.2)."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from tests.contract.asking import ask, found, search
from tests.contract.content import Resource
from tests.contract.copies import points
from tests.contract.doors import Scene

VISIBLE_TARGETS = 4  # of those that may be pointed at, some are enough


@dataclass(frozen=True)
class Link:
    """A search parameter of a type, and the element that it tests."""

    kind: str
    parameter: str
    path: str

    def __str__(self) -> str:
        return f"{self.kind}.{self.parameter}"


LINKS = tuple(
    Link(kind, parameter, path)
    for kind, parameters in {
        "CarePlan": {"condition": "addresses", "goal": "goal", "care-team": "careTeam"},
        "Communication": {"recipient": "recipient"},
        "Consent": {"actor": "provision.actor.reference"},
        "DocumentReference": {"encounter": "context.encounter", "related": "context.related", "relatesto": "relatesTo.target"},
        "Encounter": {
            "diagnosis": "diagnosis.condition",
            "episode-of-care": "episodeOfCare",
            "location": "location.location",
            "participant": "participant.individual",
            "reason-reference": "reasonReference",
        },
        "EpisodeOfCare": {"condition": "diagnosis.condition", "incoming-referral": "referralRequest"},
        "Observation": {
            "derived-from": "derivedFrom",
            "device": "device",
            "encounter": "encounter",
            "focus": "focus",
            "has-member": "hasMember",
        },
        "Patient": {"link": "link.other"},
        "Procedure": {"performer": "performer.actor"},
        "Provenance": {"entity": "entity.what", "target": "target"},
        "QuestionnaireResponse": {"encounter": "encounter", "source": "source"},
        "Task": {"focus": "focus"},
    }.items()
    for parameter, path in parameters.items()
)


def _resources(scene: Scene, kind: str) -> Iterator[Resource]:
    return (each for (each_kind, _), each in scene.world.items() if each_kind == kind)


def _left(scene: Scene, link: Link) -> dict[str, set[str]]:
    """What each visible resource still points at."""
    copies = (scene.oracle.copy(scene.caller, each) for each in _resources(scene, link.kind) if scene.oracle.sees(scene.caller, each))
    return {f"{link.kind}/{each['id']}": points(each, link.path) for each in copies}


def _targets(scene: Scene, link: Link) -> list[str]:
    """All hidden or absent targets in the world, and some visible ones."""
    told = sorted({target for each in _resources(scene, link.kind) for target in points(each, link.path)})
    shown = [each for each in told if scene.oracle.reads(scene.caller, each)]
    return [each for each in told if each not in shown] + shown[:VISIBLE_TARGETS]


async def by_target(scene: Scene, link: Link) -> list[str]:
    """Search by each target."""
    told, left = list[str](), _left(scene, link)
    for target in _targets(scene, link):
        answer = await ask(scene.client, search(link.kind, **{link.parameter: target, "_count": 1000}))
        assert answer.status == 200, answer.body
        expected = {each for each, targets in left.items() if target in targets}
        told += _differ(f"{link.parameter}={target}", set(found(answer.json)), expected)
    return told


async def by_chain(scene: Scene, link: Link) -> list[str]:
    """Search by the id of each target, by way of its type: what the caller cannot read is not tested, where its reference stays too."""
    told, left = list[str](), _left(scene, link)
    for target in _targets(scene, link):
        kind, _, id_ = target.partition("/")
        if not scene.may(kind, "search"):
            continue
        answer = await ask(scene.client, search(link.kind, **{f"{link.parameter}:{kind}._id": id_, "_count": 1000}))
        if answer.status == 400:  # the parameter does not lead to that type
            continue
        assert answer.status == 200, answer.body
        expected = {each for each, targets in left.items() if target in targets and scene.oracle.reads(scene.caller, target)}
        told += _differ(f"{link.parameter}:{kind}._id={id_}", set(found(answer.json)), expected)
    return told


async def by_missing(scene: Scene, link: Link) -> list[str]:
    told, left = list[str](), _left(scene, link)
    for missing in (True, False):
        answer = await ask(scene.client, search(link.kind, **{f"{link.parameter}:missing": str(missing).lower(), "_count": 1000}))
        assert answer.status == 200, answer.body
        expected = {each for each in left if _stands(scene, link, each) != missing}
        told += _differ(f"{link.parameter}:missing={missing}", set(found(answer.json)), expected)
    return told


def _stands(scene: Scene, link: Link, target: str) -> bool:
    """Whether the element is in the copy at all: a reference to another host, or in words, is not missing."""
    values: list[object] = [scene.oracle.copy(scene.caller, scene.resource(target))]
    for name in link.path.split("."):
        below = [each[name] for each in values if isinstance(each, dict) and name in each]
        values = [each for one in below for each in (one if isinstance(one, list) else [one])]
    return any(isinstance(each, dict) and "reference" in each for each in values)


async def by_sort(scene: Scene, link: Link) -> list[str]:
    """Sorted by the reference, what has none stands together: a reference that was left out gives no other place."""
    told = list[str]()
    for order in (link.parameter, f"-{link.parameter}"):
        answer = await ask(scene.client, search(link.kind, _sort=order, _count=1000))
        assert answer.status == 200, answer.body
        came = found(answer.json)
        told += _differ(f"_sort={order}", set(came), set(_left(scene, link)))
        blocks = [_stands(scene, link, each) for each in came]
        if sum(one != other for one, other in pairwise(blocks)) > 1:
            told.append(f"_sort={order}: what has none does not stand together")
    return told


async def by_include(scene: Scene, link: Link) -> list[str]:
    """What is included is read, not searched for, and decided on its own as all that is reached in any way (domain.md 4.2, rule 5)."""
    answer = await ask(scene.client, search(link.kind, _include=f"{link.kind}:{link.parameter}", _count=1000))
    assert answer.status == 200, answer.body
    matched, left = set(found(answer.json)), _left(scene, link)
    expected = {target for targets in left.values() for target in targets if scene.oracle.reads(scene.caller, target)}
    return _differ(f"_include={link}", set(found(answer.json, "include")) | (expected & matched), expected)


async def by_has(scene: Scene, link: Link) -> list[str]:
    """Targets by what points at them."""
    told, left = list[str](), _left(scene, link)
    for kind in sorted({target.split("/")[0] for target in _targets(scene, link)}):
        if not scene.may(kind, "search"):
            continue
        request = search(kind, **{f"_has:{link.kind}:{link.parameter}:_lastUpdated": "gt2000-01-01", "_count": 1000})
        answer = await ask(scene.client, request)
        if answer.status == 400:  # the parameter does not lead to that type
            continue
        assert answer.status == 200, answer.body
        expected = {target for targets in left.values() for target in targets if target.startswith(f"{kind}/")} & scene.visible
        told += _differ(str(request), set(found(answer.json)), expected)
    return told


def _differ(what: str, got: set[str], expected: set[str]) -> list[str]:
    return [] if got == expected else [f"{what}: leaked {sorted(got - expected)}, missing {sorted(expected - got)}"]


BY_REFERENCE: dict[str, Callable[[Scene, Link], Awaitable[list[str]]]] = {
    "target": by_target, "chain": by_chain, "missing": by_missing, "sort": by_sort, "include": by_include, "has": by_has,
}  # fmt: skip


async def strays(scene: Scene, door: str) -> list[str]:
    """What is found by a reference that the caller does not get to see, or is not found by one that is seen, in words."""
    asked = (link for link in LINKS if scene.may(link.kind, "search"))
    return [f"{scene.caller.name}, {link} by {door}: {each}" for link in asked for each in await BY_REFERENCE[door](scene, link)]
