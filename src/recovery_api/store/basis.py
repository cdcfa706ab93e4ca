"""By which Consents the caller has what they are given: for the notice that rides along, and for the audit (42 CFR 2.32(b))."""

from collections.abc import Sequence
from typing import Any, Protocol

from sqlalchemy import ColumnElement, FromClause, Select, Text, and_, case, distinct, func, literal_column, null, select

from recovery_api.fhir.search.expression import And, ClientOf, Consented, Expression, Or, Via, both
from recovery_api.store.consented import Consents
from recovery_api.store.related import of_version
from recovery_api.store.statement import Dialect, one_of, text
from recovery_api.store.tables import consent_rule, party, resource
from recovery_api.store.visibility import Visibility

READS = ("happened_from", "happened_until")
"""Columns of a version, beside a record's own, that consent is judged by."""


class Conditions(Protocol):
    """What is used of the compiler."""

    dialect: Dialect

    @property
    def visibility(self) -> Visibility:
        """Whose sight it compiles for."""
        ...

    def condition(self, expression: Expression, table: FromClause) -> ColumnElement[bool]:
        """What a rule says of one row of a table of versions."""
        ...


def basis(compiler: Conditions, table: FromClause, types: Sequence[str]) -> ColumnElement[str | None]:
    """The logical ids of the Consents that open a version to the caller, with spaces between; NULL where consent opens nothing."""
    visibility, dialect = compiler.visibility, compiler.dialect
    ways: dict[tuple[bool, Expression], list[str]] = {}
    further: list[tuple[str, str]] = []
    for type_ in types:
        for node in _nodes(visibility.rule(type_)):
            if isinstance(node, Via):
                further.append((type_, node.role))
            elif isinstance(node, And) and (consented := next((part for part in node.parts if isinstance(part, Consented)), None)):
                related = both(*(part for part in node.parts if _is_relation(part)))
                ways.setdefault((consented.person, related), []).append(type_)
    cases: list[tuple[ColumnElement[bool], Any]] = []
    for (person, related), opened in ways.items():
        where = and_(one_of(table.c.type, opened), compiler.condition(related, table))
        cases.append((where, _of(Consents(table, opened, person=person), dialect).scalar_subquery()))
    opened = [type_ for type_ in visibility.rules if any(isinstance(node, Consented) for node in _nodes(visibility.rule(type_)))]
    if opened:
        cases += [(one_of(table.c.type, (type_,)), _of_target(table, role, opened, dialect).scalar_subquery()) for type_, role in further]
    return case(*cases, else_=null()) if cases else literal_column("NULL", Text)


def _nodes(rule: Expression) -> list[Expression]:
    """The nodes of a rule, save for what must not hold."""
    below = [node for part in rule.parts for node in _nodes(part)] if isinstance(rule, And | Or) else []
    return [rule, *below]


def _is_relation(part: Expression) -> bool:
    """It says who stands to the client in which relation."""
    return isinstance(part, ClientOf) or (isinstance(part, Or) and all(isinstance(each, ClientOf) for each in part.parts))


def _of(consents: Consents, dialect: Dialect) -> Select[str]:
    rule = consent_rule.alias()
    return select(_joined(rule.c.consent, dialect)).where(*consents.opens(rule)).correlate_except(rule)


def _of_target(table: FromClause, role: str, types: Sequence[str], dialect: Dialect) -> Select[str]:
    """Those that open what a Binary or Provenance points at."""
    rule, named, target = consent_rule.alias(), party.alias(), resource.alias()
    where = [
        *of_version(named, table),
        one_of(named.c.role, (role,)),
        target.c.type == named.c.holder_type,
        target.c.id == named.c.holder_id,
        one_of(target.c.type, types),
        *Consents(target, types).opens(rule),
    ]
    return select(_joined(rule.c.consent, dialect)).where(*where).correlate_except(rule, named, target)


def _joined(ids: ColumnElement[str], dialect: Dialect) -> ColumnElement[str]:
    if dialect == "postgresql":
        return func.string_agg(distinct(ids), text(" "), type_=Text)
    return func.replace(func.group_concat(distinct(ids)), text(","), text(" "), type_=Text)


