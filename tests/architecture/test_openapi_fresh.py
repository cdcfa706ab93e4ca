"""The committed OpenAPI document: fresh, and valid."""
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

ROOT = Path(__file__).parents[2]
COMMITTED = ROOT / "openapi" / "recovery-api.json"
MOST_BYTES = 3_500_000


def recovery_api(*arguments: str, **environment: str) -> bytes:
    command = [Path(sys.executable).with_name("recovery-api"), *arguments]
    return subprocess.run(command, cwd=ROOT, env=os.environ | environment, capture_output=True, check=True).stdout


def test_the_committed_document_is_what_the_definitions_make_now() -> None:
    assert recovery_api("openapi", RECOVERY_PUBLIC_URL="https://elsewhere.example") == COMMITTED.read_bytes(), "run `make openapi`"


def test_the_command_writes_the_same_into_a_file(tmp_path: Path) -> None:
    assert recovery_api("openapi", "--output", str(tmp_path / "said.json"), PYTHONHASHSEED="7") == b""
    assert (tmp_path / "said.json").read_bytes() == COMMITTED.read_bytes()


def test_the_command_writes_the_document_of_an_audience_and_refuses_an_unknown_one() -> None:
    said = recovery_api("openapi", "--audience", "referrer")
    assert "/ServiceRequest/{id}" in json.loads(said)["paths"]
    assert len(said) < COMMITTED.stat().st_size / 2
    with pytest.raises(subprocess.CalledProcessError) as refused:
        recovery_api("openapi", "--audience", "clinic")
    assert refused.value.returncode == 2
    assert b"There is no audience clinic" in refused.value.stderr


def test_the_committed_document_is_of_a_size_that_tools_take() -> None:
    assert COMMITTED.stat().st_size < MOST_BYTES


@pytest.mark.slow
def test_the_committed_document_is_valid_openapi() -> None:
    assert [error.message for error in OpenAPIV31SpecValidator(json.loads(COMMITTED.read_bytes())).iter_errors()] == []
