"""Every door to a resource, as a table: how to ask for all that can be had of a type through it, and what the oracle then expects."""

import base64
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.callers import Caller
from tests.contract.asking import Client, Request, ask, batch, found, link, posted, search
from tests.contract.content import Resource, World, client_of, reference, references
from tests.contract.matrix import may
from tests.contract.oracle import Oracle

Answer = set[str] | int  # `Type/id`s, or the status where the door as a whole was refused
PATIENT_COMPARTMENT = frozenset(
    {"CarePlan", "CareTeam", "Condition", "Consent", "DocumentReference", "Encounter", "EpisodeOfCare", "Goal", "Observation"}
)
WITH_PATIENT_PARAMETER = PATIENT_COMPARTMENT | {
    "AllergyIntolerance",
    "Coverage",
    "Flag",
    "MedicationRequest",
    "Procedure",
    "RiskAssessment",
    "Task",
}
WITH_ENCOUNTER = {"Observation": "encounter", "DocumentReference": "encounter"}
WRITTEN = frozenset({"Binary"})
WORDS = ("startle", "anniversary", "library", "naming", "naloxone", "routine", "unfinished")


@dataclass(frozen=True)
class Scene:
    """One caller before one world; what may be asked for, and what there is to see."""

    client: Client
    caller: Caller
    world: World
    oracle: Oracle
    visible: frozenset[str]

    def ids(self, kind: str) -> list[str]:
        return [id_ for each, id_ in self.world if each == kind]

    def seen(self, kind: str) -> set[str]:
        return {each for each in self.visible if each.startswith(f"{kind}/")}

    def may(self, kind: str, interaction: str) -> bool:
        return may(self.caller.role, kind, interaction)

    def resource(self, target: str) -> Resource:
        kind, _, id_ = target.partition("/")
        return self.world[kind, id_]


@dataclass(frozen=True)
class Door:
    name: str
    opens: Callable[[Scene, str], Awaitable[Answer]]
    expects: Callable[[Scene, str], set[str]]
    needs: str = "search"  # the right on the type without which the answer is 403
    kinds: frozenset[str] | None = None  # none: every type of the world


def seen(scene: Scene, kind: str) -> set[str]:
    return scene.seen(kind)


# one by one ----------------------------------------------------------------------------------------------------------
def each(request: Callable[[str], Request], *good: int) -> Callable[[Scene, str], Awaitable[Answer]]:
    """Ask for every resource of the type by itself: it is there, or it is not found."""

    async def opens(scene: Scene, kind: str) -> Answer:
        got: set[str] = set()
        for id_ in scene.ids(kind):
            target = f"{kind}/{id_}"
            status = (await ask(scene.client, request(target))).status
            if status == 403:
                return 403
            assert status in (200, *good, 404), f"{request(target)}: {status}"
            if status != 404:
                got.add(target)
        return got

    return opens


async def batched(scene: Scene, kind: str) -> Answer:
    targets = [f"{kind}/{id_}" for id_ in scene.ids(kind)]
    answer = await ask(scene.client, batch(*(("GET", target) for target in targets)))
    assert answer.status == 200, answer.body
    statuses = [int(entry["response"]["status"][:3]) for entry in answer.json["entry"]]
    assert set(statuses) <= {200, 404} or set(statuses) == {403}, statuses
    if 403 in statuses:
        return 403
    return {target for target, status in zip(targets, statuses, strict=True) if status == 200}


# searches ------------------------------------------------------------------------------------------------------------
def bundled(request: Callable[[str], Request], mode: str | None = "match") -> Callable[[Scene, str], Awaitable[Answer]]:
    """Ask once, and follow the pages."""

    async def opens(scene: Scene, kind: str) -> Answer:
        first = await ask(scene.client, request(kind))
        if first.status != 200:
            return first.status
        got, following, pages = found(first.json, mode), link(first.json, "next"), 0
        while following:
            pages += 1
            assert pages < 500, "pages without end"
            answer = await ask(scene.client, Request("GET", following))
            assert answer.status == 200, answer.body
            got += found(answer.json, mode)
            following = link(answer.json, "next")
        assert mode is None or len(got) == len(set(got)), "a resource came twice"
        return set(got)

    return opens


def counted(request: Callable[[str], Request]) -> Callable[[Scene, str], Awaitable[Answer]]:
    """Ask for the total only. Answers are as many made-up names, to be compared by number."""

    async def opens(scene: Scene, kind: str) -> Answer:
        answer = await ask(scene.client, request(kind))
        return answer.status if answer.status != 200 else {f"{kind}/{n}" for n in range(answer.json["total"])}

    return opens


def numbered(scene: Scene, kind: str) -> set[str]:
    return {f"{kind}/{n}" for n in range(len(scene.seen(kind)))}


def by_ids(post: bool = False) -> Callable[[Scene, str], Awaitable[Answer]]:
    async def opens(scene: Scene, kind: str) -> Answer:
        ids = ",".join(scene.ids(kind))
        return await bundled(lambda kind: (posted if post else search)(kind, _id=ids, _count=1000))(scene, kind)

    return opens


# from one resource to another ----------------------------------------------------------------------------------------
def about(scene: Scene, target: str) -> str:
    return client_of(scene.resource(target))


def clients(scene: Scene) -> list[str]:
    return [f"Patient/{id_}" for id_ in scene.ids("Patient")]


def per_client(request: Callable[[str, str], Request]) -> Callable[[Scene, str], Awaitable[Answer]]:
    """Ask once for every client of the world. A role that may not read the type that is walked through gets 403, or nothing."""

    async def opens(scene: Scene, kind: str) -> Answer:
        got: set[str] = set()
        for client in clients(scene):
            answer = await ask(scene.client, request(kind, client))
            if not scene.may(kind, "search"):
                return answer.status
            if not scene.may("Patient", "search") and answer.status in (403, 404):
                continue
            if answer.status in (403, 404):
                assert client not in scene.visible, f"{request(kind, client)}: {answer.status}"
                continue
            assert answer.status == 200, answer.body
            assert set(found(answer.json)) <= {each for each in scene.seen(kind) if about(scene, each) == client}, request(kind, client)
            got |= set(found(answer.json))
        return got

    return opens


def of_readable_clients(scene: Scene, kind: str) -> set[str]:
    return {each for each in scene.seen(kind) if about(scene, each) in scene.visible}


def per_encounter(request: Callable[[str, str], Request]) -> Callable[[Scene, str], Awaitable[Answer]]:
    async def opens(scene: Scene, kind: str) -> Answer:
        got: set[str] = set()
        for id_ in scene.ids("Encounter"):
            answer = await ask(scene.client, request(kind, id_))
            if not scene.may(kind, "search"):
                return answer.status
            if answer.status == 403 and not scene.may("Encounter", "search"):
                continue
            assert answer.status == 200, answer.body
            if f"Encounter/{id_}" not in scene.visible:
                assert not found(answer.json), request(kind, id_)
            got |= set(found(answer.json))
        return got

    return opens


def of_clients(scene: Scene, kind: str) -> set[str]:
    """The reference that names the client is never hidden in what can be read (world.md, Decision 5)."""
    return {each for each in scene.seen(kind) if about(scene, each)}


def of_readable_encounters(scene: Scene, kind: str) -> set[str]:
    def sessions(target: str) -> set[str]:
        resource = scene.resource(target)
        return {reference(resource.get("encounter"))} | references(resource.get("context", {}).get("encounter"))

    return {each for each in scene.seen(kind) if sessions(each) & scene.visible}


async def by_has(scene: Scene, kind: str) -> Answer:
    """Patients of whom something of the type can be found."""
    request = search("Patient", **{f"_has:{kind}:patient:_id": ",".join(scene.ids(kind)), "_count": 1000})
    answer = await ask(scene.client, request)
    if answer.status == 403:
        assert not (scene.may("Patient", "search") and scene.may(kind, "search")), answer.body
        return set()
    return set(found(answer.json)) if answer.status == 200 else answer.status


def with_something(scene: Scene, kind: str) -> set[str]:
    return {about(scene, each) for each in scene.seen(kind)} & scene.visible if scene.may("Patient", "search") else set()


def included(scene: Scene, kind: str) -> set[str]:
    return {about(scene, each) for each in scene.seen(kind)} & scene.visible


# text ----------------------------------------------------------------------------------------------------------------
async def by_content(scene: Scene, kind: str) -> Answer:
    """Which notes each word finds, as `word/id`."""
    got: set[str] = set()
    for word in WORDS:
        answer = await ask(scene.client, search(kind, _content=word, _count=1000))
        if answer.status != 200:
            return answer.status
        got |= {f"{word}/{each}" for each in found(answer.json)}
    return got


def with_words(scene: Scene, kind: str) -> set[str]:
    def text(target: str) -> str:
        urls = (each["attachment"].get("url", "") for each in scene.resource(target)["content"])
        bodies = (scene.resource(url).get("data", "") for url in urls if url)
        return " ".join(base64.b64decode(each).decode() for each in bodies).lower()

    return {f"{word}/{each}" for each in scene.seen(kind) for word in WORDS if word in text(each)}


DIRECT = (
    Door("read", each(lambda target: Request("GET", target)), seen, "read"),
    Door("HEAD", each(lambda target: Request("HEAD", target)), seen, "read"),
    Door("vread", each(lambda target: Request("GET", f"{target}/_history/1")), seen, "read"),
    Door("conditional read", each(lambda target: Request("GET", target, headers={"if-none-match": 'W/"1"'}), 304), seen, "read"),
    Door("read as it is", each(lambda target: Request("GET", target, headers={"accept": "text/plain"})), seen, "read", WRITTEN),
    Door("read as a page", each(lambda target: Request("GET", target, headers={"accept": "application/pdf"})), seen, "read", WRITTEN),
    Door("history of an instance", each(lambda target: Request("GET", f"{target}/_history")), seen, "read"),
    Door("batch", batched, seen, "read"),
)
SEARCHES = (
    Door("search, page by page", bundled(lambda kind: search(kind, _count=2)), seen),
    Door("search, at once", bundled(lambda kind: search(kind, _count=1000)), seen),
    Door("search by _id", by_ids(), seen),
    Door("POST _search by _id", by_ids(post=True), seen),
    Door("search by _lastUpdated", bundled(lambda kind: search(kind, _lastUpdated="gt2000-01-01", _count=1000)), seen),
    Door("_sort=_id", bundled(lambda kind: search(kind, _sort="_id", _count=7)), seen),
    Door("_sort=-_lastUpdated", bundled(lambda kind: search(kind, _sort="-_lastUpdated,_id", _count=7)), seen),
    Door("_sort=patient", bundled(lambda kind: search(kind, _sort="-patient", _count=7)), seen, kinds=WITH_PATIENT_PARAMETER),
    Door("_elements", bundled(lambda kind: search(kind, _elements="id", _count=1000)), seen),
    Door("_total=accurate", counted(lambda kind: search(kind, _total="accurate", _count=1)), numbered),
    Door("_summary=count", counted(lambda kind: search(kind, _summary="count")), numbered),
    Door("_count=0", counted(lambda kind: search(kind, _count=0)), numbered),
    Door("search of the system", bundled(lambda kind: search("", _type=kind, _count=1000)), seen),
    Door("history of a type", bundled(lambda kind: Request("GET", f"{kind}/_history?_count=1000"), None), seen),
    Door("_content", by_content, with_words, kinds=frozenset({"DocumentReference"})),
)
LINKS = (
    Door(
        "compartment",
        per_client(lambda kind, client: search(f"{client}/{kind}", _count=1000)),
        of_clients,
        kinds=PATIENT_COMPARTMENT,
    ),
    Door(
        "chain",
        per_client(lambda kind, client: search(kind, **{"patient:Patient._id": client.removeprefix("Patient/"), "_count": 1000})),
        of_readable_clients,
        kinds=WITH_PATIENT_PARAMETER,
    ),
    Door(
        "chain by encounter",
        per_encounter(lambda kind, id_: search(kind, **{"encounter:Encounter._id": id_, "_count": 1000})),
        of_readable_encounters,
        kinds=frozenset(WITH_ENCOUNTER),
    ),
    Door(
        "search by reference to an encounter",
        per_encounter(lambda kind, id_: search(kind, encounter=f"Encounter/{id_}", _count=1000)),
        of_readable_encounters,
        kinds=frozenset(WITH_ENCOUNTER),
    ),
    Door("_has", by_has, with_something, "", WITH_PATIENT_PARAMETER),
    Door(
        "_include",
        bundled(lambda kind: search(kind, _include=f"{kind}:patient", _count=1000), "include"),
        included,
        kinds=WITH_PATIENT_PARAMETER,
    ),
)
