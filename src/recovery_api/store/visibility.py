"""Which resources exist for a caller: one expression per type, ANDed into every query by the store."""

from collections.abc import Hashable, Mapping
from types import MappingProxyType

import msgspec

from recovery_api.fhir.search.expression import EVERYTHING, NOTHING, Expression, Value

_NONE: Mapping[str, frozenset[str]] = MappingProxyType({})
_NO_BINDS: Mapping[str, Value] = MappingProxyType({})


class Visibility(msgspec.Struct, frozen=True):
    """What a caller may see.

    `key` stands for `rules`, `unseen` and `history` together: equal keys, equal rules. A type without a rule does not exist
    for the caller. `unseen` names the parameters ("Type.code") of elements that are left out for the caller; `history` holds
    other rules for versions, where the type's own rule tests index rows, which only current versions have. `binds` gives
    the values of the rules' binds for this request, `now` (microseconds) among them.
    """

    key: Hashable
    rules: Mapping[str, Expression]
    unseen: Mapping[str, frozenset[str]] = _NONE
    history: Mapping[str, Expression] = MappingProxyType({})
    binds: Mapping[str, Value] = _NO_BINDS
    complete: bool = False
    """Everything exists: for the system itself, never for a caller."""
    open: frozenset[str] = frozenset()
    """Types whose resources are no secret to the caller: a reference to one may always be followed."""
    bare: frozenset[str] = frozenset()
    """Parameters ("Type.code") of references that the caller keeps although they may not follow them."""
    reach: "Visibility | None" = None
    """By what the target of a reference is judged, where that is something else: the caller's rows, whatever the scopes say."""

    @property
    def reached(self) -> "Visibility":
        """By what the target of a reference is judged: where it is not seen, the reference does not exist for the caller."""
        return self.reach or self

    def rule(self, type: str) -> Expression:
        """What must hold of a current version of the type."""
        return EVERYTHING if self.complete else self.rules.get(type, NOTHING)

    def version_rule(self, type: str) -> Expression:
        """What must hold of any version of the type."""
        return EVERYTHING if self.complete else self.history.get(type, self.rules.get(type, NOTHING))

    def hides(self, param: str) -> bool:
        """The parameter ("Type.code", maybe with ":modifier") finds nothing for this caller."""
        if not self.unseen:
            return False
        name = param.partition(":")[0]
        return name in self.unseen.get(name.partition(".")[0], ())


SYSTEM = Visibility(key="system", rules=MappingProxyType({}), complete=True)
"""The system's own sight: loading, projections, reindexing."""
