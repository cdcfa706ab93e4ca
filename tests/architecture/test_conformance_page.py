"""The page that says what is checked of the standards names every line of the checklist, and tests that are there."""

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
LINES = {"A": 15, "B": 27, "C": 8, "D": 12, "E": 46, "F": 9, "H": 25, "L": 23}
"""The sections of the checklist, and how many lines each has; A16 belongs to the proxy in front."""
ROW = re.compile(r"^\| (?P<lines>[A-L]\d\d[^|]*) \| [^|]+ \| (?P<file>\S+) `(?P<test>\w+)` \|$", re.MULTILINE)


def rows() -> list[re.Match[str]]:
    return list(ROW.finditer((ROOT / "docs" / "explanation" / "conformance.md").read_text()))


def named(lines: str) -> Iterator[str]:
    """`A01-A03, A07` in full."""
    for part in lines.split(", "):
        first, _, last = part.partition("-")
        yield from (f"{first[0]}{number:02}" for number in range(int(first[1:]), int((last or first)[1:]) + 1))


def test_every_line_of_the_checklist_has_a_test() -> None:
    wanted = {f"{section}{number:02}" for section, count in LINES.items() for number in range(1, count + 1)}
    assert {line for row in rows() for line in named(row["lines"])} == wanted


def test_the_tests_that_the_page_names_are_there() -> None:
    gone = [row["test"] for row in rows() if f"def {row['test']}(" not in (ROOT / "tests" / row["file"]).read_text()]
    assert gone == []
