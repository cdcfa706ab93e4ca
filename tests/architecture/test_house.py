"""The rules of the house that no other tool keeps."""
import ast
import dataclasses
import importlib.metadata
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from recovery_api.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
LONGEST_FILE = 400
OUTLAWED = re.compile(r"(?:^|_)(?:utils?|helpers?|manager|common|service)(?:_|$)")
LATER = re.compile(r"pytest\.(?:mark\.)?(?:skip|xfail)|\b(?:TODO|FIXME|XXX)\b")
REGISTRY = re.compile(
    r"--(?:extra-)?index-url|--find-links|\b(?:pypi|pythonhosted|npmjs|yarnpkg)\.(?:org|com)\b"
    r"|(?<!fhir-)\bregistry\.[\w-]+\.\w+"
)


def tracked(*patterns: str) -> list[Path]:
    """The files that git holds, or would hold."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [path for name in names if name and (path := ROOT / name).is_file()]


def texts(*patterns: str) -> Iterator[tuple[str, str]]:
    """The name and content of each tracked text file."""
    for path in tracked(*patterns):
        content = path.read_bytes()
        if b"\0" not in content:
            yield str(path.relative_to(ROOT)), content.decode()


def test_nothing_below_knows_what_is_above() -> None:
    command = [Path(sys.executable).with_name("lint-imports"), "--no-logo"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_file_can_be_read_at_one_sitting() -> None:
    lengths = {name: text.count("\n") for name, text in texts("src/*.py", "tests/*.py", "scripts/*.py", "bench/*.py", "migrations/*.py")}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE} == {}


def test_no_name_says_nothing() -> None:
    assert [str(path.relative_to(ROOT)) for path in tracked("src/*.py", "tests/*.py") if OUTLAWED.search(path.stem)] == []


def test_nothing_is_skipped_or_left_for_later() -> None:
    assert [name for name, text in texts("src/*.py", "tests/*.py", "migrations/*.py") if LATER.search(text) and name != _this()] == []


def test_no_file_names_a_registry() -> None:
    assert [name for name, text in texts() if name not in {_this(), "scripts/lock.sh"} and REGISTRY.search(text)] == []


@pytest.mark.parametrize("name", ["runtime", "build", "dev", "spark", "clients"])
def test_requirements_are_pinned_with_hashes_and_nothing_else(name: str) -> None:
    pin = re.compile(r"[\w.-]+(?:\[[\w,-]+\])?==\S+(?: ; [^\\]+)? \\|    --hash=sha256:[0-9a-f]{64}(?: \\)?")
    lines = (ROOT / "requirements" / f"{name}.txt").read_text().splitlines()
    assert [line for line in lines if not pin.fullmatch(line)] == []


def test_every_dependency_is_locked() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    apart = {name: project["dependency-groups"].pop(name) for name in ("spark", "clients")}
    groups = [entry for group in project["dependency-groups"].values() for entry in group if isinstance(entry, str)]
    for name, wanted in (("runtime", project["project"]["dependencies"]), ("dev", groups), *apart.items()):
        locked = re.findall(r"^(\S+?)==", (ROOT / "requirements" / f"{name}.txt").read_text(), re.MULTILINE)
        assert {_plain(requirement) for requirement in wanted} - {_plain(pin) for pin in locked} == set()


def test_what_the_package_imports_is_what_it_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    wanted = [*project["dependencies"], *(each for extra in project["optional-dependencies"].values() for each in extra)]
    asked = {_plain(requirement) for requirement in wanted}
    givers = importlib.metadata.packages_distributions()
    imported = {module.partition(".")[0] for _, text in texts("src/*.py", "migrations/*.py") for module in _imports(text)}
    for module in sorted(imported - sys.stdlib_module_names - {"recovery_api"}):
        assert {_plain(giver) for giver in givers.get(module, [module])} & asked, f"{module} is imported and not among the dependencies"


def test_runtime_and_development_agree_on_every_version() -> None:
    runtime, development = (
        set(re.findall(r"^(\S+==\S+)", (ROOT / "requirements" / f"{name}.txt").read_text(), re.MULTILINE)) for name in ("runtime", "dev")
    )
    assert runtime - development == set()


def test_every_setting_is_documented() -> None:
    documents = "\n".join(text for _, text in texts("README.md", "docs/*.md"))
    names = [PREFIX + field.name.upper() for field in dataclasses.fields(Settings)]
    assert [name for name in names if not re.search(rf"\b(?:{PREFIX})?{name.removeprefix(PREFIX)}\b", documents)] == []


def test_the_changelog_has_a_place_for_what_comes_next() -> None:
    assert "\n## [Unreleased]\n" in (ROOT / "CHANGELOG.md").read_text()


def test_every_decision_stands_in_the_index_with_its_title() -> None:
    folder = ROOT / "docs" / "decisions"
    index = (folder / "README.md").read_text()
    for path in sorted(folder.glob("[0-9]*.md")):
        title = path.read_text().splitlines()[0].removeprefix("# ")
        assert title.startswith(path.name[:4])
        assert f"[{title}]({path.name})" in index


def test_every_make_target_is_told_by_make_help() -> None:
    makefile = (ROOT / "Makefile").read_text()
    told = subprocess.run(["make", "--no-print-directory", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    (phony,) = re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert [target for target in phony.split() if not re.search(rf"\b{target}\b", told)] == []


def test_pre_commit_fetches_nothing() -> None:
    hooks = (ROOT / ".pre-commit-config.yaml").read_text()
    assert re.findall(r"repo: (\S+)", hooks) == ["local"]
    assert set(re.findall(r"language: (\S+)", hooks)) == {"system"}


def _imports(text: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module


def _plain(requirement: str) -> str:
    return re.split(r"[\[<>=~! ;]", requirement)[0].replace("_", "-").replace(".", "-").lower()


def _this() -> str:
    return str(Path(__file__).relative_to(ROOT))
