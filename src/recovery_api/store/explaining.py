"""Why somebody may or may not see something of a client: the relations and consent rules that bear on it, as queries would judge them."""

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

from sqlalchemy import BigInteger, Boolean, FromClause, Integer, Select, Text, literal_column, select
from sqlalchemy import cast as as_type

from recovery_api.store.compile import Compiler
from recovery_api.store.connected import Connected
from recovery_api.store.consented import Consents
from recovery_api.store.records import ConsentRule, Relation
from recovery_api.store.statement import SqlValue, bind, text
from recovery_api.store.tables import consent_rule, relation


class Like(NamedTuple):
    """A resource as it could be, of no access class. `labels` are bits."""

    client: str
    type: str
    labels: int = 0
    released: bool = True
    """It is in a state in which it may be seen outside."""
    codes: str = ""
    """The codings by which Consents may mean it, a list of "system|code" (store/consents.py)."""
    happened_from: int | None = None
    happened_until: int | None = None
    """Its clinical date; None: it has none."""

    @property
    def values(self) -> dict[str, SqlValue]:
        """What a statement about it binds."""
        return {f"like_{name}": value for name, value in self._asdict().items()}


class Bearing(NamedTuple):
    """A consent rule that applies: the Consent's logical id, the place of the provision in it ("0": its root), permit or deny."""

    consent: str
    path: str
    effect: str


async def judged(reader: Connected, like: Like) -> bool:
    """Whether the reader's visibility shows a current resource like this one."""
    statement = reader.statements.get(
        ("judged", like.type, reader.visibility.key),
        lambda: reader.statements.compiled(_judging(reader, like.type)),
    )
    return bool(await reader.fetch(statement, like.values))


def _judging(reader: Connected, type: str) -> Select[int]:
    row = _row()
    compiler = Compiler(reader.statements.dialect, reader.statements.parameters, reader.visibility)
    return select(literal_column("1", Integer)).select_from(row).where(compiler.visible_one(row, (type,)))


async def bearing(reader: Connected, like: Like) -> list[Bearing]:
    """The rules of the client's Consents that apply to such a resource and the one through whose visibility the reader reads."""
    statement = reader.statements.fixed(
        f"bearing-{like.type}", lambda: Consents(_row(), (like.type,), person=like.type == "Patient").bearing()
    )
    return [Bearing(*cast("tuple[str, str, str]", row)) for row in await reader.fetch(statement, like.values)]


def _row() -> FromClause:
    """One row as `resource` has them. It has no index rows, and no version that names anybody."""
    number = literal_column("0", BigInteger)
    return select(
        as_type(bind("like_client", Text()), Text).label("client"),
        as_type(bind("like_type", Text()), Text).label("type"),
        as_type(bind("like_labels", BigInteger()), BigInteger).label("labels"),
        as_type(bind("like_released", Boolean()), Boolean).label("released"),
        as_type(bind("like_codes", Text()), Text).label("codes"),
        *(as_type(bind(f"like_{name}", BigInteger()), BigInteger).label(name) for name in ("happened_from", "happened_until")),
        *(as_type(text(""), Text).label(name) for name in ("id", "kind", "creator")),
        *(number.label(name) for name in ("version", "created", "last_updated")),
    ).subquery("resource_like")


async def kinds_of(reader: Connected, holder: str) -> frozenset[str]:
    """The relations in which somebody stands to anybody, now or at any time."""
    statement = reader.statements.fixed(
        "kinds-of", lambda: select(relation.c.kind).where(relation.c.holder == bind("named", Text())).distinct()
    )
    return frozenset(cast("str", row[0]) for row in await reader.fetch(statement, {"named": holder}))


async def relations_of(reader: Connected, client: str, now: int) -> list[Relation]:
    """Who stands in which relation to the client now: members of the care team, their supervisors, representatives, recipients."""
    at = bind("now", BigInteger())
    statement = reader.statements.fixed(
        "relations-of-client",
        lambda: (
            select(*(relation.c[name] for name in Relation._fields))
            .where(relation.c.client == bind("client", Text()), relation.c.starts <= at, relation.c.ends > at)
            .distinct()
            .order_by(relation.c.kind, relation.c.holder)
        ),
    )
    rows = await reader.connection.fetch(statement.text, statement.values({"client": client, "now": now}))
    return [Relation(*cast("tuple[str, str, str, str, str, int, int]", row)) for row in rows]


async def rules_of(reader: Connected, client: str, now: int) -> list[ConsentRule]:
    """What the client's Consents say, so far as it is in force now."""
    at = bind("now", BigInteger())
    statement = reader.statements.fixed(
        "rules-of-client",
        lambda: (
            select(*(consent_rule.c[name] for name in _SAID), consent_rule.c.data_from, consent_rule.c.data_until)
            .where(consent_rule.c.client == bind("client", Text()), consent_rule.c.starts <= at, consent_rule.c.ends > at)
            .order_by(consent_rule.c.consent, consent_rule.c.path, consent_rule.c.labels, consent_rule.c.code)
        ),
    )
    rows = await reader.connection.fetch(statement.text, statement.values({"client": client, "now": now}))
    return [_rule(row) for row in rows]


_SAID = tuple(name for name in ConsentRule._fields if name != "data")
_LISTS = ("actors", "actors_within", "purposes", "classes")


def _rule(row: Sequence[Any]) -> ConsentRule:
    *said, first, until = row
    named: dict[str, Any] = dict(zip(_SAID, said, strict=True))
    named |= {name: tuple(named[name].split()) for name in _LISTS}
    return ConsentRule(**named, data=None if first is None else (first, until))
