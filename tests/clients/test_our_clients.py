"""The clients of `clients/`: they compile under strict settings, and do their job against a live server."""

import os
import subprocess
import sys
from pathlib import Path

from tests.clients.conftest import ROOT, Demo

CLIENTS = ROOT / "clients"


def said(*command: str | Path, folder: Path) -> str:
    """What a program prints; it must end well."""
    quiet = {"PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"}
    done = subprocess.run([*command], cwd=folder, env=os.environ | quiet, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_python_client_is_clean_for_pyright_strict_where_we_wrote_it() -> None:
    assert "0 errors, 0 warnings" in said(Path(sys.executable).with_name("pyright"), "--project", ".", folder=CLIENTS / "python")


def test_the_python_client_signs_in_reads_and_pages(demo: Demo) -> None:
    demo.backend("ours", "ehr", "org-riverbend")
    path = str(CLIENTS / "python" / "src")
    assert demo.told("with_our_python.py", PYTHONPATH=path) == {
        "family": "Morales", "pages": True, "notes": 1, "absent": "not-found", "refused": "another sign-in's answer",
    }  # fmt: skip


def test_the_typescript_client_compiles_signs_in_reads_writes_and_pages(demo: Demo) -> None:
    said(CLIENTS / "typescript" / "node_modules" / ".bin" / "tsc", "--project", "tsconfig.json", folder=CLIENTS / "typescript")
    demo.backend("ours-ts", "ehr", "org-riverbend")
    assert demo.told("with_our_typescript.mjs", SYSTEM="ours-ts") == {
        "family": "Morales", "paged": True, "made": 201, "refused": "not-found", "notes": 1, "other": "another sign-in's answer",
        "challenge": "S256",
    }  # fmt: skip
