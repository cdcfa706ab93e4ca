"""The place for files that a setting names."""
from pathlib import Path

from recovery_api.store.files import FileStore, Folder


def file_store(place: str) -> FileStore:
    """The place for files: a folder's path, or `s3://bucket/prefix`. Raises ImportError where what the latter needs is not installed."""
    if place.startswith("s3://"):
        from recovery_api.store.objects import ObjectStore  # noqa: PLC0415 (an extra: it need not be installed)

        return ObjectStore(place)
    return Folder(Path(place))
