"""What another validator says of our definitions, and of the examples of our profiles: fhirkit-rs, R4's structure in Rust."""
from pathlib import Path

import fhirkit
import pytest

ROOT = Path(__file__).parents[2]
NOT_R4 = "SubscriptionTopic"
"""A type of R5: the validator knows R4's alone."""
OURS = [each for each in (ROOT / "src" / "recovery_api" / "definitions").glob("[A-Z]*-*.json") if not each.stem.startswith(NOT_R4)]
FILES = sorted([*OURS, *(ROOT / "tests" / "data" / "profiles").glob("*.json")])


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_finds_nothing_wrong(path: Path) -> None:
    assert fhirkit.validate(path.read_bytes()) == []


def test_it_would_find_what_is_wrong() -> None:
    assert fhirkit.validate({"resourceType": "ValueSet", "compose": {}})
