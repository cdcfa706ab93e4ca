"""An open store on each database, with a clock that tests turn."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from itertools import count

import pytest

from recovery_api.store.unit import Store

START = 1_767_225_600_000_000  # 2026-01-01


@dataclass(frozen=True)
class Parameter:
    """What the store knows of a parameter."""

    kind: str = "token"
    column: str = ""
    targets: tuple[str, ...] = ()
    rows: tuple[str, ...] = ()
    names_client: bool = False

    def aim(self, modifier: str) -> str:
        """References are followed."""
        return ("value2" if modifier else "value") if self.kind == "reference" else ""


class Parameters:
    """The parameters of these tests."""

    def __init__(self) -> None:
        self._known = {
            "Observation.code": Parameter(),
            "Observation.status": Parameter(),
            "Observation.date": Parameter("date"),
            "Observation.value-quantity": Parameter("quantity"),
            "Observation.patient": Parameter("reference", column="client", targets=("Patient",)),
            "Observation.subject": Parameter("reference", targets=("Patient", "Group")),
            "Observation.encounter": Parameter("reference", targets=("Encounter",)),
            "Observation.note": Parameter("string"),
            "Encounter.patient": Parameter("reference", column="client", targets=("Patient",)),
            "Encounter.part-of": Parameter("reference", targets=("Encounter",)),
            "Encounter.class": Parameter(),
            "Patient.name": Parameter("string"),
            "Patient.birthdate": Parameter("date"),
            "Patient.link": Parameter("reference", targets=("Patient", "RelatedPerson")),
        }

    def named(self, name: str, /) -> Parameter:
        """The parameter."""
        found = self._known.get(name) or Parameter(column={"_id": "id", "_lastUpdated": "last_updated"}.get(name.partition(".")[2], ""))
        return found if found.rows else Parameter(found.kind, found.column, found.targets, (name,))


class Clock:
    """Stands still unless it is turned."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> int:
        """Now."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The store's clock."""
    return Clock()


@pytest.fixture
async def store(database_url: str, clock: Clock) -> AsyncIterator[Store]:
    """A store with nothing in it."""
    opened = await Store.open(database_url, Parameters(), clock)
    yield opened
    await opened.close()


@pytest.fixture
def new_id() -> "count[int]":
    """Numbers for ids."""
    return count(1)
