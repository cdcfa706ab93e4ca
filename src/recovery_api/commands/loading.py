"""A whole load: the files are read twice where references need it, resources stored, clients given to a care team, all in sight."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from recovery_api.fhir.json import dump
from recovery_api.fhir.outcome import outcome
from recovery_api.interactions.context import Server
from recovery_api.interactions.load import Loader, Report
from recovery_api.interactions.load_engagement import engagements, members
from recovery_api.interactions.load_links import Links, wanted
from recovery_api.interactions.load_sources import Incoming, Reject, Text, incoming, texts


class Rejects:
    """Writes what was not loaded, one JSON object a line, and counts the reasons. The file is made when there is something to say."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.reasons: Counter[str] = Counter()
        self.examples: dict[str, Reject] = {}
        self._file: IO[bytes] | None = None
        path.unlink(missing_ok=True)

    def __call__(self, reject: Reject) -> None:
        """Write one."""
        for reason in {_reason(reject, index) for index in range(len(reject.issues))}:
            self.reasons[reason] += 1
            self.examples.setdefault(reason, reject)
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch(mode=0o600)
            self._file = self.path.open("ab")
        place = {"file": reject.place.file, "line": reject.place.line} | ({"entry": reject.place.entry} if reject.place.entry else {})
        self._file.write(dump({**place, "resource": reject.reference, "issue": outcome(reject.issues)["issue"]}) + b"\n")

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()


def _reason(reject: Reject, index: int) -> str:
    issue = reject.issues[index]
    return f"{issue.key or issue.code}: {issue.diagnostics}"


@dataclass(frozen=True)
class Loading:
    """What to load and how. `team` are ids of Practitioners by what they are: companion, case-manager."""

    files: Sequence[Path]
    rejects: Path
    team: Mapping[str, str] = field(default_factory=dict[str, str])
    notify: bool = False


@dataclass
class Outcome:
    """What came of it. `kept` are references that stayed as they were, because they mean no one resource."""

    report: Report
    kept: list[str]
    rejects: Rejects


async def load_files(server: Server, loading: Loading, console: Console) -> Outcome:
    """Load all. Raises ValueError where a file can't be unpacked, NotEmployed where the team is not ours."""
    rejects = Rejects(loading.rejects)
    with ExitStack() as stack:
        stack.callback(rejects.close)
        progress = stack.enter_context(progress_on(console))
        links = await _links(server, loading.files, progress)
        loader = Loader(server, rejects, links=links.known, notify=loading.notify)
        for text in _watched(loading.files, progress, "Loading"):
            for item in incoming(text, server.base):
                await loader.add(item)
        await loader.finish()
        if loading.team:
            team = await members(server, loading.team)
            for item in await engagements(server, list(loader.report.patients), team):
                await loader.add(item)
            await loader.finish()
    return Outcome(loader.report, links.unknown, rejects)


async def _links(server: Server, files: Sequence[Path], progress: Progress) -> Links:
    """What references between the files mean; they are parsed for it only where there are such references."""
    found: set[str] = set()
    for text in _watched(files, progress, "Looking for links"):
        found |= wanted(text.data)
    links = Links(server, found)
    if found:
        for text in _watched(files, progress, "Resolving links"):
            for item in incoming(text, server.base):
                if isinstance(item, Incoming):
                    links.learn(item)
        await links.ask()
    return links


def _watched(files: Sequence[Path], progress: Progress, what: str) -> Iterator[Text]:
    bar = progress.add_task(what, total=sum(path.stat().st_size for path in files))
    done = 0
    for path in files:
        for number, text in enumerate(texts(path)):
            if number % 64 == 0:
                progress.update(bar, completed=done + text.position)
            yield text
        done += path.stat().st_size
        progress.update(bar, completed=done)


def progress_on(console: Console) -> Progress:
    """Bars on a terminal, nothing elsewhere."""
    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    return Progress(*columns, console=console, disable=not console.is_terminal)
