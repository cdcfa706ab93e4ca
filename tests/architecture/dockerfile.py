"""A Dockerfile read as data, and its steps run under a folder in place of an image's root: what can be shown without Docker."""
import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import NamedTuple

STARTED_BY_LIST = re.compile(r"^\[.*\]$")
ROOTED = re.compile(r"(?<![\w./:-])/(?=(?:build|opt|var/lib)\b)")


class Step(NamedTuple):
    """One instruction: its word in capitals, its options (`--from=build` is from: build), and the rest of its line."""

    word: str
    options: Mapping[str, str]
    rest: str

    @property
    def command(self) -> list[str]:
        """What CMD (or the CMD of HEALTHCHECK) starts; only the list form, which needs no shell."""
        text = self.rest.removeprefix("CMD ")
        assert STARTED_BY_LIST.match(text), f"{self.word} is not a list: {text}"
        return json.loads(text)


@dataclass
class Stage:
    """FROM one image to the next."""

    image: str
    name: str
    steps: list[Step] = field(default_factory=list)

    def of(self, word: str) -> list[Step]:
        return [step for step in self.steps if step.word == word]


def read(text: str) -> list[Stage]:
    """The stages of a Dockerfile, in order."""
    stages: list[Stage] = []
    lines = (line.strip() for line in text.replace("\\\n", " ").splitlines())
    for line in lines:
        if not line or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        options: dict[str, str] = {}
        while match := re.match(r"--([\w-]+)=(\S+)\s+", rest):
            options[match[1]] = match[2]
            rest = rest[match.end() :]
        if word == "FROM":
            image, _, name = rest.partition(" AS ")
            stages.append(Stage(image, name or str(len(stages))))
        else:
            stages[-1].steps.append(Step(word, options, rest.strip()))
    return stages


class Image:
    """A folder that stands for a stage's root: every absolute path of the stage is taken below it."""

    def __init__(self, root: Path, context: Path, environment: Mapping[str, str]) -> None:
        self.root = root
        self.context = context
        self.environment = dict(environment)
        self.directory = root
        root.mkdir()

    def rooted(self, text: str) -> str:
        """The text with the stage's absolute paths moved below the root."""
        return ROOTED.sub(f"{self.root}/", text)

    def build(self, stage: Stage, others: Mapping[str, "Image"]) -> None:
        """Do the stage's steps in order."""
        for step in stage.steps:
            if step.word == "WORKDIR":
                self.directory = Path(self.rooted(step.rest))
                self.directory.mkdir(parents=True, exist_ok=True)
            elif step.word == "ENV":
                for pair in shlex.split(step.rest):
                    name, _, value = pair.partition("=")
                    self.environment[name] = self.rooted(value).replace("$PATH", self.environment["PATH"])
            elif step.word == "COPY":
                self._copy(step, others)
            elif step.word == "RUN":
                subprocess.run(["/bin/sh", "-euc", self.rooted(step.rest)], cwd=self.directory, env=self.environment, check=True)

    def _copy(self, step: Step, others: Mapping[str, "Image"]) -> None:
        *sources, target = step.rest.split()
        origin = others[step.options["from"]] if "from" in step.options else None
        into = Path(self.rooted(target)) if PurePosixPath(target).is_absolute() else self.directory / target
        for source in sources:
            path = Path(origin.rooted(source)) if origin else self.context / source
            if path.is_dir():
                shutil.copytree(path, into, symlinks=True, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                into.mkdir(parents=True, exist_ok=True)
                shutil.copy2(path, into)
        if origin:
            _move_scripts(into, origin.root, self.root)


def _move_scripts(folder: Path, origin: Path, root: Path) -> None:
    """A copied virtual environment's scripts name the interpreter by its place: in an image that stays the same, here it moves."""
    for script in folder.glob("bin/*"):
        if script.is_file() and not script.is_symlink():
            content = script.read_bytes()
            script.write_bytes(content.replace(os.fsencode(origin), os.fsencode(root)))
