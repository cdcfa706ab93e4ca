"""The commands for people and API clients, as an operator has them."""

import json
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.program import COMMAND, PATIENCE, Program, free_port, rows

APP = ("--name", "Walking Along", "--redirect-uri", "https://app.example/callback")


@pytest.fixture
def program(tmp_path: Path, database_url: str) -> Program:
    return Program(tmp_path, database_url)


def said(program: Program, *arguments: str, stdin: str = "") -> str:
    """What a command prints that goes well."""
    done = subprocess.run(
        [*COMMAND, *arguments], cwd=program.folder, env=program.environment, input=stdin, capture_output=True, text=True, timeout=PATIENCE,
        check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def refused(program: Program, *arguments: str) -> str:
    done = program.run(*arguments)
    assert done.returncode != 0
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_accounts_are_made_listed_closed_and_opened_again(program: Program) -> None:
    maya = ("user", "add", "--username", "maya", "--role", "companion", "--fhir-user", "Practitioner/maya")
    made = said(program, *maya).strip()
    assert len(made) > 20
    ana = ("user", "add", "--username", "Ana", "--role", "client", "--patient", "ana", "--password-stdin")
    assert said(program, *ana, stdin="correct horse\n") == ""
    assert said(program, "user", "list").splitlines() == ["ana\tclient\tPatient/ana\t-\t-", "maya\tcompanion\tPractitioner/maya\t-\t-"]
    said(program, "user", "disable", "--username", "maya")
    assert "maya\tcompanion\tPractitioner/maya\t-\tdisabled" in said(program, "user", "list")
    said(program, "user", "enable", "--username", "maya")
    assert "disabled" not in said(program, "user", "list")
    again = said(program, "user", "passwd", "--username", "maya").strip()
    assert again not in {"", made}
    kept = b"".join(row[0] for row in rows(program.database_url or "", "SELECT content FROM ledger"))
    assert b"$argon2id$" in kept
    assert not any(secret.encode() in kept for secret in (made, again, "correct horse"))


def test_an_app_is_registered_rotated_and_revoked(program: Program) -> None:
    first = json.loads(said(program, "client", "add", *APP, "--kind", "confidential-symmetric", "--client-id", "app", "--json"))
    assert set(first) == {"client_id", "client_secret"}
    second = json.loads(said(program, "client", "rotate", "--client-id", "app", "--json"))
    assert second["client_id"] == first["client_id"] == "app"
    assert second["client_secret"] != first["client_secret"]
    plain = said(program, "client", "add", *APP, "--kind", "public")
    assert plain.startswith("client_id: ")
    assert "secret" not in plain
    assert "There is an API client app already" in refused(program, "client", "add", *APP, "--kind", "public", "--client-id", "app")
    port = free_port()
    with program.serving("serve", port=port):
        assert status(port, first) == 401
        assert status(port, second) == 400  # authenticated; the code is none
        said(program, "client", "revoke", "--client-id", "app")
        assert status(port, second) == 401
    listed = json.loads(said(program, "client", "list", "--json"))
    assert {one["client_id"]: one["revoked"] for one in listed}["app"] is True
    assert first["client_secret"] not in json.dumps(listed)
    kept = b"".join(row[0] for row in rows(program.database_url or "", "SELECT content FROM ledger"))
    assert second["client_secret"].encode() not in kept
    assert "revoked" in refused(program, "client", "rotate", "--client-id", "app")


def status(port: int, client: dict[str, str]) -> int:
    form = {"grant_type": "authorization_code", "code": "x", "redirect_uri": "https://app.example/callback"}
    return httpx.post(f"http://127.0.0.1:{port}/oauth/token", data=form, auth=(client["client_id"], client["client_secret"])).status_code


def test_what_is_not_right_is_one_line(program: Program) -> None:
    assert "needs a reference like Practitioner/ID" in refused(program, "user", "add", "--username", "maya", "--role", "companion")
    assert "There is no account nobody" in refused(program, "user", "disable", "--username", "nobody")
    assert "--kind is not one of public" in refused(program, "client", "add", *APP, "--kind", "secretive")
    assert "needs a JWK Set" in refused(program, "client", "add", "--name", "EHR", "--kind", "backend", "--role", "ehr")
    (program.folder / "jwks.json").write_text("[]")
    assert "holds no JWK Set" in refused(program, "client", "add", "--name", "EHR", "--kind", "backend", "--jwks", "jwks.json")


def test_a_launch_value_is_all_that_is_printed(program: Program) -> None:
    said(program, "client", "add", *APP, "--kind", "public", "--client-id", "app")
    asked = ("launch", "--client-id", "app", "--fhir-user", "Practitioner/maya", "--patient", "ana", "--encounter", "e-ana-1")
    value = said(program, *asked)
    assert value.count("\n") == 1
    assert "ana" not in value
    for changed in (("--client-id", "nobody"), ("--fhir-user", "maya"), ("--encounter", "Patient/ana")):
        refused(program, *asked, *changed)


def test_new_keys_sign_and_old_ones_stay(tmp_path: Path) -> None:
    program = Program(tmp_path)
    for generation in (2, 3):
        lines = said(program, "rekey").splitlines()
        assert [line.partition(":")[0] for line in lines] == [f"{algorithm}, generation {generation}" for algorithm in ("ES256", "RS256")]
    assert {path.name for path in (tmp_path / "var" / "keys").iterdir()} >= {"es256-1.jwk", "es256-3.jwk", "rs256-1.jwk", "rs256-3.jwk"}
