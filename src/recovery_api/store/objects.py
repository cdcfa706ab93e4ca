"""Files in an object store that speaks S3, by obstore. Address and keys come from AWS's own variables (AWS_ENDPOINT_URL, AWS_REGION, …)."""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import S3Store

from recovery_api.store.files import CHUNK, Write

PART: Final = 8 << 20
"""Bytes of a part of an upload: what is smaller goes at once."""


class ObjectStore:
    """Files in a bucket, below a prefix."""

    def __init__(self, address: str) -> None:
        """`address` is like s3://bucket/prefix."""
        parts = urlsplit(address)
        self._objects = S3Store(parts.netloc, prefix=parts.path.strip("/") or None)

    @asynccontextmanager
    async def writing(self, name: str) -> AsyncGenerator[Write]:
        """Write a file: see FileStore."""
        try:
            writer = obstore.open_writer_async(self._objects, name, buffer_size=PART, max_concurrency=2)

            async def write(data: bytes) -> None:
                await writer.write(data)

            yield write
            await writer.close()
        except BaseError as error:
            raise OSError(f"The object store refused to keep a file ({type(error).__name__}).") from error

    async def reading(self, name: str) -> AsyncIterator[bytes]:
        """The bytes of a file: see FileStore."""
        try:
            found = await obstore.get_async(self._objects, name)
            async for chunk in found.stream(min_chunk_size=CHUNK):
                yield bytes(chunk)
        except FileNotFoundError:
            raise FileNotFoundError(name) from None
        except BaseError as error:
            raise OSError(f"The object store did not give a file ({type(error).__name__}).") from error

    async def remove(self, folder: str) -> None:
        """Remove all files of a folder."""
        try:
            async for found in obstore.list(self._objects, f"{folder}/"):  # pyright: ignore[reportUnknownMemberType]
                await obstore.delete_async(self._objects, [each["path"] for each in found])
        except BaseError as error:
            raise OSError(f"The object store did not remove files ({type(error).__name__}).") from error
