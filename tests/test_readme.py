"""What the README and the tutorials show is what happens: their commands run, in their order, against a real demo."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from recovery_api.cli import app
from recovery_api.settings import SETTINGS
from tests.program import Program, free_port

ROOT = Path(__file__).parents[1]
DEMOS = (
    (
        "README.md",
        "docs/tutorial/first-session.md",
        "docs/tutorial/client.md",
        "docs/tutorial/clinician.md",
        "docs/tutorial/privacy-officer.md",
        "docs/tutorial/operator.md",
        "docs/how-to/connect-an-ehr-backend.md",
        "docs/how-to/read-notes.md",
        "docs/how-to/export-in-bulk.md",
        "docs/how-to/sign-in.md",
        "docs/how-to/record-a-session.md",
        "docs/how-to/sign-a-note.md",
    ),
    (
        "docs/how-to/supervise.md",
        "docs/how-to/send-a-referral.md",
        "docs/how-to/clients-rights.md",
        "docs/how-to/subscribe.md",
        "docs/how-to/analyse.md",
        "docs/how-to/build-a-front-end.md",
    ),
)
"""Pages that run one after the other on a demo of their own."""
DOCUMENTS = sorted(path for folder in (ROOT, ROOT / "docs") for path in folder.glob("**/*.md" if folder.name == "docs" else "*.md"))
FENCE = re.compile(r"^```(?P<kind>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "--- next ---"


class Step(NamedTuple):
    """Commands, and what the page says that they print ('' where it says nothing)."""

    commands: str
    printed: str


def steps(page: str) -> list[Step]:
    blocks = [(fence["kind"], fence["text"]) for fence in FENCE.finditer((ROOT / page).read_text())]
    following = [*blocks[1:], ("", "")]
    return [
        Step(text, said if kind_after == "text" else "")
        for (kind, text), (kind_after, said) in zip(blocks, following, strict=True)
        if kind == "sh" and not text.startswith("make ")
    ]


def pattern(printed: str, port: int) -> re.Pattern[str]:
    """What is printed, where … stands for anything."""
    lines = printed.strip().replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    return re.compile(".*?".join(re.escape(part) for part in lines.split("…")), re.DOTALL)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    folder, port = tmp_path_factory.mktemp("demo"), free_port()
    shutil.copytree(ROOT / "docs", folder / "docs")
    with Program(folder).serving("demo", port=port):
        yield folder, port


@pytest.mark.parametrize(
    ("demo", "page"), [(number, page) for number, pages in enumerate(DEMOS) for page in pages], indirect=["demo"], scope="module"
)
def test_every_command_of_the_page_prints_what_the_page_says(page: str, demo: tuple[Path, int]) -> None:
    folder, port = demo
    told = steps(page)
    assert len(told) > 2
    script = f"\necho '{MARK}'\n".join(step.commands for step in told).replace("127.0.0.1:8000", f"127.0.0.1:{port}")
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    shell, environment = ["bash", "-eu", "-c", script], {**os.environ, "NO_PROXY": "*", "PATH": programs}
    done = subprocess.run(shell, cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    for step, printed in zip(told, done.stdout.split(f"{MARK}\n"), strict=True):
        assert pattern(step.printed, port).fullmatch(printed.strip()), f"{step.commands}\n{printed}"


@pytest.mark.parametrize("demo", [0], indirect=True, scope="module")
def test_the_sign_ins_are_printed_and_kept_for_their_owner(demo: tuple[Path, int]) -> None:
    folder, port = demo
    said = (folder / f"serving-{port}.log").read_text()
    tokens = folder / "var" / "demo" / "tokens.env"
    assert tokens.stat().st_mode & 0o777 == 0o600
    kept = tokens.read_text().splitlines()
    assert kept[0] == f"export FHIR=http://127.0.0.1:{port}/fhir"
    printed = [line for line in said.splitlines() if line.startswith("export ")]
    assert set(printed) <= set(kept)
    names = {line.partition("=")[0].removeprefix("export ") for line in printed}
    assert names == {"FHIR", "TOKEN_MAYA", "TOKEN_RUTH", "TOKEN_LEO", "TOKEN_SYS_RIVERBEND"}
    assert "source var/demo/tokens.env" in said


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_command_and_setting_that_a_page_names_exists(path: Path) -> None:
    text = path.read_text()
    commands = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    commands |= {group.typer_instance.info.name for group in app.registered_groups if group.typer_instance}
    settings = {f"RECOVERY_{setting.name}" for setting in SETTINGS}
    assert set(re.findall(r"recovery-api ([a-z]+)\b", " ".join(re.findall(r"`([^`\n]+)`", text)))) <= commands
    assert set(re.findall(r"\bRECOVERY_[A-Z_]+[A-Z]\b", text)) <= settings


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(path: Path) -> None:
    targets = re.findall(r"\]\((?!https?:|#)([^)#]+)", path.read_text())
    assert [target for target in targets if not (path.parent / target).exists()] == []
