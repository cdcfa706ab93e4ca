"""Every role finds, in a world with somebody for every rule, exactly what the oracle says."""

from collections.abc import Sequence

import pytest

from tests.callers import CHEN, MAYA, RUTH, SYS_RIVERBEND, WIDE_CALLERS, Caller
from tests.contract.asking import ask, found, search
from tests.contract.differences import differences, scene
from tests.contract.direct import Direct
from tests.contract.doors import DIRECT, LINKS, SEARCHES, Door, about
from tests.wider import wide
from tests.world import by_id

WIDE = by_id(wide().resources)


@pytest.mark.parametrize("doors", [SEARCHES, LINKS, DIRECT[:1]], ids=["searches", "links", "reads"])
@pytest.mark.parametrize("caller", WIDE_CALLERS.values(), ids=lambda caller: caller.name)
async def test_in_a_wide_world_every_caller_finds_what_the_oracle_says(caller: Caller, doors: Sequence[Door], wide_api: Direct):
    told = await differences(scene(wide_api, caller, WIDE), doors)
    assert not told, "\n".join(told)


@pytest.mark.parametrize("caller", [MAYA, RUTH, CHEN, SYS_RIVERBEND], ids=lambda caller: caller.name)
async def test_revincludes_bring_only_what_the_caller_sees(caller: Caller, wide_api: Direct):
    before = scene(wide_api, caller, WIDE)
    for kind in ("Observation", "DocumentReference", "Encounter", "Condition", "Consent"):
        answer = await ask(before.client, search("Patient", _revinclude=f"{kind}:patient", _count=1000))
        expected = {each for each in before.seen(kind) if about(before, each) in before.visible}
        assert set(found(answer.json, "include")) == expected
        assert set(found(answer.json)) == before.seen("Patient")
