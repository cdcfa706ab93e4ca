"""What a caller gets through doors, held against what the oracle says."""

from collections.abc import Sequence
from datetime import datetime

from tests.callers import Caller
from tests.contract.content import World
from tests.contract.direct import Direct
from tests.contract.doors import Door, Scene
from tests.contract.matrix import MATRIX
from tests.contract.oracle import Oracle
from tests.world import T0

ALL_TYPES = frozenset().union(*(rights for rights in MATRIX.values()))
NEVER_SEARCHED = {"Binary"}


_ORACLES: dict[tuple[int, datetime], Oracle] = {}


def scene(api: Direct, caller: Caller, world: World, now: datetime = T0) -> Scene:
    """The caller before a world, which nobody changes any more: what is to be seen of it is worked out once."""
    oracle = _ORACLES.get((id(world), now)) or _ORACLES.setdefault((id(world), now), Oracle(world, now))
    return Scene(api.as_(caller), caller, world, oracle, frozenset(oracle.visible(caller)))


async def differences(before: Scene, doors: Sequence[Door]) -> list[str]:
    """What a caller gets through the doors and should not, or should get and does not, in words."""
    told: list[str] = []
    for door in doors:
        for kind in sorted(
            {kind for kind, _ in before.world} & (door.kinds or ALL_TYPES) - (NEVER_SEARCHED if door.needs == "search" else set())
        ):
            answer = await door.opens(before, kind)
            expected = door.expects(before, kind) if not door.needs or before.may(kind, door.needs) else 403
            if answer != expected:
                told.append(f"{before.caller.name}, {door.name} of {kind}: {_difference(answer, expected)}")
    return told


def _difference(answer: set[str] | int, expected: set[str] | int) -> str:
    if isinstance(answer, int) or isinstance(expected, int):
        return f"got {answer}, expected {expected}"
    return f"leaked {sorted(answer - expected)}, missing {sorted(expected - answer)}"
