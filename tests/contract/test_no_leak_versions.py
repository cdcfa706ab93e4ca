"""Of what has several versions a caller gets those that the oracle says, by read, by version and by history."""

from collections.abc import AsyncIterator
from copy import deepcopy
from pathlib import Path

import pytest

from tests.api import serving
from tests.callers import CHEN, LEO, OMAR, SYS_RIVERBEND, Caller, app
from tests.changing import changing
from tests.contract.asking import Request, ask
from tests.contract.direct import Direct
from tests.contract.versions import visible_versions
from tests.databases import Databases
from tests.wider import wide
from tests.world import T0, by_id

APP = app("raised")


STORY = wide()
CHANGED = changing(STORY)
WORLD = by_id(STORY.resources)


@pytest.fixture(scope="module")
async def changed_api(databases: Databases, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Direct]:
    async with serving(databases.clone(migrated_template), Path(tmp_path_factory.mktemp("versions")), STORY.resources) as api:
        for number in range(1, max(map(len, CHANGED.values()))):
            api.clock.move(seconds=60)
            await api.load(deepcopy([versions[number] for versions in CHANGED.values() if number < len(versions)]))
        yield Direct(api)


@pytest.mark.parametrize("target", CHANGED)
@pytest.mark.parametrize("caller", [CHEN, SYS_RIVERBEND, LEO, OMAR, APP], ids=lambda caller: caller.name)
async def test_each_version_is_judged_by_itself_and_under_the_labels_of_now(caller: Caller, target: str, changed_api: Direct):
    expected = visible_versions(caller, WORLD, CHANGED[target], T0)
    client, numbers = changed_api.as_(caller), range(1, len(CHANGED[target]) + 1)
    read = [number for number in numbers if (await ask(client, Request("GET", f"{target}/_history/{number}"))).status == 200]
    history = await ask(client, Request("GET", f"{target}/_history"))
    listed = [int(each["resource"]["meta"]["versionId"]) for each in history.json.get("entry", ()) if "meta" in each.get("resource", {})]
    assert (read, sorted(listed)) == (expected, expected)
    assert history.status == (200 if expected else 404)
    assert history.json.get("total", 0) == len(expected)
