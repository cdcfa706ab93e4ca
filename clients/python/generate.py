"""Make `src/recovery_client/generated` from openapi/recovery-api.json, with openapi-python-client.

    .venv/clients/bin/python clients/python/generate.py

What the generator gets wrong is mended here; `tests/clients` holds the result to pyright's standard checks.
"""
import copy
import re
import subprocess
import sys
from pathlib import Path
from tempfile import NamedTemporaryFile

from openapi_python_client.cli import app
from openapi_python_client.parser import openapi

HERE = Path(__file__).parent
DOCUMENT = HERE.parents[1] / "openapi" / "recovery-api.json"
OUTPUT = HERE / "src" / "recovery_client" / "generated"
CONFIGURATION = """
post_hooks: []
content_type_overrides:
  application/fhir+json: application/json
  application/fhir+ndjson: text/plain
  application/json-patch+json: application/json
"""
MENDED = (
    # a body that is an array, or something else: isinstance takes no list of a type
    (re.compile(r"isinstance\(body, list\[\w+\]\)"), "isinstance(body, list)"),
    # a body that need not be there, of one of two types
    (re.compile(r'^    else:\n        _kwargs\["json"\] = body\.to_dict\(\)$', re.MULTILINE),
     '    elif not isinstance(body, Unset):\n        _kwargs["json"] = body.to_dict()'),
    # the type Extension has an element `extension`: one name for two things
    (re.compile(r"^        extension = cls\((.*?)\n        return extension$", re.MULTILINE | re.DOTALL),
     r"        made = cls(\1\n        return made"),
)  # fmt: skip


def main() -> None:
    """Write the package anew."""
    openapi.deepcopy = copy.copy  # of an endpoint that nobody uses afterwards: as a deep copy it takes minutes
    with NamedTemporaryFile("w", suffix=".yaml") as configuration:
        configuration.write(CONFIGURATION)
        configuration.flush()
        arguments = ["--path", DOCUMENT, "--config", configuration.name, "--output-path", OUTPUT, "--meta", "none"]
        app(["generate", *map(str, arguments), "--overwrite", "--fail-on-warning"], standalone_mode=False)
    for path in OUTPUT.rglob("*.py"):
        text = mended = path.read_text()
        for wrong, right in MENDED:
            mended = wrong.sub(right, mended)
        if mended != text:
            path.write_text(mended)
    subprocess.run([sys.executable, "-m", "compileall", "-q", str(OUTPUT)], check=True)


if __name__ == "__main__":
    main()
