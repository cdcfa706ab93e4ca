"""Consent in SQL: whether the rules of a client's Consents open a resource to the caller, or close it (policy/consent.py)."""

from collections.abc import Sequence
from functools import cache
from typing import Any, TypeAlias, cast

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    case,
    func,
    literal_column,
    or_,
    select,
    true,
    union,
)

from recovery_api.fhir.labels import SENSITIVE, bit
from recovery_api.fhir.search.expression import param_number
from recovery_api.store.existing import existing
from recovery_api.store.position import position
from recovery_api.store.statement import bind, text
from recovery_api.store.tables import consent_rule, history, relation, resource, search_index

Clause: TypeAlias = ColumnElement[bool]

JUDGED = SENSITIVE | bit("R") | bit("V")
"""The labels that a rule's `labels_within` speaks of."""
MEMBERSHIPS = ("on-team", "own-role")
_ONE = literal_column("1", Integer)
_RULE, _DENY, _EXCEPTION, _KNOWN = (consent_rule.alias() for _ in range(4))
_MEMBERSHIP, _ROW, _CURRENT = relation.alias(), search_index.alias(), resource.alias()
_EMPTY = text("")


class Consents:
    """The rules about one resource, a row of `resource` or `history` that can be of these types."""

    def __init__(
        self,
        table: FromClause,
        types: Sequence[str],
        client: ColumnElement[str] | None = None,
        *,
        person: bool = False,
        recipient: ColumnElement[str] | None = None,
    ) -> None:
        """`client`: the only one that the resource can belong to, where the query says so.

        `person`: whether anything of the client is open, and so the Patient; what narrows rules to other resources does not count.
        `recipient` is whom the rules must name, for treatment; without it, the caller, for the caller's purpose.
        """
        self._table = table
        self._types = types
        self._client = client
        self._person = person
        self._recipient = recipient

    def permitted(self) -> Clause:
        """A permit applies, and no deny without an exception that applies too."""
        denied = self._denied(or_(_DENY.c.actors == _EMPTY, self._named(_DENY)))
        return and_(_exists(_RULE, self.opens(_RULE)), ~denied)

    def opens(self, rule: FromClause) -> list[Clause]:
        """A row of `consent_rule` is a permit that applies to the resource and names the caller."""
        return [*self._applies(rule, "permit"), self._named(rule)]

    def denied_in_person(self) -> Clause:
        """A deny that names the caller in person, and not only their organization, applies without an exception."""
        return self._denied(self._named(_DENY, in_person=True))

    def basis(self) -> Clause:
        """The resource is a Consent with a permit that names the caller and is in force."""
        where = [_RULE.c.consent == self._table.c.id, _RULE.c.effect == text("permit"), *_in_force(_RULE), self._named(_RULE)]
        return _exists(_RULE, [*where, self._named_within(_RULE)])

    def bearing(self) -> CompoundSelect[str, str, str]:
        """The rules that apply to the resource and the caller (consent, path, effect); a deny without actors among them."""

        def applying(effect: str) -> Select[str, str, str]:
            rule = consent_rule.alias()
            named = self._named(rule)
            where = [*self._applies(rule, effect), named if effect == "permit" else or_(rule.c.actors == _EMPTY, named)]
            return select(rule.c.consent, rule.c.path, rule.c.effect).select_from(rule).join(self._table, true()).where(*where)

        return union(applying("permit"), applying("deny")).order_by("consent", "path")

    def _denied(self, named: Clause) -> Clause:
        """A deny, of which `named` says whom it names, applies without an exception."""
        excepted = and_(_EXCEPTION.c.consent == _DENY.c.consent, _EXCEPTION.c.parent == _DENY.c.path, *self.opens(_EXCEPTION))
        where = [*self._applies(_DENY, "deny"), named, _EXCEPTION.c.consent.is_(None)]
        found = select(_ONE).select_from(_DENY.outerjoin(_EXCEPTION, excepted)).where(*where)
        denied = existing(found.correlate_except(_DENY, _EXCEPTION))
        if self._client is None:
            return denied
        known = [_KNOWN.c.client == self._client, _KNOWN.c.effect == text("deny")]
        return and_(_exists(_KNOWN, known), denied)  # asked once for all of the client's resources, and mostly answered with no

    def _applies(self, rule: FromClause, effect: str) -> list[Clause]:
        """The rule's conditions hold, save for who its actors are."""
        where = [
            rule.c.client == self._table.c.client,
            rule.c.effect == text(effect),
            *_in_force(rule),
            self._named_within(rule),
            or_(rule.c.purposes == _EMPTY, _lists(rule.c.purposes, self._purpose())),
        ]
        if not self._person:
            return [*where, self._of_class(rule), *self._labelled(rule), self._coded(rule, effect), self._dated(rule, effect)]
        if effect == "deny":
            where += [or_(rule.c.classes == _EMPTY, _lists(rule.c.classes, text("Patient")))]
            where += [rule.c.labels == _number(0), rule.c.labels_within == _number(-1), rule.c.code == _EMPTY, rule.c.data_from.is_(None)]
        return where

    # Who

    def _purpose(self) -> ColumnElement[str]:
        return bind("purpose", Text()) if self._recipient is None else text("TREAT")

    def _named(self, rule: FromClause, *, in_person: bool = False) -> Clause:
        return _names_caller(rule, in_person=in_person) if self._recipient is None else _lists(rule.c.actors, self._recipient)

    def _named_within(self, rule: FromClause) -> Clause:
        named = [self._recipient] if self._recipient is not None else [bind("holder", Text()), bind("organization", Text())]
        return or_(rule.c.actors_within == _EMPTY, *(_lists(rule.c.actors_within, one) for one in named))

    # What

    def _of_class(self, rule: FromClause) -> Clause:
        return or_(rule.c.classes == _EMPTY, _lists(rule.c.classes, self._table.c.type))

    def _labelled(self, rule: FromClause) -> list[Clause]:
        labels = self._table.c.labels
        if self._table is history:
            here = [_CURRENT.c.type == self._table.c.type, _CURRENT.c.id == self._table.c.id]
            current = select(_CURRENT.c.labels).where(*here).correlate_except(_CURRENT)
            labels = labels.bitwise_or(func.coalesce(current.scalar_subquery(), _number(0)))
        return [
            labels.bitwise_and(rule.c.labels) == rule.c.labels,
            labels.bitwise_and(_number(JUDGED)).bitwise_and(rule.c.labels_within.bitwise_not()) == _number(0),
        ]

    def _coded(self, rule: FromClause, effect: str) -> Clause:
        """Some coding is the rule's. Index rows tell of current versions only: an old one is closed to be safe. What is not stored
        tells its codes itself (store/explaining.py)."""
        if self._table is history:
            return rule.c.code == _EMPTY if effect == "permit" else literal_column("TRUE")
        if "codes" in self._table.c:
            return or_(rule.c.code == _EMPTY, _lists(self._table.c.codes, rule.c.system + text("|") + rule.c.code))
        numbers = [(cast("Any", text(type_)), _number(param_number(type_))) for type_ in self._types]
        number = numbers[0][1] if len(numbers) == 1 else case(*numbers, value=self._table.c.type)
        here = [_ROW.c.id == self._table.c.id, _ROW.c.type == number]
        return or_(rule.c.code == _EMPTY, _exists(_ROW, [*here, _ROW.c.system == rule.c.system, _ROW.c.value == rule.c.code]))

    def _dated(self, rule: FromClause, effect: str) -> Clause:
        """The clinical date lies within the dataPeriod of a permit, and touches that of a deny."""
        first, last = self._table.c.happened_from, self._table.c.happened_until
        if effect == "deny":
            return or_(rule.c.data_from.is_(None), and_(first < rule.c.data_until, last > rule.c.data_from))
        return or_(rule.c.data_from.is_(None), first.is_(None), and_(first >= rule.c.data_from, last <= rule.c.data_until))


def _exists(found: FromClause, where: Sequence[Clause]) -> Clause:
    return existing(select(_ONE).where(*where).correlate_except(found))


@cache
def _names_caller(rule: FromClause, *, in_person: bool) -> Clause:
    now, holder = bind("now", BigInteger()), bind("holder", Text())
    kinds = or_(*(_MEMBERSHIP.c.kind == text(kind) for kind in MEMBERSHIPS))
    during = [_MEMBERSHIP.c.starts <= now, _MEMBERSHIP.c.ends > now]
    actors = rule.c.actors
    member = _exists(_MEMBERSHIP, [_MEMBERSHIP.c.holder == holder, kinds, *during, _lists(actors, _MEMBERSHIP.c.client)])
    people = [_lists(actors, holder)] if in_person else [_lists(actors, holder), _lists(actors, bind("organization", Text()))]
    return or_(*people, member)


def _in_force(rule: FromClause) -> list[Clause]:
    now = bind("now", BigInteger())
    return [rule.c.starts <= now, rule.c.ends > now]


def _lists(items: ColumnElement[str], item: ColumnElement[str]) -> Clause:
    """The item is in the list (store/consents.py says how lists are kept)."""
    return position(items, text(" ") + item + text(" ")) > literal_column("0", Integer)


def _number(value: int) -> ColumnElement[int]:
    return literal_column(str(value), BigInteger)
