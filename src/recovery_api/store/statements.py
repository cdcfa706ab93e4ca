"""The compiled statements of one store: each shape is built once."""

from collections.abc import Callable, Hashable

from sqlalchemy import BigInteger, ClauseElement, Select, column, func, select, table

from recovery_api.store.records import Parameters
from recovery_api.store.statement import Dialect, Statement, compiled
from recovery_api.store.tables import clock

SIZE = 4096


def last_stamp(dialect: Dialect) -> Select[int]:
    """The newest stamp that was given."""
    if dialect == "sqlite":
        return select(clock.c.stamp)
    return select(column("last_value", BigInteger)).select_from(table("stamp_sequence"))


def horizon(dialect: Dialect) -> Select[int]:
    """The stamp up to which nothing is still being written: what a later statement sees up to it is all there ever will be."""
    return select(clock.c.stamp) if dialect == "sqlite" else select(func.horizon(type_=BigInteger))


class Statements:
    """A cache of statements by what shapes them; the oldest leave first."""

    def __init__(self, dialect: Dialect, parameters: Parameters) -> None:
        self.dialect: Dialect = dialect
        self.parameters = parameters
        self._known: dict[Hashable, Statement] = {}
        self._steps: dict[str, tuple[Statement, ...]] = {}

    def get(self, key: Hashable, build: Callable[[], Statement]) -> Statement:
        """The statement of the key."""
        found = self._known.get(key)
        if found is None:
            if len(self._known) >= SIZE:
                del self._known[next(iter(self._known))]
            found = self._known[key] = build()
        return found

    def fixed(self, key: str, build: Callable[[], ClauseElement]) -> Statement:
        """The one statement of this name."""
        return self.get(key, lambda: compiled(build(), self.dialect))

    def steps(self, key: str, build: Callable[[], tuple[ClauseElement, ...]]) -> tuple[Statement, ...]:
        """The statements of this name, which follow each other."""
        if key not in self._steps:
            self._steps[key] = tuple(compiled(clause, self.dialect) for clause in build())
        return self._steps[key]

    def compiled(self, clause: ClauseElement) -> Statement:
        """The clause in the store's dialect."""
        return compiled(clause, self.dialect)
