"""Jobs: work that is kept in the database until it is done, step by step, by whichever worker takes it next.

A worker has a job by a lease. One that dies lets its lease run out, and the next goes on where the last finished step ended: what was
not said to be done never was.
"""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple, cast

from sqlalchemy import BigInteger, ClauseElement, Integer, LargeBinary, Text, delete, func, insert, literal_column, select, update
from sqlalchemy.types import TypeEngine

from recovery_api.store.reader import Reader
from recovery_api.store.statement import bind, text
from recovery_api.store.tables import job, job_file, relation
from recovery_api.store.writer import Writer

DONE, FAILED = "done", "failed"
GATHERED: Final = "gathered"
"""The relation in which a job stands to the clients that it is about."""


class Job(NamedTuple):
    """One job. `owner` says whose it is; times are stamps (microseconds, UTC); `outcome` is '', DONE or FAILED."""

    id: str
    kind: str
    owner: str
    outcome: str
    created: int
    touched: int
    leased_until: int
    lease: int
    tries: int
    expires: int
    asked: bytes
    """What was asked for, as JSON."""
    progress: bytes
    """How far it came, as JSON; empty at first."""


class JobFile(NamedTuple):
    """A file of a job; the table says what the fields are."""

    job: str
    number: int
    part: str
    type: str
    name: str
    resources: int
    size: int
    packed: int


_BYTES = frozenset({"asked", "progress"})
_TEXTS = frozenset({"id", "kind", "owner", "outcome", "job", "part", "type", "name"})


async def add(writer: Writer, new: Job) -> None:
    """Write a new job."""
    statement = writer.statements.fixed("job-add", lambda: insert(job).values({name: _value(name) for name in Job._fields}))
    await writer.connection.execute(statement.text, statement.values(_named(new)))


async def find(reader: Reader, id: str, now: int) -> Job | None:
    """The job, if it has not expired."""
    there = (job.c.id == _value("id"), job.c.expires > _value("now"))
    statement = reader.statements.fixed("job-find", lambda: select(*_columns()).where(*there))
    rows = await reader.connection.fetch(statement.text, statement.values({"of_id": id, "of_now": now}))
    return Job._make(cast("Any", rows[0])) if rows else None


async def unfinished(reader: Reader, owner: str) -> int:
    """How many of somebody's jobs are not at their end."""
    mine = (job.c.owner == _value("owner"), job.c.outcome == text(""))
    statement = reader.statements.fixed("job-unfinished", lambda: select(func.count()).select_from(job).where(*mine))
    [row] = await reader.connection.fetch(statement.text, statement.values({"of_owner": owner}))
    return cast("int", row[0])


async def is_due(reader: Reader, now: int) -> bool:
    """Whether a job waits to be taken."""
    statement = reader.statements.fixed("job-due", lambda: select(job.c.id).where(*_due()).limit(literal_column("1", Integer)))
    return bool(await reader.connection.fetch(statement.text, statement.values({"of_now": now})))


async def take(writer: Writer, until: int) -> Job | None:
    """The job that has waited longest, now leased until the stamp; other processes take others."""
    find, lease = writer.statements.steps("job-take", _taking)
    rows = await writer.connection.fetch(find.text, find.values({"of_now": writer.stamp}))
    if not rows:
        return None
    found = Job._make(cast("Any", rows[0]))
    taken = found._replace(lease=found.lease + 1, tries=found.tries + 1, leased_until=until, touched=writer.stamp)
    await writer.connection.execute(lease.text, lease.values(_named(taken)))
    return taken


async def hold(writer: Writer, mine: Job, until: int) -> bool:
    """Lengthen the lease; False where the job is not there any more, or another's."""
    statement = writer.statements.fixed("job-hold", lambda: update(job).values(leased_until=_value("leased_until")).where(*_mine()))
    return await writer.connection.execute(statement.text, statement.values(_named(mine._replace(leased_until=until)))) == 1


async def advance(writer: Writer, mine: Job, files: Sequence[JobFile] = ()) -> bool:
    """Say how far the job came, and which files it made on the way; the lease ends. False where it is not there any more, or another's."""
    statement = writer.statements.fixed("job-advance", _advancing)
    if await writer.connection.execute(statement.text, statement.values(_named(mine._replace(touched=writer.stamp)))) != 1:
        return False
    if files:
        await writer.connection.copy("job_file", JobFile._fields, files)
    return True


async def files(reader: Reader, id: str) -> list[JobFile]:
    """The files of a job, in the order in which they were made."""
    found = select(*(job_file.c[name] for name in JobFile._fields)).where(job_file.c.job == _value("id")).order_by(job_file.c.number)
    statement = reader.statements.fixed("job-files", lambda: found)
    return [JobFile._make(cast("Any", row)) for row in await reader.connection.fetch(statement.text, statement.values({"of_id": id}))]


async def expired(reader: Reader, now: int) -> list[str]:
    """The ids of the jobs that have expired."""
    statement = reader.statements.fixed("job-expired", lambda: select(job.c.id).where(job.c.expires <= _value("now")))
    return [cast("str", row[0]) for row in await reader.connection.fetch(statement.text, statement.values({"of_now": now}))]


async def drop(writer: Writer, id: str) -> None:
    """Forget a job and what it knows of its files and clients."""
    for statement in writer.statements.steps("job-drop", _dropping):
        await writer.connection.execute(statement.text, statement.values({"of_id": id}))


def _columns() -> list[Any]:
    return [job.c[name] for name in Job._fields]


def _value(name: str) -> Any:
    kind: Any = LargeBinary() if name in _BYTES else Text() if name in _TEXTS else BigInteger()
    return bind(f"of_{name}", cast("TypeEngine[Any]", kind))


def _named(one: Job) -> dict[str, Any]:
    return {f"of_{name}": value for name, value in one._asdict().items()}


def _due() -> tuple[Any, ...]:
    return job.c.outcome == text(""), job.c.leased_until <= _value("now"), job.c.expires > _value("now")


def _mine() -> tuple[Any, ...]:
    return job.c.id == _value("id"), job.c.lease == _value("lease"), job.c.outcome == text("")


def _taking() -> tuple[ClauseElement, ...]:
    waiting = select(*_columns()).where(*_due()).order_by(job.c.touched, job.c.id).limit(literal_column("1", Integer))
    taken = {name: _value(name) for name in ("lease", "tries", "leased_until", "touched")}
    return waiting.with_for_update(skip_locked=True), update(job).values(taken).where(job.c.id == _value("id"))


def _advancing() -> ClauseElement:
    said = {name: _value(name) for name in ("outcome", "touched", "leased_until", "tries", "expires", "progress")}
    return update(job).values(said).where(*_mine())


def _dropping() -> tuple[ClauseElement, ...]:
    return (
        delete(job).where(job.c.id == _value("id")),
        delete(job_file).where(job_file.c.job == _value("id")),
        delete(relation).where(relation.c.source_type == text("Job"), relation.c.source_id == _value("id")),
    )
