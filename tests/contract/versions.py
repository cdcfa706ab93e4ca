"""Which versions of a resource a caller sees: each by its own content and state, under the stricter of its own labels and the current ones
(world.md, Decision 3; domain.md 4.2, 4). What was once raised by hand stays raised."""

from collections.abc import Sequence
from datetime import datetime

from tests.callers import Caller
from tests.contract.content import Resource, World
from tests.contract.labels import ACT, SENSITIVE, Labels
from tests.contract.oracle import Oracle


def visible_versions(caller: Caller, world: World, versions: Sequence[Resource], now: datetime) -> list[int]:
    """The numbers of the versions that the caller sees, of a resource that has these versions in a world; none where the last is hidden."""
    key = versions[-1]["resourceType"], versions[-1]["id"]
    raised = frozenset(each["code"] for version in versions for each in version.get("meta", {}).get("security", ()))
    last = _under(versions[-1], raised)
    current = {**world, key: last}
    if not Oracle(current, now).sees(caller, last):
        return []
    labels = Labels(current).of(last) & SENSITIVE
    strict = [_under(version, labels) for version in versions]
    return [number for number, each in enumerate(strict, 1) if Oracle({**world, key: each}, now).sees(caller, each)]


def _under(version: Resource, labels: frozenset[str]) -> Resource:
    """A version with these labels beside what its content tells."""
    return version | {"meta": {"security": [{"system": ACT, "code": each} for each in sorted(labels)]}}
