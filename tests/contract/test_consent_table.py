"""The table of consents, line by line: the oracle says the same as the page."""

from collections import Counter

import pytest

from tests.consenting import agreements, small_agreements
from tests.contract.consent_table import Cell, cells
from tests.contract.oracle import Oracle
from tests.wider import wide
from tests.world import T0, Story, by_id

CELLS = cells()
ORACLE = Oracle(by_id(wide().resources), T0)
PATTERNS = list(dict.fromkeys(cell.pattern for cell in CELLS))


def of(pattern: str) -> list[Cell]:
    return [cell for cell in CELLS if cell.pattern == pattern]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_oracle_says_what_the_table_of_consents_says(pattern: str):
    told = [cell for cell in of(pattern) if ORACLE.reads(cell.caller, cell.target) != cell.sees]
    assert not told, "\n".join(f"{cell.caller.name}, {cell.target}: the page says {cell.sees}" for cell in told)


def test_every_consent_of_the_world_has_its_lines():
    asked = {cell.target.removeprefix("Patient/") for cell in CELLS if cell.target.startswith("Patient/")}
    assert asked == set(agreements(Story())) | {f"with-{each}" for each in small_agreements(Story())}
    assert set(Counter(cell.target.split("/")[0] for cell in of("P6: counselling notes"))) == {
        "Binary", "CarePlan", "CareTeam", "Condition", "Consent", "DocumentReference", "Encounter", "EpisodeOfCare", "Goal", "Observation",
        "Patient", "Provenance", "RelatedPerson",
    }  # fmt: skip


def test_every_line_is_about_something_that_is_there():
    assert all(ORACLE.relations.get(cell.target) for cell in CELLS)
