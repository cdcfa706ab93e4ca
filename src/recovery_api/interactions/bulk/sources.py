"""Where an import takes files from: a folder that the operator names, or an address that may be called."""
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit
from urllib.request import url2pathname

from recovery_api.fhir.errors import BadRequest, Issue
from recovery_api.identity.endpoints import EndpointRefused
from recovery_api.interactions.bulk.asked import Source
from recovery_api.interactions.context import Jobs
from recovery_api.interactions.load_sources import SUFFIXES

REMOTE: Final = frozenset({"http", "https"})


def local(jobs: Jobs, url: str) -> Path | None:
    """The file that a name or a file: address means, in the folder that the operator names; None for another address.

    Raises BadRequest for what is not in it, the same whether it is elsewhere or nowhere.
    """
    parts = urlsplit(url)
    if parts.scheme in REMOTE:
        return None
    folder = jobs.folder and jobs.folder.resolve()
    path = Path(url2pathname(parts.path))
    found = (folder / path).resolve() if folder is not None else path
    if parts.scheme not in {"", "file"} or folder is None or not found.is_relative_to(folder) or not found.is_file():
        raise BadRequest(Issue("value", "An input names a file that is not in RECOVERY_IMPORT_FOLDER."))
    if not found.name.lower().endswith(SUFFIXES):
        raise BadRequest(Issue("value", f"The name of a file to bring in ends with {', '.join(SUFFIXES)}."))
    return found


async def check(jobs: Jobs, url: str) -> None:
    """Raise BadRequest for a source that may not be taken."""
    if local(jobs, url) is None:
        try:
            await jobs.endpoints.judged(url)
        except (EndpointRefused, OSError, ValueError) as error:
            raise BadRequest(Issue("value", f"An input names an address that may not be called ({type(error).__name__}).")) from None


async def fetched(jobs: Jobs, source: Source, job: str, number: int) -> Path:
    """The file of a source, laid down here where it is elsewhere. Raises EndpointRefused, BadRequest."""
    found = local(jobs, source.url)
    if found is not None:
        return found
    name = urlsplit(source.url).path.lower()
    suffix = next((each for each in SUFFIXES if name.endswith(each)), ".ndjson")
    path = jobs.spool / job / f"{number}{suffix}"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        half = path.with_name(f".{path.name}")
        half.touch(mode=0o600)
        with half.open("wb") as file:
            async for chunk in jobs.endpoints.stream(source.url):
                file.write(chunk)
        half.rename(path)
    return path
