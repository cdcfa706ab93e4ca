"""From a caller to what they may see: the visibility that every query of theirs carries.

The rules of a role and of its scopes are put together once and interned; the values that they leave open (who, for which
organization, now) are bound for each request. Nothing about relations is remembered, so a change holds at once everywhere.
"""
from collections.abc import Callable, Collection, Mapping, Sequence
from types import MappingProxyType
from typing import TypeAlias

from msgspec import structs

from recovery_api.fhir.errors import BadRequest
from recovery_api.fhir.instants import DAY
from recovery_api.fhir.json import JsonObject
from recovery_api.fhir.search.expression import NOTHING, Bind, ClientOf, Expression, Own, Value, Via, both, either
from recovery_api.fhir.search.parameters import ParameterTable
from recovery_api.identity.actor import Actor
from recovery_api.identity.scopes import Condition
from recovery_api.policy.matrix import Matrix
from recovery_api.policy.relations import CLIENT, RULES, no_client
from recovery_api.store.visibility import SYSTEM, Visibility

Lower: TypeAlias = Callable[[str, str], Expression]
"""(type, query of a granular scope) → the expression that a resource must meet. Raises BadRequest."""
Meets: TypeAlias = Callable[[Expression, JsonObject, Mapping[str, Value]], bool]
"""Whether a resource, with these values for what an expression leaves open, meets the expression."""

Sight: TypeAlias = Visibility
"""What somebody sees, as the floors above pass it on."""

_KEPT = 4_096

GATHERED = ClientOf(("gathered",), Bind("job"))
NEW = either(Own("last_updated", ">", Bind("since")), ClientOf(("gathered",), Bind("job"), qualifiers=("opened",)))
UNDATED = frozenset({"Binary", "Consent", "Provenance"})
"""Types of which it is not their own date that says whether they are new."""


class Grants:
    """Makes visibilities. One for the whole server."""

    def __init__(self, matrix: Matrix, parameters: ParameterTable, lower: Lower, meets: Meets, grace_days: int) -> None:
        """`lower` and `meets` are the search ground's, given so that tests can do without; `grace_days` are those after the end of a
        membership in which a companion finishes her own notes (world.md, D12)."""
        self._grace = grace_days * DAY
        self._matrix = matrix
        self._parameters = parameters
        self._lower = lower
        self._meets = meets
        self._made: dict[tuple[str, str, str], Visibility] = {}
        theirs = dict.fromkeys(("Patient", *matrix.client), Own("client", "=", CLIENT))
        self._of_client = MappingProxyType[str, Expression]({**theirs, "Binary": Via("security-context"), "Provenance": Via("target")})

    system: Sight = SYSTEM
    """What the server itself sees, to keep rules that no caller may see behind."""

    def rows(self, actor: Actor, now: int, *, reading: bool = False) -> Sight:
        """What the caller's role and relations open, whatever the token's scopes (world.md, decision 23).

        An emergency opens nothing to a write: it is there for `reading` only (domain.md 3.5).
        """
        return self._bound(self._interned(actor, ""), actor, now, emergency=actor.holder if reading else "")

    def sight(self, actor: Actor, letter: str, now: int) -> Sight:
        """What role, relations and scopes open together for reading (letter `r`) or searching (letter `s`).

        What the role may read and not search (Binary) is seen by the letter `r` where a search leads to it.
        """
        return self._bound(self._interned(actor, letter), actor, now, emergency=actor.holder)

    def gathered(self, seen: Sight, job: str, since: int | None = None, types: Collection[str] | None = None) -> Sight:
        """What is seen of the clients that a job (an id) is about, and of what belongs to no client; of these types, or of all.

        `since`: only what was written after that stamp, or belongs to somebody of whom all is new to the caller; what points at
        something else (Binary, Provenance) where that is new. Consents stay, for they say on what all of it rests.
        """
        theirs = {*self._matrix.client, "Patient"}
        rules = {type: both(rule, GATHERED) if type in theirs else rule for type, rule in seen.rules.items()}
        if since is not None:
            rules = {type: rule if type in UNDATED else both(rule, NEW) for type, rule in rules.items()}
        if types is not None:
            rules = {type: rule for type, rule in rules.items() if type in types}
        key = ("gathered", since is not None, None if types is None else tuple(sorted(types)), seen.key)
        return structs.replace(seen, key=key, rules=rules, binds={**seen.binds, "job": f"Job/{job}", "since": since or 0})

    def lately(self, now: int) -> int:
        """The moment until which the end of a membership is not long ago."""
        return now - self._grace

    def of_client(self, client: str) -> Sight:
        """All that is of one client (a Patient's id), for the system itself."""
        return Visibility(key="of-client", rules=self._of_client, binds={"client": client})

    def admits(self, actor: Actor, letter: str, resource: JsonObject, client: str) -> bool:
        """Whether the scopes open a letter on this very resource, whose client is `client`: granular scopes included."""
        type = resource["resourceType"]
        binds: Mapping[str, Value] = {"client": actor.patient or ""}
        for condition in actor.allows(type, letter):
            if condition.in_patient and client and client != actor.patient:
                continue
            if not condition.query or self._meets(self._query(type, condition), resource, binds):
                return True
        return False

    def is_granular(self, actor: Actor, letter: str, type: str) -> bool:
        """Whether the scopes open a letter on a type only for resources that match a query."""
        return all(condition.query for condition in actor.allows(type, letter))

    def _bound(self, made: Visibility, actor: Actor, now: int, *, emergency: str) -> Visibility:
        return Visibility(
            key=made.key,
            rules=made.rules,
            unseen=made.unseen,
            history=made.history,
            open=made.open,
            bare=made.bare,
            reach=made.reach,
            binds={
                "holder": actor.holder,
                "emergency": emergency,
                "organization": actor.organization or "",
                "client": actor.patient or "",
                "creator": actor.holder,
                "purpose": actor.purpose,
                "now": now,
                "lately": self.lately(now),
            },
        )

    def _interned(self, actor: Actor, letter: str) -> Visibility:
        key = (actor.role, letter, actor.scopes.text + ("" if actor.patient else "-") if letter else "")
        made = self._made.get(key)
        if made is None:
            if len(self._made) >= _KEPT:
                self._made.clear()
            made = self._made[key] = self._make(actor, letter, key)
        return made

    def _make(self, actor: Actor, letter: str, key: tuple[str, str, str]) -> Visibility:
        rules: dict[str, Expression] = {}
        history: dict[str, Expression] = {}
        unseen: dict[str, frozenset[str]] = {}
        bare: set[str] = set()
        for (role, type), row in self._matrix.access.items():
            if role != actor.role or not set(row.may) & {"r", "s"}:
                continue
            rule = RULES[row.rows].opens
            if letter:
                conditions = actor.allows(type, letter if letter in row.may else "r")
                rules[type] = both(rule, self._scoped(type, conditions))
                if any(condition.query for condition in conditions):
                    history[type] = both(rule, self._scoped(type, [condition for condition in conditions if not condition.query]))
            else:
                rules[type] = rule
            bare |= self._reading(type, row.keeps)
            if row.leaves_out:
                unseen[type] = self._left_out(type, row.leaves_out)
            elif type == "Group":
                unseen[type] = frozenset({"Group.member"})
        return Visibility(
            key=key,
            rules=MappingProxyType(rules),
            unseen=MappingProxyType(unseen),
            history=MappingProxyType(history),
            open=self._matrix.open_to(actor.role),
            bare=frozenset(bare),
            reach=self._interned(actor, "") if letter else None,
        )

    def _scoped(self, type: str, conditions: Sequence[Condition]) -> Expression:
        return either(*(self._condition(type, condition) for condition in conditions)) if conditions else NOTHING

    def _condition(self, type: str, condition: Condition) -> Expression:
        within = either(no_client, Own("client", "=", CLIENT)) if condition.in_patient else both()
        return both(within, self._query(type, condition)) if condition.query else within

    def _query(self, type: str, condition: Condition) -> Expression:
        try:
            return self._lower(type, condition.query)
        except BadRequest:
            return NOTHING

    def _left_out(self, type: str, elements: Sequence[str]) -> frozenset[str]:
        return frozenset({f"{type}._text", f"{type}._content"}) | self._reading(type, elements)

    def _reading(self, type: str, elements: Sequence[str]) -> frozenset[str]:
        """The parameters that read one of the elements."""
        return frozenset(
            parameter.name
            for parameter in self._parameters[type].values()
            if any(f"{type}.{element}" in parameter.expression for element in elements)
        )

