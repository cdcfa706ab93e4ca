"""The Dockerfile: what it promises, and its steps run for real under a folder."""
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.dockerfile import Image, Stage, read

ROOT = Path(__file__).parents[2]
START_LIMIT = 60.0


@pytest.fixture(scope="module")
def stages() -> list[Stage]:
    return read((ROOT / "Dockerfile").read_text())


@pytest.fixture(scope="module")
def image(stages: list[Stage], tmp_path_factory: pytest.TempPathFactory) -> Image:
    """The last stage, built from all before it."""
    folder = tmp_path_factory.mktemp("image")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST", "RECOVERY_", "VIRTUAL_ENV"))}
    built: dict[str, Image] = {}
    for stage in stages:
        built[stage.name] = Image(folder / stage.name, ROOT, environment)
        built[stage.name].build(stage, built)
    return built[stages[-1].name]


def test_what_builds_stays_behind(stages: list[Stage]) -> None:
    build, final = stages
    assert final.of("RUN") == []
    assert {step.options.get("from") for step in final.of("COPY")} == {build.name}


def test_every_stage_starts_slim_at_a_pinned_python(stages: list[Stage]) -> None:
    assert all(re.fullmatch(r"python:3\.\d+-slim-\w+", stage.image) for stage in stages)


def test_every_dependency_is_installed_with_hashes_or_not_fetched(stages: list[Stage]) -> None:
    installs = [part for stage in stages for step in stage.of("RUN") for part in step.rest.split("&&") if "pip install" in part]
    assert installs
    assert all("--require-hashes" in part or "--no-index" in part for part in installs)


def test_the_server_runs_as_a_user_without_rights(stages: list[Stage]) -> None:
    (user,) = stages[-1].of("USER")
    assert re.fullmatch(r"[1-9]\d{3,}:[1-9]\d{3,}", user.rest)
    words = [step.word for step in stages[-1].steps]
    assert words.index("USER") < words.index("CMD")


def test_the_context_holds_only_what_is_copied(stages: list[Stage]) -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copies = [step for stage in stages for step in stage.of("COPY") if "from" not in step.options]
    assert allowed == {source.partition("/")[0] for step in copies for source in step.rest.split()[:-1]}


@pytest.mark.slow
def test_the_built_command_explains_itself(image: Image) -> None:
    assert "serve" in _said(["recovery-api", "--help"], image)


@pytest.mark.slow
def test_the_built_package_is_the_installed_one_not_the_checkout(image: Image) -> None:
    program = "import recovery_api, recovery_api.store.migrate as migrate; print(recovery_api.__file__); print(migrate.latest())"
    place, revision = _said(["python", "-c", program], image).splitlines()
    assert Path(place).is_relative_to(image.root)
    assert revision != "None"


@pytest.mark.slow
def test_the_built_package_holds_every_file_of_the_source(image: Image) -> None:
    source = ROOT / "src" / "recovery_api"
    (installed,) = image.root.glob("opt/recovery-api/lib/python3*/site-packages/recovery_api")
    wanted = {path.relative_to(source) for path in source.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    assert [str(path) for path in sorted(wanted) if not (installed / path).is_file()] == []


@pytest.mark.slow
def test_the_health_check_passes_while_the_server_runs_and_fails_when_it_has_ended(image: Image, stages: list[Stage]) -> None:
    port = _free_port()
    (command,), (check,) = stages[-1].of("CMD"), stages[-1].of("HEALTHCHECK")
    serve = [word.replace("8000", port).replace("0.0.0.0", "127.0.0.1") for word in command.command]
    healthy = [word.replace("8000", port) for word in check.command]
    subprocess.run(["recovery-api", "migrate"], env=image.environment, cwd=image.directory, check=True)
    for running in _started(serve, image):
        deadline = time.monotonic() + START_LIMIT
        while _fails(healthy, image):
            assert running.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.2)
    assert _fails(healthy, image)


def _started(command: list[str], image: Image) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, env=image.environment, cwd=image.directory) as process:
        try:
            yield process
        finally:
            process.terminate()


def _said(command: list[str], image: Image) -> str:
    return subprocess.run(command, env=image.environment, cwd=image.directory, stdout=subprocess.PIPE, text=True, check=True).stdout


def _fails(command: list[str], image: Image) -> bool:
    return subprocess.run(command, env=image.environment, cwd=image.directory, capture_output=True, check=False).returncode != 0


def _free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])
