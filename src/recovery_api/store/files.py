"""Where files are kept that are too large for the database: a folder, or an object store that speaks S3.

A file is there when it is whole, or it is not there at all. Names are paths below the place, "job/number".
"""

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Final, Protocol, TypeAlias

Write: TypeAlias = Callable[[bytes], Awaitable[None]]

CHUNK: Final = 1 << 18
"""Bytes that are read at a time."""


class FileStore(Protocol):
    """A place for files. Raises OSError where it can't be reached."""

    def writing(self, name: str) -> AbstractAsyncContextManager[Write]:
        """Write a file bit by bit: it is there, and on the disk, on a clean exit."""
        ...

    def reading(self, name: str) -> AsyncIterator[bytes]:
        """The bytes of a file. Raises FileNotFoundError."""
        ...

    async def remove(self, folder: str) -> None:
        """Remove all files of a folder."""
        ...


class Folder:
    """Files in a folder, readable for its owner alone."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @asynccontextmanager
    async def writing(self, name: str) -> AsyncGenerator[Write]:
        """Write a file: see FileStore."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        half = path.with_name(f".{path.name}")
        descriptor = os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            with os.fdopen(descriptor, "wb", buffering=0) as file:

                async def write(data: bytes) -> None:
                    await asyncio.to_thread(file.write, data)

                yield write
                await asyncio.to_thread(os.fsync, file.fileno())
        except BaseException:
            half.unlink(missing_ok=True)
            raise
        half.rename(path)

    async def reading(self, name: str) -> AsyncIterator[bytes]:
        """The bytes of a file: see FileStore."""
        with (self.path / name).open("rb") as file:
            while chunk := await asyncio.to_thread(file.read, CHUNK):
                yield chunk

    async def remove(self, folder: str) -> None:
        """Remove all files of a folder."""
        await asyncio.to_thread(shutil.rmtree, self.path / folder, ignore_errors=True)
