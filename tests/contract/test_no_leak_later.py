"""While time goes by, every caller finds what the oracle says of that moment: nobody writes, and consents begin and end."""

from datetime import timedelta

import pytest

from tests.callers import CHEN, IRIS, LENA, LEO, SYS_HARBOR, SYS_RIVERBEND
from tests.contract.asking import Request, ask, found, link, search
from tests.contract.differences import differences, scene
from tests.contract.direct import Direct
from tests.contract.doors import DIRECT, LINKS, SEARCHES
from tests.wider import wide
from tests.world import T0, by_id

WIDE = by_id(wide().resources)
READ, SEARCH, COUNT = DIRECT[0], SEARCHES[0], next(each for each in SEARCHES if each.name == "_total=accurate")
CHAIN = next(each for each in LINKS if each.name == "chain")
CALLERS = (CHEN, SYS_RIVERBEND, SYS_HARBOR, LEO, LENA, IRIS)


@pytest.mark.timeout(900)
async def test_consents_teams_and_supervision_begin_and_end_by_the_clock_alone(moved_api: Direct):
    views: set[frozenset[str]] = set()
    for later in (timedelta(hours=11, minutes=59), timedelta(hours=12), timedelta(days=2), timedelta(days=4), timedelta(days=31)):
        now = T0 + later
        moved_api.api.clock.set(now)
        fresh = Direct(moved_api.api)
        for caller in CALLERS:
            before = scene(fresh, caller, WIDE, now)
            told = await differences(before, [READ, SEARCH, COUNT, CHAIN])
            assert not told, "\n".join([f"after {later}:", *told])
        views.add(scene(fresh, CHEN, WIDE, now).visible)
    assert len(views) == 4, "nothing begins or ends for Chen"


async def test_a_page_that_is_asked_for_after_a_consent_has_ended_holds_nothing_of_it(moved_api: Direct):
    first = await ask(moved_api.as_(SYS_RIVERBEND), search("Encounter", patient="Patient/with-last-day,Patient/p1", _sort="_id", _count=1))
    following = link(first.json, "next")
    assert following
    moved_api.api.clock.set(T0 + timedelta(hours=12))
    rest: list[str] = []
    while following:
        page = (await ask(moved_api.as_(SYS_RIVERBEND), Request("GET", following))).json
        rest += found(page)
        following = link(page, "next")
    assert rest
    assert not any("with-last-day" in each for each in rest)
