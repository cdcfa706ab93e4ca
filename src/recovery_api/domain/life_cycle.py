"""Life cycles are tables: in which states something may begin, and where it may go from each."""
from collections.abc import Mapping
from typing import NamedTuple

from recovery_api.fhir.errors import Conflict, Issue, Unprocessable


class LifeCycle(NamedTuple):
    """The states of an element of a resource. `name` begins the keys of its rules, `what` stands in their sentences."""

    name: str
    what: str
    at: str
    starts: frozenset[str]
    moves: Mapping[str, frozenset[str]]

    def check(self, before: str | None, after: str) -> None:
        """Raise Unprocessable for a state that is no beginning, Conflict for a move that is not in the table; staying is no move."""
        if before is None:
            if after not in self.starts:
                raise Unprocessable(Issue("business-rule", f"{self.what} does not begin as {after}.", self.at, key=f"{self.name}-start"))
        elif after != before and after not in self.moves.get(before, frozenset()):
            raise Conflict(
                Issue("business-rule", f"{self.what} that is {before} can't become {after}.", self.at, key=f"{self.name}-move")
            )
