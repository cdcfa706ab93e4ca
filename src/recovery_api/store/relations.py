"""Relations: who stands to whom, projected from the resources that say so, in the transaction that writes them.

Sources say the base kinds (domain.md 4.2, world.md):

=============== ================================ ============================ =================================
kind            holder                           client                       said by
=============== ================================ ============================ =================================
companion …     Practitioner                     Patient id                   CareTeam.participant
practitioner-of PractitionerRole                 its Practitioner             PractitionerRole (active, period)
supervises      supervisor's PractitionerRole    companion's PractitionerRole the companion's PractitionerRole
delegates       delegate's PractitionerRole      supervisor's PractitionerRole the supervisor's PractitionerRole
=============== ================================ ============================ =================================

From these follow, with the time that all of their parts share, and as relations of the companion's Practitioner:

======================= ======================================== ===========================
supervises-practitioner Practitioner, supervisor or delegate     companion's Practitioner
supervises-role         Practitioner, supervisor or delegate     companion's PractitionerRole
supervised              Practitioner, supervisor or delegate     Patient id
======================= ======================================== ===========================

so that one look into the index answers who supervises whom now.
"""

from collections.abc import Sequence
from typing import Any, Final, cast

from sqlalchemy import ClauseElement, ColumnElement, Select, Text, delete, func, insert, literal, select, union

from recovery_api.store.connected import Connected
from recovery_api.store.records import Relation
from recovery_api.store.statement import bind, in_list, text_list
from recovery_api.store.statements import Statements
from recovery_api.store.tables import relation

COLUMNS = ("source_type", "source_id", *Relation._fields)
STAFF_KINDS: Final = frozenset({"practitioner-of", "supervises", "delegates"})
DERIVED: Final = ("supervises-practitioner", "supervises-role", "supervised")
_STAFF_LOCK, _COMPANION_LOCK = 1, 2


async def project(writer: Connected, source_type: str, source_id: str, relations: Sequence[Relation]) -> None:
    """Make these, and no others, the relations that the source says; make those that follow anew."""
    statements, connection = writer.statements, writer.connection
    source = {"said_by_type": source_type, "said_by_id": source_id}
    known = statements.fixed("relations-of-source", lambda: select(*(relation.c[name] for name in Relation._fields)).where(*_said()))
    before = [Relation._make(cast("Any", row)) for row in await connection.fetch(known.text, known.values(source))]
    if set(before) == set(relations):
        return
    changed = [*before, *relations]
    staff = any(one.kind in STAFF_KINDS for one in changed)
    companions = {one.holder for one in changed if one.kind == "companion"}
    if staff or companions:
        await _lock(writer, _STAFF_LOCK, "", shared=not staff)
    if staff:
        companions |= await _companions_of(writer, changed)
    if before:
        gone = statements.fixed("unproject", lambda: delete(relation).where(*_said()))
        await connection.execute(gone.text, gone.values(source))
    if relations:
        await connection.copy("relation", COLUMNS, [(source_type, source_id, *one) for one in relations])
    if staff:
        companions |= await _companions_of(writer, changed)
    for companion in sorted(companions):
        await _lock(writer, _COMPANION_LOCK, companion, shared=False)
    if companions:
        ids = [companion.removeprefix("Practitioner/") for companion in sorted(companions)]
        listed = {"companions": text_list(sorted(companions), statements.dialect), "ids": text_list(ids, statements.dialect)}
        for step in statements.steps("derive", lambda: _derivation(statements)):
            await connection.execute(step.text, step.values(listed))


def _said() -> tuple[ColumnElement[bool], ...]:
    return (
        relation.c.source_type == bind("said_by_type", Text()),
        relation.c.source_id == bind("said_by_id", Text()),
        relation.c.kind.not_in(DERIVED),
    )


async def _lock(writer: Connected, number: int, name: str, *, shared: bool) -> None:
    """Two transactions that touch the same companion's supervision follow each other (SQLite's always do)."""
    if writer.statements.dialect == "postgresql":
        lock = func.pg_advisory_xact_lock_shared if shared else func.pg_advisory_xact_lock
        key = f"lock-{'shared' if shared else 'alone'}-{number}"
        statement = writer.statements.fixed(key, lambda: select(lock(number, func.hashtext(bind("name", Text())))))
        await writer.connection.fetch(statement.text, statement.values({"name": name}))


async def _companions_of(writer: Connected, changed: Sequence[Relation]) -> set[str]:
    """The Practitioners whose supervision a change between staff can touch."""
    roles = {reference for one in changed if one.kind in STAFF_KINDS for reference in (one.holder, one.client)}
    statement = writer.statements.fixed("companions-of", lambda: _companions(writer.statements))
    rows = await writer.connection.fetch(statement.text, statement.values({"roles": text_list(sorted(roles), writer.statements.dialect)}))
    people = {one.client for one in changed if one.kind == "practitioner-of"}
    return people | {cast("str", row[0]) for row in rows}


def _companions(statements: Statements) -> ClauseElement:
    """Practitioners of roles that are named, or supervised by ones that are named, or by ones whose delegates are named."""
    role, supervision, delegation = relation.alias(), relation.alias(), relation.alias()
    named = select(supervision.c.client).where(
        supervision.c.kind == "supervises", in_list(supervision.c.holder, "roles", statements.dialect)
    )
    delegated = (
        select(supervision.c.client)
        .where(supervision.c.kind == "supervises", delegation.c.kind == "delegates", delegation.c.client == supervision.c.holder)
        .where(in_list(delegation.c.holder, "roles", statements.dialect))
    )
    concerned = role.c.holder.in_(union(named, delegated)) | in_list(role.c.holder, "roles", statements.dialect)
    return select(role.c.client).where(role.c.kind == "practitioner-of", concerned)


def _derivation(statements: Statements) -> tuple[ClauseElement, ...]:
    gone = delete(relation).where(
        relation.c.kind.in_(DERIVED),
        relation.c.source_type == "Practitioner",
        in_list(relation.c.source_id, "ids", statements.dialect),
    )
    return (
        gone,
        *(_derived(statements, kind, by_delegate=by_delegate) for kind in DERIVED for by_delegate in (False, True)),
    )


def _derived(statements: Statements, kind: str, *, by_delegate: bool) -> ClauseElement:
    """The rows of one kind for the companions, by their supervisors or by those whom the supervisors delegate to."""
    role, supervision, person = relation.alias("role"), relation.alias("supervision"), relation.alias("person")
    parts = [role, supervision, person]
    where: list[ColumnElement[bool]] = [
        role.c.kind == "practitioner-of",
        in_list(role.c.client, "companions", statements.dialect),
        supervision.c.kind == "supervises",
        supervision.c.client == role.c.holder,
        person.c.kind == "practitioner-of",
    ]
    if by_delegate:
        delegation = relation.alias("delegation")
        parts.append(delegation)
        where += [
            delegation.c.kind == "delegates",
            delegation.c.client == supervision.c.holder,
            person.c.holder == delegation.c.holder,
        ]
    else:
        where.append(person.c.holder == supervision.c.holder)
    client, organization = role.c.client, supervision.c.organization
    if kind == "supervises-role":
        client = role.c.holder
    if kind == "supervised":
        membership = relation.alias("membership")
        parts.append(membership)
        where += [membership.c.kind == "companion", membership.c.holder == role.c.client]
        client, organization = membership.c.client, membership.c.organization
    postgresql = statements.dialect == "postgresql"
    starts = (func.greatest if postgresql else func.max)(*(part.c.starts for part in parts))
    ends = (func.least if postgresql else func.min)(*(part.c.ends for part in parts))
    rows: Select[*tuple[Any, ...]] = (
        select(
            literal("Practitioner", Text),
            func.substr(role.c.client, len("Practitioner/") + 1, type_=Text),
            literal(kind, Text),
            person.c.client,
            client,
            organization,
            literal("", Text),
            starts,
            ends,
        )
        .where(*where, starts < ends)
        .distinct()
    )
    return insert(relation).from_select(list(COLUMNS), rows)
