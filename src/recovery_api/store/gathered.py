"""The clients that a job is about, and what opens them to whoever asked for it: so that nothing is given on what does not hold any more."""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple, cast

from sqlalchemy import BigInteger, ClauseElement, Integer, Select, Text, literal_column, or_, select
from sqlalchemy.sql.expression import ColumnElement

from recovery_api.store.consented import MEMBERSHIPS
from recovery_api.store.consents import COLUMNS, row_of
from recovery_api.store.jobs import GATHERED
from recovery_api.store.position import position
from recovery_api.store.reader import Reader
from recovery_api.store.records import ALWAYS, NEVER, ConsentRule
from recovery_api.store.related import standing_now
from recovery_api.store.relations import COLUMNS as RELATION
from recovery_api.store.statement import Dialect, bind, in_list, one_of, text, text_list
from recovery_api.store.tables import consent_rule, history, relation, resource
from recovery_api.store.writer import Writer

OPENED: Final = "opened"
"""Of a client of whom more may be seen than before."""
_SAID: Final = tuple(name for name in COLUMNS if name not in {"starts", "ends"})


class Terms(NamedTuple):
    """A rule that bears on somebody: what it says, and from when until when (stamps)."""

    client: str
    consent: str
    said: tuple[object, ...]
    starts: int
    ends: int

    def holds(self, stamp: int) -> bool:
        """It is in force at that moment."""
        return self.starts <= stamp < self.ends


async def gather(writer: Writer, job: str, clients: Iterable[str], opened: frozenset[str]) -> None:
    """Say which clients (ids) a job is about; of the `opened` ones all is new."""
    fields = {"kind": GATHERED, "holder": f"Job/{job}", "organization": "", "starts": ALWAYS, "ends": NEVER}
    fields |= {"source_type": "Job", "source_id": job}
    rows = [fields | {"client": each, "qualifier": OPENED if each in opened else ""} for each in clients]
    await writer.connection.copy("relation", RELATION, [tuple([row[name] for name in RELATION]) for row in rows])


async def next_clients(reader: Reader, job: str, start: str, count: int) -> list[str]:
    """Some of the clients that a job is about, in order, from this one on."""
    statement = reader.statements.fixed("gathered", _gathered)
    named = {"job": f"Job/{job}", "start": start, "limit": count}
    return [cast("str", row[0]) for row in await reader.connection.fetch(statement.text, statement.values(named))]


async def bearing(reader: Reader, clients: Sequence[str]) -> list[Terms]:
    """What the Consents of these clients say that bears on the reader's caller, now or ever, as they are."""
    dialect = reader.statements.dialect
    statement = reader.statements.fixed("bearing", lambda: _bearing(dialect))
    rows = await reader.fetch(statement, {"clients": text_list(clients, dialect)})
    return [_terms(dict(zip(COLUMNS, row, strict=True))) for row in rows]


async def standing(reader: Reader, job: str) -> str:
    """What opens the job's clients to the reader's caller now, in short: another text as soon as a part of it is another."""
    statement = reader.statements.fixed("standing", _standing)
    digest = hashlib.sha256()
    for row in await reader.fetch(statement, {"job": f"Job/{job}"}):
        digest.update(repr(tuple(row)).encode())
    return digest.hexdigest()


async def opened_since(
    reader: Reader, clients: Sequence[str], since: int, rules: Callable[[bytes], Iterable[ConsentRule]]
) -> frozenset[str]:
    """Those of the clients whose Consents say something else to the reader's caller than they did then. `rules` reads a Consent."""
    now = cast("int", reader.visibility.binds["now"])
    today = await bearing(reader, clients)
    names, changed = await _names(reader), await _changed(reader, clients, since)
    before = [each for each in today if (each.client, each.consent) not in changed]
    before += [each for body in changed.values() if body for each in map(_of_rule, rules(body)) if _bears(each, names)]
    then, there = (Counter(each[:3] for each in terms if each.holds(at)) for terms, at in ((before, since), (today, now)))
    return frozenset(client for client, *_ in (then - there) + (there - then))


async def _names(reader: Reader) -> frozenset[str]:
    """What the caller goes by in a Consent."""
    holder = cast("str", reader.visibility.binds["holder"])
    where = standing_now(MEMBERSHIPS, holder)
    statement = reader.statements.get(("names", holder), lambda: reader.statements.compiled(select(relation.c.client).where(*where)))
    rows = await reader.fetch(statement, {})
    return frozenset((holder, cast("str", reader.visibility.binds["organization"]), *(cast("str", row[0]) for row in rows)))


async def _changed(reader: Reader, clients: Sequence[str], since: int) -> dict[tuple[str, str], bytes | None]:
    """By client and id, the Consents that were written since, as they were then; None for what was not there."""
    dialect = reader.statements.dialect
    statement = reader.statements.fixed("consents-since", lambda: _versions(dialect))
    rows = await reader.fetch(statement, {"clients": text_list(clients, dialect), "since": since})
    return {(client, id_): body for client, id_, body in cast("Sequence[tuple[str, str, bytes | None]]", rows)}


def _terms(row: dict[str, Any]) -> Terms:
    return Terms(row["client"], row["consent"], tuple([row[name] for name in _SAID]), row["starts"], row["ends"])


def _of_rule(rule: ConsentRule) -> Terms:
    return _terms(dict(zip(COLUMNS, row_of(rule), strict=True)))


def _bears(terms: Terms, names: frozenset[str]) -> bool:
    actors = str(terms.said[_SAID.index("actors")])
    return not actors or bool(names & set(actors.split()))


def _gathered() -> ClauseElement:
    mine = (relation.c.holder == bind("job", Text()), relation.c.kind == text(GATHERED), relation.c.client >= bind("start", Text()))
    return select(relation.c.client).where(*mine).order_by(relation.c.client).limit(bind("limit", BigInteger()))


def _bears_on_caller() -> ColumnElement[bool]:
    holder = bind("holder", Text())
    member = relation.c.holder == holder, one_of(relation.c.kind, MEMBERSHIPS), _named(relation.c.client)
    named = (consent_rule.c.actors == text(""), _named(holder), _named(bind("organization", Text())))
    return or_(*named, select(relation.c.client).where(*member).correlate_except(relation).exists())


def _named(name: ColumnElement[str]) -> ColumnElement[bool]:
    return position(consent_rule.c.actors, text(" ") + name + text(" ")) > literal_column("0", Integer)


def _bearing(dialect: Dialect) -> ClauseElement:
    return select(*(consent_rule.c[name] for name in COLUMNS)).where(in_list(consent_rule.c.client, "clients", dialect), _bears_on_caller())


def _of_job(client: ColumnElement[str]) -> Iterator[ColumnElement[bool]]:
    about = relation.alias("about")
    gathered = select(about.c.client).where(about.c.holder == bind("job", Text()), about.c.kind == text(GATHERED))
    yield client.in_(gathered)


def _standing() -> ClauseElement:
    now = bind("now", BigInteger())
    current = (consent_rule.c.starts <= now, consent_rule.c.ends > now)
    said = [consent_rule.c[name] for name in COLUMNS]
    found: Select[Any] = select(*said).where(*_of_job(consent_rule.c.client), *current, _bears_on_caller())
    return found.order_by(*said)


def _versions(dialect: Dialect) -> ClauseElement:
    since = bind("since", BigInteger())
    earlier = history.alias()
    as_of = (earlier.c.type == text("Consent"), earlier.c.id == resource.c.id, earlier.c.last_updated <= since)
    body = select(earlier.c.body).where(*as_of).order_by(earlier.c.version.desc()).limit(literal_column("1", Integer)).scalar_subquery()
    written = (resource.c.type == text("Consent"), in_list(resource.c.client, "clients", dialect), resource.c.last_updated > since)
    return select(resource.c.client, resource.c.id, body).where(*written)
