"""A demo, as a process of its own, and other people's programs that use it."""

import json
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from jose import jwk

from tests.program import Program, free_port

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
PYTHON = ROOT / ".venv" / "clients" / "bin" / "python"
CANON = "https://recovery-api.example.org/fhir"


@dataclass(frozen=True)
class Demo:
    """A running demo at `origin`, and the folder that it runs in."""

    program: Program
    origin: str
    environment: Mapping[str, str]

    def run(self, *command: str | Path, **more: str) -> str:
        """What a program prints that has the demo's address and tokens in its environment; `more` too."""
        environment = {**os.environ, "NO_PROXY": "*", "DO_NOT_TRACK": "1", **self.environment, **more}
        done = subprocess.run([*command], cwd=self.program.folder, env=environment, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-6000:]}"
        return done.stdout

    def told(self, name: str, **more: str) -> dict[str, Any]:
        """What a program of `programs` says in the JSON object that it prints."""
        return json.loads(self.run(PYTHON if name.endswith(".py") else "node", HERE / "programs" / name, **more))

    def backend(self, id: str, role: str, organization: str) -> Path:
        """Register a system; the file with its private key, as a JWK Set."""
        folder = self.program.folder
        pem = ec.generate_private_key(ec.SECP384R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        key, named = jwk.construct(pem, "ES384"), {"kid": id, "alg": "ES384"}
        (folder / f"{id}.public.jwks").write_text(json.dumps({"keys": [key.public_key().to_dict() | named]}))
        (folder / f"{id}.jwks").write_text(json.dumps({"keys": [key.to_dict() | named | {"key_ops": ["sign"]}]}))
        (folder / f"{id}.pem").write_bytes(pem)
        registered = ("--name", id, "--kind", "backend", "--client-id", id, "--role", role, "--organization", organization)
        done = self.program.run("client", "add", *registered, "--jwks", f"{id}.public.jwks")
        assert done.returncode == 0, done.stderr
        return folder / f"{id}.jwks"


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder, port = tmp_path_factory.mktemp("demo"), free_port()
    origin = f"http://127.0.0.1:{port}"
    program = Program(folder, settings={"PUBLIC_URL": origin})
    with program.serving("demo", port=port):
        exported = (folder / "var" / "demo" / "tokens.env").read_text().splitlines()
        tokens = dict(line.removeprefix("export ").split("=", 1) for line in exported)
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        shown = {"CANON": CANON, "NOW": now, "REFERRAL": str(ROOT / "docs" / "how-to" / "referral.json")}
        yield Demo(program, origin, {**tokens, **shown, "ORIGIN": origin})
