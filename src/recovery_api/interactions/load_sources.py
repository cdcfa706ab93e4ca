"""Where `load` takes resources from: files of Bundles or NDJSON, plain or compressed by gzip, each resource with its place."""
import gzip
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, cast

from recovery_api.fhir.errors import BadRequest, Issue
from recovery_api.fhir.json import JsonObject, dump, parse
from recovery_api.fhir.json_types import is_object

LINES = (".ndjson", ".jsonl")
WHOLE = (".json",)
SUFFIXES = tuple(f"{suffix}{packed}" for suffix in (*LINES, *WHOLE) for packed in ("", ".gz"))

_NAMESPACE = uuid.UUID("0190a5c3-7c8e-7d5e-9b1a-5f6f6c6f6164")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_URN = "urn:uuid:"


class Place(NamedTuple):
    """Where a resource stands: `line` and `entry` (of a Bundle) are numbered from 1; entry 0 is the line itself."""

    file: str
    line: int = 1
    entry: int = 0


class Text(NamedTuple):
    """A line of NDJSON, or a whole file. `position` is how far into the file its end is, in bytes of the file on disk."""

    place: Place
    data: bytes
    position: int


class Incoming(NamedTuple):
    """A resource to load, with the id that it will have."""

    place: Place
    resource: JsonObject
    """Whatever the file holds: its type and id are not checked yet."""
    links: dict[str, str]
    """References by the fullUrls of its own Bundle."""
    absolute: bool = False
    """It may hold absolute references to this server."""

    @property
    def reference(self) -> str:
        return f"{self.resource['resourceType']}/{self.resource['id']}"


class Reject(NamedTuple):
    """What was not loaded, and why; `reference` is '' where nobody can tell."""

    place: Place
    reference: str
    issues: tuple[Issue, ...]


def files(paths: Iterable[Path]) -> list[Path]:
    """The files that the paths name: themselves, and of folders all that are JSON or NDJSON, in the order of their names.

    Raises FileNotFoundError, and ValueError for a file of another kind, or a folder without any.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(each for each in path.rglob("*") if each.name.lower().endswith(SUFFIXES) and each.is_file())
            if not inside:
                raise ValueError(f"There is no file that ends with {', '.join(SUFFIXES)} in {path}.")
            found += inside
        elif not path.exists():
            raise FileNotFoundError(2, "There is no such file", str(path))
        elif not path.name.lower().endswith(SUFFIXES):
            raise ValueError(f"The name of a file to load ends with {', '.join(SUFFIXES)}: {path}.")
        else:
            found.append(path)
    return list(dict.fromkeys(found))


def texts(path: Path) -> Iterator[Text]:
    """The lines of an NDJSON file that are not empty, or all of a JSON file. Raises ValueError where gzip can't unpack it."""
    name = path.name.lower()
    with path.open("rb") as raw:
        stream = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if name.endswith(".gz") else raw
        try:
            if not name.removesuffix(".gz").endswith(LINES):
                yield Text(Place(str(path)), stream.read().removeprefix(_BYTE_ORDER_MARK), raw.tell())
                return
            for number, line in enumerate(stream, start=1):
                if line := line.removeprefix(_BYTE_ORDER_MARK).strip():
                    yield Text(Place(str(path), number), line, raw.tell())
        except (EOFError, gzip.BadGzipFile) as error:
            raise ValueError(f"{path} can't be unpacked: {error}.") from error


def incoming(text: Text, base: str) -> Iterator[Incoming | Reject]:
    """The resources of a text: itself, or those that stand in it where it is a Bundle, of whatever kind. `base` is the server's."""
    try:
        said = parse(text.data)
    except BadRequest as error:
        yield Reject(text.place, "", error.issues)
        return
    if said.get("resourceType") != "Bundle":
        said["id"] = identity(said, {})
        yield Incoming(text.place, said, {}, absolute=base.encode() in text.data)
        return
    entries: Any = said.get("entry", [])
    if not isinstance(entries, list) or not all(is_object(entry) for entry in cast("list[Any]", entries)):
        yield Reject(text.place, "Bundle", (Issue("structure", "Bundle.entry must be an array of objects.", "Bundle.entry"),))
        return
    yield from _unfolded(text.place, cast("list[JsonObject]", entries))


def _unfolded(place: Place, entries: list[JsonObject]) -> Iterator[Incoming]:
    standing = [(number, entry, entry["resource"]) for number, entry in enumerate(entries, start=1) if is_object(entry.get("resource"))]
    links: dict[str, str] = {}
    for _, entry, resource in standing:
        resource["id"] = identity(resource, entry)
        if isinstance(url := entry.get("fullUrl"), str):
            links[url] = f"{resource.get('resourceType')}/{resource['id']}"
    for number, _, resource in standing:
        yield Incoming(place._replace(entry=number), resource, links, absolute=True)


def identity(resource: JsonObject, entry: JsonObject) -> Any:
    """The id of a resource: its own, else that of its entry's fullUrl or request, else one that follows from its content."""
    if "id" in resource:
        return resource["id"]
    url, asked = str(entry.get("fullUrl", "")), entry.get("request")
    if url.lower().startswith(_URN):
        return url[len(_URN) :].lower()
    for address in (url, str(asked.get("url", "")) if is_object(asked) else ""):
        front, _, last = address.rpartition("/")
        if last and "?" not in address and front.rpartition("/")[2] == resource.get("resourceType"):
            return last
    return str(uuid.uuid5(_NAMESPACE, dump(resource).decode()))
