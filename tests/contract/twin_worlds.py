"""Two servers over the same world, which are then changed where a caller does not see it, and are put back for the next pair.

Both are loaded at one moment and asked at a later one. In between, first, what the caller sees may be told anew in both at one moment,
with a difference that is left out of the caller's copy; then what is hidden is changed in the other, by versions and deletions as others
would make them: so the last stamp of the two differs, while clock, ids and all that the caller sees are equal (world.md, Decision 18).
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from copy import deepcopy
from pathlib import Path

from recovery_api.fhir.json import JsonObject
from recovery_api.store.tables import metadata
from recovery_api.store.visibility import SYSTEM
from tests.api import Api, serving
from tests.contract.direct import Direct
from tests.databases import Databases
from tests.world import by_id

ByKey = Mapping[tuple[str, str], JsonObject]
TABLES = tuple(table.name for table in metadata.sorted_tables if not table.name.startswith("audit_"))
A_QUARTER = 15.0  # of a minute


class TwinWorlds:
    def __init__(self, resources: Sequence[JsonObject], one: Api, other: Api) -> None:
        self.resources, self.one, self.other = resources, one, other

    def __repr__(self) -> str:
        """Short: hypothesis tells of what a failing test was given."""
        return "two worlds"

    async def pair(self, one_world: Sequence[JsonObject], other_world: Sequence[JsonObject]) -> tuple[Direct, Direct]:
        """The two worlds; ids begin anew in both. What differs in the one from the world that was loaded is told anew in both."""
        loaded = by_id(self.resources)
        retold = [key for key, each in by_id(one_world).items() if loaded.get(key) != each]
        for api, world in ((self.one, one_world), (self.other, other_world)):
            await _put_back(api)
            api.clock.move(seconds=-3 * A_QUARTER)
            await api.load(deepcopy([by_id(world)[key] for key in retold]))
            api.clock.move(seconds=A_QUARTER)
        await _change(self.other, {**loaded, **{key: by_id(other_world)[key] for key in retold}}, by_id(other_world))
        for api in (self.one, self.other):
            api.clock.move(seconds=2 * A_QUARTER)
        return Direct(self.one), Direct(self.other)


@asynccontextmanager
async def twin_worlds(databases: Databases, template: str, folder: Path, resources: Sequence[JsonObject]) -> AsyncIterator[TwinWorlds]:
    """Servers with the same keys, over databases of their own: clones of a template that holds the resources."""
    async with serving(databases.clone(template), folder) as one, serving(databases.clone(template), folder) as other:
        for api in (one, other):
            await _keep(api)
            api.clock.move(seconds=4 * A_QUARTER)
        yield TwinWorlds(resources, one, other)


async def _keep(api: Api) -> None:
    async with api.running.server.store.writer(SYSTEM) as writer:
        for table in TABLES:
            await writer.connection.execute(f"CREATE TABLE kept_{table} AS SELECT * FROM {table}")


async def _put_back(api: Api) -> None:
    async with api.running.server.store.writer(SYSTEM) as writer:
        for table in TABLES:
            await writer.connection.execute(f"DELETE FROM {table}")
            await writer.connection.execute(f"INSERT INTO {table} SELECT * FROM kept_{table}")
        if writer.statements.dialect == "postgresql":
            await writer.connection.fetch("SELECT setval('stamp_sequence', (SELECT max(last_updated) FROM resource))")


async def _change(api: Api, was: ByKey, becomes: ByKey) -> None:
    await api.load(deepcopy([each for key, each in becomes.items() if was.get(key) != each]))
    async with api.running.server.store.writer(SYSTEM) as writer:
        for kind, id_ in was.keys() - becomes.keys():
            await writer.delete(kind, id_, expected=1)
