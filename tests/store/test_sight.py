"""The rules of all types as one condition say what each type's own rule says, and ask each thing once."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import Select, select

from recovery_api.fhir.search.expression import EVERYTHING, NOTHING, ClientOf, Consented, Expression, Not, Own, Party, Via, both, either
from recovery_api.store.compile import Compiler, Scope
from recovery_api.store.reader import Reader
from recovery_api.store.sight import branches, leads_to_seen
from recovery_api.store.tables import resource
from tests.api import Api, serving
from tests.callers import WIDE_CALLERS, Caller
from tests.databases import Databases
from tests.wider import wide

CLIENT, TEAM = ClientOf(("companion",), "Practitioner/maya"), ClientOf(("team",), "Practitioner/maya")
MOST = 40
"""Sub-selects in all rules of a role: PostgreSQL begins them all each time that the statement runs."""
MINE, RELEASED, KIND = Party(("author",), "Practitioner/maya"), Own("released", "=", True), Own("kind", "=", "note")


@pytest.fixture(scope="module")
async def world(databases: Databases, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Api]:
    async with serving(databases.clone(migrated_template), tmp_path_factory.mktemp("sight"), wide().resources) as api:
        yield api


@pytest.mark.parametrize(
    ("rule", "ways"),
    [
        (EVERYTHING, [set()]),
        (NOTHING, []),
        (MINE, [{MINE}]),
        (both(CLIENT, Not(KIND), MINE), [{CLIENT, Not(KIND), MINE}]),
        (both(CLIENT, either(RELEASED, KIND)), [{CLIENT, either(RELEASED, KIND)}]),
        (both(either(CLIENT, TEAM), Consented()), [{either(CLIENT, TEAM), Consented()}]),
        (both(CLIENT, either(RELEASED, MINE)), [{CLIENT, RELEASED}, {CLIENT, MINE}]),
        (either(CLIENT, both(RELEASED, either(MINE, Via("target")))), [{CLIENT}, {RELEASED, MINE}, {RELEASED, Via("target")}]),
    ],
)
def test_a_rule_holds_in_as_many_ways_as_it_has_choices_that_cost(rule: Expression, ways: list[set[Expression]]) -> None:
    assert list(map(set, branches(rule))) == ways


@pytest.mark.parametrize("caller", {each.role: each for each in WIDE_CALLERS.values()}.values(), ids=lambda caller: caller.name)
async def test_all_rules_at_once_let_through_what_each_types_rule_does(world: Api, caller: Caller) -> None:
    server = world.running.server
    actor = await world.running.callers.actor(world.token(caller))
    async with server.store.reader(server.grants.rows(actor, server.clock(), reading=True)) as reader:
        compiler = Compiler(reader.statements.dialect, reader.statements.parameters, reader.visibility)
        types = tuple(reader.visibility.rules)
        found = select(resource.c.type, resource.c.id).order_by(resource.c.type, resource.c.id)
        at_once = found.where(leads_to_seen(compiler, resource.c.type, resource.c.id, types))
        by_type = found.where(compiler.visible(Scope(resource, types, single=True)))
        assert await _fetched(reader, at_once) == await _fetched(reader, by_type) != []
        assert reader.statements.compiled(at_once).text.count("SELECT") <= MOST


async def _fetched(reader: Reader, found: Select[str, str]) -> list[tuple[str, ...]]:
    return [tuple(map(str, row)) for row in await reader.fetch(reader.statements.compiled(found), {})]
