"""In a wide world every copy is the one that the oracle leaves, and no reference that was left out finds anything."""

import pytest

from tests.callers import AUNT_POINTING, CHEN, LEO, MAYA, OMAR, RUTH, SAM, SYS_LAKESIDE, SYS_RIVERBEND, WIDE_CALLERS, Caller
from tests.contract.differences import scene
from tests.contract.direct import Direct
from tests.contract.matrix import MATRIX
from tests.contract.reference_doors import BY_REFERENCE, strays
from tests.contract.served import SERVED, misserved
from tests.wider import wide
from tests.world import by_id

WIDE = by_id(wide().resources)
KINDS = sorted({kind for kind, _ in WIDE})


@pytest.mark.parametrize("door", SERVED)
@pytest.mark.parametrize("caller", WIDE_CALLERS.values(), ids=lambda caller: caller.name)
async def test_every_copy_is_the_one_that_the_oracle_leaves(caller: Caller, door: str, wide_api: Direct):
    readable = [kind for kind in KINDS if kind in MATRIX[caller.role]]
    told = await misserved(scene(wide_api, caller, WIDE), door, readable)
    assert not told, "\n".join(told[:40])


@pytest.mark.parametrize("door", BY_REFERENCE)
@pytest.mark.parametrize(
    "caller", [MAYA, LEO, RUTH, OMAR, CHEN, SYS_RIVERBEND, SYS_LAKESIDE, AUNT_POINTING, SAM], ids=lambda caller: caller.name
)
async def test_a_reference_that_was_left_out_finds_nothing(caller: Caller, door: str, wide_api: Direct):
    told = await strays(scene(wide_api, caller, WIDE), door)
    assert not told, "\n".join(told[:40])
