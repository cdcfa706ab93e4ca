"""By which Consents the caller has what they are given: for the notice that rides along, and for the audit (42 CFR 2.32(b))."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Select, Text, case, distinct, func, literal, literal_column, null, select

from recovery_api.fhir.search.expression import And, Consented, Expression, Not, Or, Via
from recovery_api.store.consented import Consents
from recovery_api.store.related import of_version
from recovery_api.store.statement import Dialect, one_of
from recovery_api.store.tables import consent_rule, party, resource
from recovery_api.store.visibility import Visibility

READS = ("happened_from", "happened_until")
"""Columns of a version, beside a record's own, that consent is judged by."""


def basis(visibility: Visibility, dialect: Dialect, table: FromClause, types: Sequence[str]) -> ColumnElement[str | None]:
    """The logical ids of the Consents that open a version to the caller, with spaces between; NULL where consent opens nothing."""
    rules = {type_: visibility.rule(type_) for type_ in types}
    direct = [type_ for type_, rule in rules.items() if Consented() in _nodes(rule)]
    persons = [type_ for type_, rule in rules.items() if Consented(person=True) in _nodes(rule)]
    further = [(type_, node.role) for type_, rule in rules.items() for node in _nodes(rule) if isinstance(node, Via)]
    opened = [one for one in visibility.rules if Consented() in _nodes(visibility.rule(one))]
    cases: list[tuple[ColumnElement[bool], Any]] = []
    if direct:
        cases.append((one_of(table.c.type, direct), _of(Consents(table, direct), dialect).scalar_subquery()))
    if persons:
        cases.append((one_of(table.c.type, persons), _of(Consents(table, persons, person=True), dialect).scalar_subquery()))
    if opened:
        cases += [(one_of(table.c.type, (type_,)), _of_target(table, role, opened, dialect).scalar_subquery()) for type_, role in further]
    return case(*cases, else_=null()) if cases else literal_column("NULL", Text)


def _nodes(rule: Expression) -> list[Expression]:
    match rule:
        case And(parts) | Or(parts):
            return [node for part in parts for node in _nodes(part)]
        case Not(part):
            return _nodes(part)
        case _:
            return [rule]


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
        return func.string_agg(distinct(ids), literal(" ", Text, literal_execute=True), type_=Text)
    return func.replace(func.group_concat(distinct(ids)), literal_column("','", Text), literal_column("' '", Text), type_=Text)


