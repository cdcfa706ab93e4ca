"""The copies that come through the doors, held against what the oracle leaves of each resource."""

import base64
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any

from tests.contract.asking import Request, ask, link, posted, search
from tests.contract.content import Resource
from tests.contract.doors import Scene

Copies = list[Resource]


def resources(bundle: Mapping[str, Any]) -> Copies:
    found = [each["resource"] for each in bundle.get("entry", ()) if "resource" in each]
    return [each for each in found if each["resourceType"] != "OperationOutcome"]


async def _single(scene: Scene, kind: str, path: str) -> Copies:
    answers = [await ask(scene.client, Request("GET", path.format(target=target))) for target in sorted(scene.seen(kind))]
    return [each.json for each in answers if each.status == 200]


async def _bundled(scene: Scene, request: Request) -> Copies:
    """What stands in a Bundle and in the pages after it; nothing where the door is closed to the role."""
    copies, following = Copies(), await ask(scene.client, request)
    while following.status == 200:
        copies += resources(following.json)
        page = link(following.json, "next")
        if page is None:
            break
        following = await ask(scene.client, Request("GET", page))
    return copies


SERVED: Mapping[str, Callable[[Scene, str], Awaitable[Copies]]] = {
    "read": lambda scene, kind: _single(scene, kind, "{target}"),
    "vread": lambda scene, kind: _single(scene, kind, "{target}/_history/1"),
    "search": lambda scene, kind: _bundled(scene, search(kind, _count=1000)),
    "search, page by page": lambda scene, kind: _bundled(scene, search(kind, _count=13, _sort="-_lastUpdated,_id")),
    "POST _search": lambda scene, kind: _bundled(scene, posted(kind, _count=1000)),
    "history of the type": lambda scene, kind: _bundled(scene, Request("GET", f"{kind}/_history?_count=1000")),
    "_revinclude": lambda scene, kind: _bundled(scene, search("Patient", _revinclude=f"{kind}:*", _count=1000)),
    "_include": lambda scene, kind: _bundled(scene, search(kind, _include="*", _count=1000)),
}
NEVER_SEARCHED = {"Binary"}


async def misserved(scene: Scene, door: str, kinds: Iterable[str]) -> list[str]:
    """What comes through the door and is not the copy that the oracle leaves, in words."""
    told: list[str] = []
    for kind in kinds:
        if kind in NEVER_SEARCHED and door not in ("read", "vread"):
            continue
        for copy in await SERVED[door](scene, kind):
            target = f"{copy['resourceType']}/{copy['id']}"
            if target not in scene.visible:
                told.append(f"{scene.caller.name}, {door} of {kind}: got {target}, which is hidden")
            elif wrong := elements_that_differ(scene, copy):
                told.append(f"{scene.caller.name}, {door} of {kind}: {target} differs in {wrong}")
    return told


def elements_that_differ(scene: Scene, copy: Resource) -> dict[str, Any]:
    """By element: what was served, and what was to be served."""
    outside = scene.oracle.outside(scene.caller)
    expected = scene.oracle.copy(scene.caller, scene.world[copy["resourceType"], copy["id"]])
    got, wanted = (_comparable(each, outside=outside) for each in (copy, expected))
    if copy["resourceType"] == "Binary" and outside and _text(copy).startswith(_text(expected)):
        got["data"] = wanted["data"]
    return {name: (got.get(name), wanted.get(name)) for name in sorted(got.keys() | wanted.keys()) if got.get(name) != wanted.get(name)}


def _text(binary: Resource) -> str:
    return base64.b64decode(binary.get("data", "")).decode()


def _comparable(resource: Resource, *, outside: bool) -> Resource:
    """A copy without what is the server's own: its `meta`; outside, the size and hash of a text to which the notice is appended
    (domain.md 6); the members of a recipient group, who are computed (world.md, Decision 17)."""
    left = {name: value for name, value in resource.items() if name != "meta"}
    if resource["resourceType"] == "Group":
        left.pop("member", None)
    if resource["resourceType"] == "DocumentReference" and outside:
        left["content"] = [each | {"attachment": _without_size(each["attachment"])} for each in resource["content"]]
    return left


def _without_size(attachment: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in attachment.items() if name not in ("size", "hash")}
