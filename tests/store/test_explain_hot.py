"""What the benchmark asks is answered from indexes, as each database plans it over an agency of some thousand Observations.

The statements are those that the front door really sends, with the callers' visibility in them.
"""
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple, cast

import pytest

from bench import population
from bench.work import WORKS, Agency, Ask, Work
from recovery_api.store.statement import SqlValue
from recovery_api.store.tables import consent_rule
from recovery_api.store.visibility import SYSTEM
from tests.api import Api, serving
from tests.callers import staff, system
from tests.databases import Databases, Kind
from tests.statements import Asked

OBSERVATIONS = 4_000
WHOLE = ("Seq Scan", "SCAN ", "(type=?)")
"""How a plan says that it reads all of a table, or all resources of a type."""
SMALL = (
    "relation", "clock", "stamp_sequence", "json_each", "CONSTANT ROW", "subquery", "anon_", "index_row", "party_row",
    "link", "page", "reached", "versions", "client_context", "aimed_at",
)  # fmt: skip
"""Tables that are small, one row, or no tables."""
RULES = "type = 'PlanDefinition'"
"""Asks whether the rules have changed, which are few: by all of them."""


class Office(NamedTuple):
    api: Api
    agency: Agency


@pytest.fixture(scope="module")
async def office(databases: Databases, migrated_template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Office]:
    url = databases.clone(migrated_template)
    async with serving(url, tmp_path_factory.mktemp("office")) as api:
        api.clock.set(datetime.now(UTC))  # as the benchmark's agency is made
        clients = await population.populate(api.running, OBSERVATIONS)
        companions = range(clients // population.CLIENTS_OF_COMPANION)
        tokens = tuple((each, api.token(staff(f"companion-{each:04}", "companion"))) for each in companions)
        manager, ehr = api.token(staff("manager-0000", "case-manager")), api.token(system("ehr", "ehr", "org-riverbend"))
        await _consents_of_others(api)
        for token in (*(token for _, token in tokens), manager, ehr):  # who first asks is looked up, and begins the audit chain
            assert (await api.http.get("Practitioner/companion-0000", headers={"authorization": f"Bearer {token}"})).status_code == 200
        yield Office(api, Agency(clients, tokens, manager, ehr))
    databases.drop(url)


async def _consents_of_others(api: Api) -> None:
    """As many clients as Observations have consented too: of a few rules, PostgreSQL reads all at once."""
    columns = [column.name for column in consent_rule.columns]
    async with api.running.server.store.writer(SYSTEM) as writer:
        [row] = await writer.connection.fetch(f"SELECT {', '.join(columns)} FROM consent_rule LIMIT 1")
        said = dict(zip(columns, cast("Sequence[SqlValue]", row), strict=True))
        rules = [(*(said | {"client": f"client-{each}", "consent": f"c-{each}"}).values(),) for each in range(OBSERVATIONS)]
        await writer.connection.copy("consent_rule", columns, rules)
        if writer.statements.dialect == "postgresql":
            await writer.connection.execute("ANALYZE consent_rule")


async def _asked(office: Office, ask: Ask, status: int) -> list[Asked]:
    headers = {"authorization": f"Bearer {ask.token}", "content-type": "application/fhir+json"}
    headers |= {"if-match": ask.if_match} if ask.if_match else {}
    with office.api.statements() as asked:
        answer = await office.api.http.request(ask.method, ask.path.removeprefix("/fhir").lstrip("/"), content=ask.body, headers=headers)
    assert answer.status_code == status, answer.text
    return [one for one in asked if not one.sql.startswith("COPY")]


async def _plan(office: Office, asked: Asked, kind: Kind) -> list[str]:
    explain = "EXPLAIN" if kind == "postgresql" else "EXPLAIN QUERY PLAN"
    async with office.api.running.server.store.writer(SYSTEM) as writer:
        return [str(row[-1]) for row in await writer.connection.fetch(f"{explain} {asked.sql}", asked.values)]


@pytest.mark.slow
@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.slug)
async def test_what_is_asked_often_reads_no_table_whole(office: Office, database_kind: Kind, work: Work) -> None:
    statements = await _asked(office, work.ask(office.agency, 0), work.status)
    assert statements
    for asked in {one.sql: one for one in statements}.values():
        whole = [line.strip() for line in await _plan(office, asked, database_kind) if any(mark in line for mark in WHOLE)]
        known = (*SMALL, "(type=?)") if RULES in asked.sql else SMALL
        assert [line for line in whole if not any(name in line for name in known)] == [], asked.sql


@pytest.mark.slow
async def test_everything_of_a_client_reads_no_table_whole(office: Office, database_kind: Kind) -> None:
    """Of this few, the parties are hashed at once; of an agency ten times as large, they are looked up."""
    client, token = office.agency.meeting(0)
    ask = Ask("GET", f"/fhir/Patient/{population.client_id(client)}/$everything", token)
    for asked in await _asked(office, ask, 200):
        whole = [line.strip() for line in await _plan(office, asked, database_kind) if any(mark in line for mark in WHOLE)]
        assert [line for line in whole if not any(name in line for name in (*SMALL, "party"))] == [], asked.sql
