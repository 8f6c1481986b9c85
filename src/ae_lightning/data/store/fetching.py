"""Files at an address (`s3://`, `gs://`, `https://`), fetched into the cache as they are needed."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ae_lightning.data.store.cache import FETCHED, DataCache
from ae_lightning.errors import ConfigError, DataError, first_line
from ae_lightning.whole_files import replacing

PAUSES = (1.0, 5.0)
"""Seconds before what failed is tried again."""


class Fetcher:
    """Fetches files of an address when they are first needed, each by one of all processes.

    Args:
        address: Of their folder, such as `s3://bucket/folder`.
        index: Name of the file there that says which others there are.
        cache: Where these are kept.

    Attributes:
        index: What is in that file.
        folder: Where the others are kept. Where there is another index at the same address, so are other files.

    Raises:
        ConfigError: If nothing installed reads the address, it has a password in it, or nothing is to be kept.
        DataError: If the index cannot be had.
    """

    def __init__(self, address: str, index: str, cache: DataCache) -> None:
        # fsspec takes a while to import, and so does what it reads an address with.
        from fsspec.core import url_to_fs  # type: ignore[import-untyped]

        if cache.folder is None:
            raise ConfigError("data.cache: null keeps nothing, and a stream at an address is fetched into it")
        if "@" in urlsplit(address).netloc:
            raise ConfigError(
                "data.path: no user or password in an address, which runs keep; fsspec has its own places"
            )
        self._address, self._cache = address.rstrip("/"), cache
        try:
            self._system, self._root = url_to_fs(self._address)
        except (ImportError, ValueError) as error:
            raise ConfigError(f"data.path: {address} cannot be read: {first_line(error)}") from error
        self.index = bytes(self._trying(index, self._system.cat_file))
        self.folder = cache.folder / FETCHED / hashlib.blake2b(self.index, digest_size=16).hexdigest()

    def ensure(self, path: Path, num_bytes: int, is_whole: Callable[[Path], bool]) -> None:
        """Fetch a file that is not kept.

        Args:
            path: Where it is to be, below `folder`.
            num_bytes: Its size.
            is_whole: Whether a file is what was written.

        Raises:
            DataError: If it cannot be fetched or kept, or is damaged where it comes from.
        """
        with suppress(OSError):
            os.utime(path)
            return
        name = path.relative_to(self.folder).as_posix()
        try:
            with self._cache.alone(path):
                if path.exists():
                    return
                self._cache.make_room(num_bytes)
                with replacing(path) as temporary:
                    temporary.touch()
                    self._trying(name, self._system.get_file, str(temporary))
                    if not is_whole(temporary):
                        raise DataError(f"data.path: {self._address}/{name} is damaged; convert the data again")
                # Others may have added more meanwhile.
                self._cache.make_room(0)
        except OSError as error:
            where = f"{self._address} cannot be kept in {path.parent}"
            raise DataError(f"data.cache: {where} ({first_line(error)})") from error

    def _trying(self, name: str, get: Callable[..., Any], *arguments: str) -> Any:
        for pause in (*PAUSES, None):
            try:
                return get(f"{self._root}/{name}", *arguments)
            except FileNotFoundError as error:
                raise DataError(f"data.path: there is no {self._address}/{name}") from error
            except Exception as error:  # each file system has its own
                if pause is None:
                    reason = first_line(error)
                    raise DataError(f"data.path: {self._address}/{name} cannot be fetched ({reason})") from error
                time.sleep(pause)
        return None
