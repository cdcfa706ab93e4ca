import asyncio
import json
import os
import subprocess
import sys
import time
from base64 import urlsafe_b64decode
from pathlib import Path
from typing import Any

import pytest

from recovery_api import cli
from recovery_api.identity.actor import Actor, actor
from recovery_api.identity.callers import Callers
from recovery_api.identity.keys import KeyRing
from recovery_api.identity.scopes import UNRESTRICTED, Condition
from recovery_api.identity.tokens import Tokens

URL = "http://127.0.0.1:8000"
MAYA = ("--role", "companion", "--fhir-user", "Practitioner/maya")
RIVERBEND = ("--role", "ehr", "--client-id", "sys-riverbend", "--organization", "org-riverbend")


class Said:
    """What the program wrote, and how it ended."""

    def __init__(self, out: str, err: str, code: int) -> None:
        self.out, self.err, self.code = out, err, code

    @property
    def claims(self) -> dict[str, Any]:
        body = self.out.split(".")[1]
        return json.loads(urlsafe_b64decode(body + "=="))


class Program:
    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.folder, self.monkeypatch, self.capsys = folder, monkeypatch, capsys
        monkeypatch.chdir(folder)
        for name in [name for name in os.environ if name.startswith("RECOVERY_")]:
            monkeypatch.delenv(name)

    def __call__(self, *arguments: str) -> Said:
        self.monkeypatch.setattr(sys, "argv", ["recovery-api", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        captured = self.capsys.readouterr()
        return Said(captured.out, captured.err, int(end.value.code or 0))

    def actor(self, token: str, url: str = URL) -> Actor:
        tokens = Tokens(KeyRing(self.folder / "var" / "keys"), url, lambda: time.time_ns() // 1000)
        return actor(asyncio.run(tokens.verify(token)), f"{url}/fhir")


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Program:
    return Program(tmp_path, monkeypatch, capsys)


def test_a_token_and_nothing_else_is_written(program: Program) -> None:
    said = program("token", *MAYA)
    assert (said.code, said.err, said.out.count("\n")) == (0, "", 1)
    maya = program.actor(said.out.strip())
    assert (maya.role, maya.holder, maya.organization, maya.patient, maya.purpose) == (
        "companion",
        "Practitioner/maya",
        None,
        None,
        "CAREMGT",
    )
    assert said.claims["exp"] - said.claims["iat"] == 900


def test_without_scopes_a_token_opens_all_that_its_role_may_be_granted(program: Program) -> None:
    maya = program.actor(program("token", *MAYA).out.strip())
    assert maya.allows("Encounter", "c") == maya.allows("Patient", "s") == (UNRESTRICTED,)
    assert maya.allows("Patient", "c") == maya.allows("AuditEvent", "r") == ()
    ana = program.actor(program("token", "--role", "client", "--fhir-user", "Patient/ana").out.strip())
    assert ana.patient == "ana"
    assert ana.allows("Observation", "s") == (Condition(in_patient=True),)


@pytest.mark.parametrize("role", ["companion", "case-manager", "treatment-team", "auditor", "admin"])
def test_every_role_of_staff_gets_a_token_that_works(program: Program, role: str) -> None:
    assert program.actor(program("token", "--role", role, "--fhir-user", "Practitioner/x").out.strip()).role == role


@pytest.mark.parametrize("role", ["ehr", "referrer"])
def test_every_role_of_systems_gets_a_token_that_works(program: Program, role: str) -> None:
    said = program("token", "--role", role, "--client-id", "sys", "--organization", "Organization/org-1")
    caller = program.actor(said.out.strip())
    assert (caller.role, caller.holder, caller.organization, caller.client_id) == (role, "client:sys", "Organization/org-1", "sys")


def test_all_that_is_asked_for_is_in_the_token(program: Program) -> None:
    said = program(
        "token", *MAYA, "--scope", "openid user/Patient.rs user/Observation.read", "--patient", "ana",
        "--organization", "org-cir", "--ttl", "60",
        "--claim", "medical_personnel=true", "--claim", "purpose_of_use=BTG", "--claim", "a=[1,2]", "--claim", "b=x=y", "--claim", "c=NaN",
    )  # fmt: skip
    claims = said.claims
    assert claims["exp"] - claims["iat"] == 60
    assert (claims["a"], claims["b"], claims["c"]) == ([1, 2], "x=y", "NaN")
    maya = program.actor(said.out.strip())
    assert (maya.patient, maya.organization, maya.purpose, maya.medical_personnel) == ("ana", "Organization/org-cir", "BTG", True)
    assert maya.allows("Observation", "s") == (UNRESTRICTED,)
    assert maya.allows("Encounter", "r") == ()


def test_the_settings_count(program: Program, monkeypatch: pytest.MonkeyPatch) -> None:
    (program.folder / ".env").write_text("RECOVERY_PUBLIC_URL=https://recovery.test/\nRECOVERY_TOKEN_TTL=77\n")
    said = program("token", *MAYA, "--fhir-user", "https://recovery.test/fhir/Practitioner/maya")
    assert said.claims["exp"] - said.claims["iat"] == 77
    assert program.actor(said.out.strip(), "https://recovery.test").holder == "Practitioner/maya"
    monkeypatch.setenv("RECOVERY_TOKEN_TLT", "1")
    said = program("token", *MAYA)
    assert (said.code, said.out) == (1, "")
    assert said.err == "recovery-api: RECOVERY_TOKEN_TLT is not a setting; did you mean RECOVERY_TOKEN_TTL?\n"


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (("token",), "--role"),
        (("token", "--role", "nurse", "--fhir-user", "Practitioner/x"), "nurse"),
        (("token", "--role", "recovery/companion", "--fhir-user", "Practitioner/x"), "--role"),
        (("token", "--role", "companion"), "--fhir-user"),
        (("token", "--role", "companion", "--client-id", "x"), "--fhir-user"),
        (("token", "--role", "companion", "--fhir-user", "maya"), "--fhir-user"),
        (("token", "--role", "companion", "--fhir-user", "Patient/ana"), "--fhir-user"),
        (("token", "--role", "companion", "--fhir-user", "https://other.test/fhir/Practitioner/maya"), "--fhir-user"),
        (("token", "--role", "ehr", "--fhir-user", "Practitioner/maya"), "--fhir-user"),
        (("token", "--role", "ehr", "--client-id", "sys"), "--organization"),
        (("token", "--role", "ehr", "--organization", "org-1"), "--client-id"),
        (("token", *RIVERBEND, "--client-id", "a b"), "--client-id"),
        (("token", *MAYA, "--organization", "Patient/x"), "--organization"),
        (("token", *MAYA, "--patient", "a b"), "--patient"),
        (("token", *MAYA, "--scope", "user/Patient.sr"), "user/Patient.sr"),
        (("token", *MAYA, "--scope", "recovery/admin user/Patient.rs"), "recovery/admin"),
        (("token", *MAYA, "--claim", "x"), "--claim"),
        (("token", *MAYA, "--claim", "x=1", "--claim", "x=2"), "--claim"),
        (("token", *MAYA, "--ttl", "0"), "--ttl"),
        (("token", *MAYA, "--ttl", "soon"), "--ttl"),
        (("token", *MAYA, "--tll", "5"), "--tll"),
        (("token", *MAYA, "more"), "more"),
        (("token", "--role", "client", "--fhir-user", "RelatedPerson/x"), "--patient"),
        (("token", "--role", "client", "--fhir-user", "Patient/ana", "--patient", "ben"), "--patient"),
        (("tokn",), "tokn"),
    ],
)
def test_bad_input_is_one_clear_line_that_names_it(program: Program, arguments: tuple[str, ...], names: str) -> None:
    said = program(*arguments)
    assert said.code != 0
    assert said.out == ""
    assert said.err.count("\n") == 1
    assert names in said.err


def test_a_data_folder_that_cannot_be_written_is_one_line(program: Program) -> None:
    (program.folder / "var").write_text("a file")
    said = program("token", *MAYA)
    assert (said.code, said.out, said.err.count("\n")) == (1, "", 1)
    assert "var" in said.err


def test_help_is_there_for_the_program_and_each_command(program: Program) -> None:
    assert "token" in program("--help").out
    assert "--fhir-user" in program("token", "--help").out
    bare = program()
    assert bare.code != 0
    assert "token" in bare.out
    assert bare.err == ""


def test_two_programs_at_once_sign_with_the_same_new_key(tmp_path: Path) -> None:
    command = [sys.executable, "-c", "from recovery_api.cli import main; main()", "token", *MAYA]
    started = [
        subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)})
        for _ in range(4)
    ]
    written = [process.communicate(timeout=60)[0].decode().strip() for process in started]
    assert len(list((tmp_path / "var" / "keys").glob("*"))) == 1
    callers = Callers(Tokens(KeyRing(tmp_path / "var" / "keys"), URL, lambda: time.time_ns() // 1000).verify, f"{URL}/fhir", lambda: 0)
    assert {asyncio.run(callers.actor(token)).holder for token in written} == {"Practitioner/maya"}
