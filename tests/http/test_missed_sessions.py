"""A session that did not begin and no word for a day: what the server tells, of whom, and that it does so once (domain.md 2.4)."""
import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from recovery_api.fhir.json import JsonObject
from recovery_api.interactions import validate
from recovery_api.interactions.care.missed_sessions import tell
from tests.api import Api, serving
from tests.callers import LEO, MAYA, OMAR
from tests.databases import Databases
from tests.http.escalating import escalations
from tests.http.recorded import called_off, made, moved
from tests.http.resources import CANON, session
from tests.world import Story

PLANNED = {"start": "2026-11-10T12:30:00Z", "end": "2026-11-10T14:00:00Z"}
DAY = 24 * 60 * 60
UNTIL_THEN = 2 * 60 * 60 + DAY
"""Seconds from T0 to a day after the session should have ended."""
CONCERN = f"Observation?code={CANON}/CodeSystem/companion-observation|safety-concern"


@pytest.fixture
async def acute(databases: Databases, migrated_template: str, tmp_path: Path) -> AsyncIterator[Api]:
    """The fixture world, where ben, a client of leo and omar, has acuity 3."""
    story, url = Story(), databases.clone(migrated_template)
    story.find("EpisodeOfCare/eoc-ben")["extension"] = [{"url": f"{CANON}/StructureDefinition/acuity", "valueInteger": 3}]
    async with serving(url, tmp_path, story.resources) as server:
        yield server
    databases.drop(url)


async def planned(api: Api, client: str = "ben") -> str:
    by = {"ben": LEO, "ana": MAYA}[client]
    return await made(api.as_(by), session(client, by.name, period=PLANNED))


async def concerns(api: Api) -> list[JsonObject]:
    return (await api.as_(OMAR).get(f"{CONCERN}&patient=ben")).matches


async def test_a_day_after_a_missed_session_it_is_told_once_and_escalated(acute: Api) -> None:
    encounter, server = await planned(acute), acute.running.server
    acute.clock.move(seconds=UNTIL_THEN - 1)
    await tell(server)
    assert await concerns(acute) == []
    acute.clock.move(seconds=2)
    await asyncio.gather(*(tell(server) for _ in range(3)))
    [told] = await concerns(acute)
    validate.check(told, "Observation")
    assert told["encounter"] == {"reference": encounter}
    [task] = await escalations(acute, "ben", OMAR)
    assert task["instantiatesCanonical"].startswith(f"{CANON}/PlanDefinition/escalation-safety-no-contact|")
    assert (task["priority"], task["reasonReference"]) == ("urgent", {"reference": f"Observation/{told['id']}"})
    assert (task["owner"], task["encounter"]) == ({"reference": "Practitioner/omar"}, {"reference": encounter})
    acute.clock.move(seconds=DAY)
    await tell(server)
    assert len(await concerns(acute)) == 1


async def test_a_round_with_nothing_new_writes_nothing(acute: Api) -> None:
    await planned(acute)
    server = acute.running.server
    acute.clock.move(seconds=UNTIL_THEN + 1)
    stamps: list[int] = []
    for _ in range(3):
        await tell(server)
        async with server.store.reader(server.grants.system) as reader:
            stamps.append(await reader.last_stamp())
    assert stamps[0] == stamps[1] == stamps[2]


@pytest.mark.parametrize("heard", ["began", "cancelled", "checked in", "met since"])
async def test_who_was_heard_of_is_not_missed(acute: Api, heard: str) -> None:
    leo, encounter = acute.as_(LEO), await planned(acute)
    if heard == "cancelled":
        assert (await leo.patch(encounter, called_off())).status == 200
    elif heard == "checked in":
        said = {"resourceType": "Parameters", "parameter": [{"name": "status", "valueCode": "ok"}]}
        assert (await leo.post(f"{encounter}/$check-in", said)).status == 200
    elif heard == "met since":
        acute.clock.move(seconds=3 * 60 * 60)
        encounter = await made(leo, session("ben", "leo"))
    if heard in {"began", "met since"}:
        for status in ("arrived", "in-progress"):
            assert (await leo.patch(encounter, moved(status))).status == 200
    acute.clock.move(seconds=UNTIL_THEN + 1)
    await tell(acute.running.server)
    assert await concerns(acute) == []


async def test_of_who_is_less_acute_nothing_is_told(acute: Api) -> None:
    await planned(acute, "ana")
    acute.clock.move(seconds=UNTIL_THEN + 1)
    await tell(acute.running.server)
    assert (await acute.as_(MAYA).get(f"{CONCERN}&patient=ana")).matches == []
    assert await escalations(acute) == []
