"""Life cycles are tables: in which states something may begin, and where it may go from each."""
from collections.abc import Mapping
from typing import NamedTuple

from recovery_api.fhir.errors import Conflict, Rule, Unprocessable


class LifeCycle(NamedTuple):
    """The states of an element of a resource. `name` begins the keys of its rules, `what` stands in their sentences."""

    name: str
    what: str
    at: str
    starts: frozenset[str]
    moves: Mapping[str, frozenset[str]]

    @property
    def start(self) -> Rule:
        """Where it begins."""
        return Rule(f"{self.name}-start", Unprocessable, f"{self.what} does not begin as {{}}.")

    @property
    def move(self) -> Rule:
        """Where it goes from there."""
        return Rule(f"{self.name}-move", Conflict, f"{self.what} that is {{}} can't become {{}}.")

    def check(self, before: str | None, after: str) -> None:
        """Raise Unprocessable for a state that is no beginning, Conflict for a move that is not in the table; staying is no move."""
        if before is None:
            if after not in self.starts:
                raise self.start.broken(after, at=self.at)
        elif after != before and after not in self.moves.get(before, frozenset()):
            raise self.move.broken(before, after, at=self.at)
