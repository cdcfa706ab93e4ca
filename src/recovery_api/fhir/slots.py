"""Where an element stands in FHIR's JSON: a member and, for primitives, its shadow `_name`; two lists that keep in step."""
from typing import NamedTuple, cast

from recovery_api.fhir.json import Json, JsonObject


class Slot(NamedTuple):
    """The member `name` of a JSON object, with `_name` beside it. Its methods change the object."""

    owner: JsonObject
    name: str

    @property
    def length(self) -> int:
        """How many values stand there; a single value counts as one."""
        return max(_length(self.owner.get(self.name)), _length(self.owner.get(self._shadow)))

    @property
    def _shadow(self) -> str:
        return f"_{self.name}"

    def put(self, value: Json, extras: JsonObject | None) -> None:
        """Make this the single value."""
        self._write(self.name, value)
        self._write(self._shadow, extras)

    def extend(self, index: int | None, extras: JsonObject) -> None:
        """Put id and extensions beside a primitive value."""
        if index is None:
            self.owner[self._shadow] = extras
            return
        _, besides = self._lists()
        besides[index] = extras
        self.owner[self._shadow] = besides

    def insert(self, index: int, value: Json, extras: JsonObject | None) -> None:
        """Put a value into the list, before the one at this index."""
        values, besides = self._lists()
        values.insert(index, value)
        besides.insert(index, extras)
        self._keep(values, besides)

    def replace(self, index: int, value: Json, extras: JsonObject | None) -> None:
        """Put a value in the place of the one at this index."""
        values, besides = self._lists()
        values[index], besides[index] = value, extras
        self._keep(values, besides)

    def remove(self, index: int | None) -> None:
        """Take away the single value, or the one at this index."""
        if index is None:
            self.put(None, None)
            return
        values, besides = self._lists()
        del values[index], besides[index]
        self._keep(values, besides)

    def move(self, source: int, destination: int) -> None:
        """Take the value at one index out of the list, and put it in at another."""
        values, besides = self._lists()
        values.insert(destination, values.pop(source))
        besides.insert(destination, besides.pop(source))
        self._keep(values, besides)

    def _lists(self) -> tuple[list[Json], list[Json]]:
        length = self.length
        values, besides = (cast(list[Json], self.owner.get(name) or []) for name in (self.name, self._shadow))
        return values + [None] * (length - len(values)), besides + [None] * (length - len(besides))

    def _keep(self, values: list[Json], besides: list[Json]) -> None:
        for name, each in ((self.name, values), (self._shadow, besides)):
            self._write(name, each if any(item is not None for item in each) else None)

    def _write(self, name: str, value: Json) -> None:
        if value is None:
            self.owner.pop(name, None)
        else:
            self.owner[name] = value


def _length(value: Json) -> int:
    return len(cast(list[Json], value)) if isinstance(value, list) else 0 if value is None else 1
