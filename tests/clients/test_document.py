"""The OpenAPI document of everybody, and that of each audience, as a linter reads them."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.clients.conftest import HERE, ROOT

QUIET = {"REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true"}


def lint(document: Path) -> list[str]:
    """What the linter says of a document."""
    command = [HERE / "node_modules" / ".bin" / "redocly", "lint", document, "--config", ROOT / "openapi" / "redocly.yaml", "--format", "json"]
    said = subprocess.run(command, cwd=ROOT, env=os.environ | QUIET, capture_output=True, check=False).stdout
    return [f"{one['ruleId']}: {one['message']} {one['location'][0]['pointer']}" for one in json.loads(said)["problems"]]


@pytest.mark.parametrize("audience", ["", "frontend", "ehr", "referrer"])
def test_no_document_has_a_warning_of_the_linter(audience: str, tmp_path: Path) -> None:
    path = ROOT / "openapi" / "recovery-api.json"
    if audience:
        path = tmp_path / "document.json"
        command = [Path(sys.executable).with_name("recovery-api"), "openapi", "--audience", audience, "--output", path]
        subprocess.run(command, cwd=ROOT, check=True)
    assert lint(path) == []


def test_the_linter_would_say_what_is_wrong(tmp_path: Path) -> None:
    document = json.loads((ROOT / "openapi" / "recovery-api.json").read_bytes())
    del document["paths"]["/metadata"]["get"]["description"]
    (tmp_path / "document.json").write_text(json.dumps(document))
    assert [one.partition(":")[0] for one in lint(tmp_path / "document.json")] == ["operation-description"]
