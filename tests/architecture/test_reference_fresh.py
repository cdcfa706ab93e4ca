"""The reference pages say what the program says of itself now."""
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_committed_pages_are_what_the_program_says_now() -> None:
    checked = subprocess.run(
        [sys.executable, ROOT / "scripts" / "write_reference.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stderr
