"""The reference pages say what the program says of itself now, and nothing is told a caller that they leave out."""
import re
import subprocess
import sys
from pathlib import Path

from recovery_api.fhir.errors import CODES
from recovery_api.identity.oauth_errors import ERRORS

ROOT = Path(__file__).parents[2]
SOURCES = {path.relative_to(ROOT / "src/recovery_api").as_posix(): path.read_text() for path in (ROOT / "src").rglob("*.py")}


def test_the_committed_pages_are_what_the_program_says_now() -> None:
    checked = subprocess.run(
        [sys.executable, ROOT / "scripts" / "write_reference.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr


def test_a_rule_is_named_where_it_is_stated_and_nowhere_else() -> None:
    """An issue gets its key from a Rule, which the page lists."""
    keyed = {path for path, source in SOURCES.items() if re.search(r"Issue\((?:[^()]|\([^()]*\))*\bkey=", source)}
    assert keyed == {
        "fhir/errors.py",  # from a Rule
        "fhir/invariants.py",  # the specification's keys come with its invariants
        "fhir/conformance/check.py",  # a profile's id, which the page of profiles lists
        "domain/danger.py",  # a warning: it refuses nothing
    }


def test_every_code_that_is_told_has_its_meaning() -> None:
    issue = r'(?:Issue\(\s*|Found\("[^"]*", |"severity": "[a-z]+", "code": )"([a-z-]+)"'
    told = {code for source in SOURCES.values() for code in re.findall(issue, source)}
    assert "value" in told
    assert told - CODES.keys() == set()
    refused = {error for source in SOURCES.values() for error in re.findall(r'OAuthError\(\s*"([a-z_]+)"', source)}
    assert "invalid_grant" in refused
    assert refused - ERRORS.keys() == set()
