"""Hot queries are answered from indexes, with one statement, on both databases."""

from collections.abc import Sequence

import pytest

from recovery_api.fhir.search.expression import Bind, Chain, ClientOf, Expression, IndexRow, Own, Party, Row, both, either, param_number
from recovery_api.fhir.search.expression import Test as Passes
from recovery_api.store.bulk import Item, load
from recovery_api.store.engine import Row as DatabaseRow
from recovery_api.store.records import Facets, Relation
from recovery_api.store.search import SearchQuery, SortKey, page_statement
from recovery_api.store.statement import SqlValue
from recovery_api.store.unit import Store
from recovery_api.store.visibility import SYSTEM, Visibility

CLIENTS, EACH = 30, 40
OBSERVATION = ("Observation",)
HERS = Own("client", "=", "client7")
CODE = Row("Observation.code", (Passes("system", "=", "s"), Passes("value", "=", "c3")))
DATE = Row("Observation.date", (Passes("high", ">", 5.0), Passes("low", "<", 30.0)))
NAMED = Chain("Observation.patient", (("Patient", Row("Patient.name", (Passes("value", "prefix", "name7"),))),))
SEEN = Visibility(
    "companion",
    {
        "Observation": either(ClientOf(("companion",), Bind("holder")), Party(("performer",), Bind("holder"))),
        "Patient": ClientOf(("companion",), Bind("holder")),
    },
    binds={"holder": "Practitioner/ana", "now": 50},
)
HOT = {
    "patient": SearchQuery(OBSERVATION, HERS),
    "patient and code": SearchQuery(OBSERVATION, both(HERS, CODE)),
    "patient, code and date": SearchQuery(OBSERVATION, both(HERS, CODE, DATE)),
    "patient by date": SearchQuery(OBSERVATION, HERS, (SortKey("Observation.date", descending=True),)),
    "patient chained": SearchQuery(OBSERVATION, both(NAMED, CODE)),
    "code": SearchQuery(OBSERVATION, CODE),
    "date": SearchQuery(OBSERVATION, DATE),
}


@pytest.fixture
async def full(store: Store) -> Store:
    async with store.writer(SYSTEM) as writer:
        for number in range(CLIENTS):
            client = f"client{number}"
            await writer.project("CareTeam", client, [Relation("companion", f"Practitioner/{number % 5}", client)])
            name = IndexRow(param_number("Patient.name"), value=f"name{number}")
            items = [Item("Patient", client, 1, False, b"", Facets(client), [name])]
            for at in range(EACH):
                code = IndexRow(param_number("Observation.code"), "s", f"c{at % 10}")
                date = IndexRow(param_number("Observation.date"), low=float(at), high=at + 1.0)
                parties = (("performer", f"Practitioner/{at}"),)
                items.append(Item("Observation", f"{client}-{at}", 1, False, b"", Facets(client, parties=parties), [code, date]))
            await load(writer, items)
        await writer.connection.execute("ANALYZE")
    return store


async def _plan(store: Store, query: SearchQuery) -> list[str]:
    statement, values = page_statement(query, SEEN, store.statements)
    explain = "EXPLAIN " if store.statements.dialect == "postgresql" else "EXPLAIN QUERY PLAN "
    async with store.writer(SYSTEM) as writer:
        if store.statements.dialect == "postgresql":  # a few rows are read faster whole: ask for the plan of many
            await writer.connection.execute("SET LOCAL enable_seqscan = off")
        return [str(row[-1]) for row in await writer.connection.fetch(explain + statement.text, values)]


@pytest.mark.parametrize("name", HOT)
async def test_a_hot_query_uses_indexes_only(full: Store, name: str) -> None:
    plan = await _plan(full, HOT[name])
    scans = [line for line in plan if "Seq Scan" in line or line.startswith("SCAN ")]
    small = ("relation", "clock", "stamp_sequence", "SCAN page", "SCAN link", "SCAN CONSTANT ROW")
    assert [line for line in scans if not any(name in line for name in small)] == []
    assert any("search_index_" in line or "resource_" in line or "sqlite_autoindex_resource" in line for line in plan)


@pytest.mark.parametrize("name", HOT)
async def test_a_page_is_one_statement(full: Store, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    async with full.reader(SEEN) as reader:
        fetch = reader.connection.fetch

        async def remember(sql: str, values: Sequence[SqlValue] = ()) -> Sequence[DatabaseRow]:
            asked.append(sql)
            return await fetch(sql, values)

        monkeypatch.setattr(reader.connection, "fetch", remember)
        await reader.search(HOT[name])
    assert len(asked) == 1


@pytest.mark.parametrize("where", [HERS, both(HERS, CODE), DATE], ids=["patient", "code", "date"])
async def test_questions_of_one_shape_share_a_statement(full: Store, where: Expression) -> None:
    first, _ = page_statement(SearchQuery(OBSERVATION, where), SEEN, full.statements)
    other = Visibility(SEEN.key, SEEN.rules, binds={"holder": "Practitioner/bo", "now": 60})
    second, values = page_statement(SearchQuery(OBSERVATION, where), other, full.statements)
    assert second is first
    assert "Practitioner/bo" in values
