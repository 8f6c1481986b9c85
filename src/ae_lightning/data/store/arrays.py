"""One array on disk: rows in `.npy` files of bounded size, read by position and held against checksums."""

from __future__ import annotations

import math
import zlib
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event
from typing import Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field, PositiveInt, model_validator

from ae_lightning.data.store.fetching import Fetcher
from ae_lightning.errors import DataError, UnreadableError

AGAIN = "convert the data again"

HEADER_BYTES = 128
"""Of a file, before its rows. NumPy's own grows with the shape, and this one is written when that is known."""

SHARD_BYTES = 1 << 24
"""Of a file, about. What is at an address is fetched in whole files, and the first batch waits for a window of them."""
FETCHED_AT_ONCE = 8
"""Files: most of the wait is for answers."""


class ArrayDescription(BaseModel):
    """What an array on disk is. A block is a run of rows that are read together.

    Attributes:
        dtype: Of its values, as NumPy writes it; `|S12` is words of at most 12 bytes in UTF-8.
        shape: Of a row.
        num_rows: How many there are.
        block_rows: Rows of a block; the last one may have fewer.
        shard_blocks: Blocks of a file; the last one may have fewer.
        checksums: CRC-32 of each block, eight hexadecimal digits.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    dtype: Annotated[str, Field(pattern=r"^(\|u1|<u2|<f4|<i8|\|S[1-9]\d{0,5})$")]
    shape: tuple[PositiveInt, ...]
    num_rows: PositiveInt
    block_rows: PositiveInt
    shard_blocks: PositiveInt
    checksums: Annotated[str, Field(pattern=r"^([0-9a-f]{8})+$")]

    @model_validator(mode="after")
    def _has_a_checksum_a_block(self) -> Self:
        if len(self.checksums) != 8 * self.num_blocks:
            raise ValueError("not one checksum a block")
        return self

    @property
    def num_blocks(self) -> int:
        """Count the blocks."""
        return -(-self.num_rows // self.block_rows)

    @property
    def num_shards(self) -> int:
        """Count the files."""
        return -(-self.num_blocks // self.shard_blocks)

    @property
    def row_bytes(self) -> int:
        """Size of a row in bytes."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    def rows_in(self, shard: int) -> int:
        """Count the rows of a file."""
        most = self.shard_blocks * self.block_rows
        return min(most, self.num_rows - shard * most)

    def header(self, shard: int) -> bytes:
        """Return how a file begins, as `numpy.load` reads it."""
        says = {"descr": self.dtype, "fortran_order": False, "shape": (self.rows_in(shard), *self.shape)}
        text = repr(says).ljust(HEADER_BYTES - 11) + "\n"
        return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


def shard_name(array: str, shard: int) -> str:
    """Return the name of a file of an array."""
    return f"{array}-{shard:05}.npy"


def bytes_of(rows: NDArray[Any]) -> NDArray[np.uint8]:
    """Return the bytes of an array that lies in one piece, shared with it."""
    return rows.reshape(-1).view(np.uint8)


class ArrayWriter:
    """Writes rows as they come.

    Args:
        folder: Of the files, which exists.
        name: Of the array.
        block_rows: Rows of a block.
    """

    def __init__(self, folder: Path, name: str, block_rows: int) -> None:
        self._folder, self._name, self._block_rows = folder, name, block_rows
        self._first: NDArray[Any] | None = None
        self._checksums: list[int] = []
        self.num_rows = 0

    def add(self, rows: NDArray[Any]) -> None:
        """Take rows, any number, all of one shape and dtype."""
        while len(rows):
            if self._first is None:
                self._first = rows[:1].copy()
                self._shard_blocks = max(1, SHARD_BYTES // (self._block_rows * self._first.nbytes))
            block, within = divmod(self.num_rows, self._block_rows)
            part, rows = np.split(rows, [self._block_rows - within])
            data = bytes_of(np.ascontiguousarray(part)).data
            self._checksums[block:] = [zlib.crc32(data, self._checksums[block] if within else 0)]
            with (self._folder / shard_name(self._name, block // self._shard_blocks)).open("ab") as file:
                if file.tell() == 0:
                    file.write(bytes(HEADER_BYTES))
                file.write(data)
            self.num_rows += len(part)

    def close(self) -> ArrayDescription:
        """Write the headers of the files; there must be rows."""
        assert self._first is not None
        described = ArrayDescription(
            dtype=self._first.dtype.str,
            shape=self._first.shape[1:],
            num_rows=self.num_rows,
            block_rows=self._block_rows,
            shard_blocks=self._shard_blocks,
            checksums="".join(f"{checksum:08x}" for checksum in self._checksums),
        )
        for shard in range(described.num_shards):
            with (self._folder / shard_name(self._name, shard)).open("r+b") as file:
                file.write(described.header(shard))
        return described


class StoredArray:
    """An array that stays on disk. A block is held against its checksum when it is first read.

    Args:
        described: What it is.
        folder: Where its files are.
        name: Of the array.
        fetcher: Brings them there; None where they are.

    Raises:
        DataError: If a file that should be there is missing or of another size.
    """

    def __init__(self, described: ArrayDescription, folder: Path, name: str, fetcher: Fetcher | None = None) -> None:
        self.described = described
        self.dtype = np.dtype(described.dtype)
        self._folder, self._name, self._fetcher = folder, name, fetcher
        self._checksums = np.frombuffer(bytes.fromhex(described.checksums), ">u4")
        self._is_checked = np.zeros(described.num_blocks, np.bool_)
        for shard in range(described.num_shards if fetcher is None else 0):
            path, wanted = self._path(shard), self._bytes_in(shard)
            size = path.stat().st_size if path.is_file() else None
            if size != wanted:
                fault = "missing" if size is None else f"damaged: {size} bytes instead of {wanted}"
                raise DataError(f"{path} is {fault}; {AGAIN}")

    def __len__(self) -> int:
        """Count the rows."""
        return self.described.num_rows

    @property
    def nbytes(self) -> int:
        """Size of all rows in bytes."""
        return len(self) * self.described.row_bytes

    def is_whole(self) -> bool:
        """Read all of it, and say whether it is what was written.

        Raises:
            OSError: If a file cannot be read.
        """
        whole = all(self._is_whole_file(shard, self._path(shard)) for shard in range(self.described.num_shards))
        self._is_checked[:] = whole
        return whole

    def fetch(self, positions: NDArray[np.int64], is_over: Event) -> None:
        """Fetch the files that hold some rows, several at once, if they are elsewhere.

        Args:
            positions: Of the rows.
            is_over: Once it is set, what is left is let be.

        Raises:
            DataError: If one cannot be fetched.
        """
        if self._fetcher is None:
            return
        shards = np.unique(positions // (self.described.shard_blocks * self.described.block_rows)).tolist()
        with ThreadPoolExecutor(FETCHED_AT_ONCE, "fetch") as threads:
            list(threads.map(lambda shard: is_over.is_set() or self._here(shard), shards))

    def __getitem__(self, positions: NDArray[np.int64]) -> NDArray[Any]:
        """Read rows into memory; see `read`."""
        return self.read(positions, np.empty((len(positions), *self.described.shape), self.dtype))

    def read(self, positions: NDArray[np.int64], out: NDArray[Any]) -> NDArray[Any]:
        """Read rows, each block that they lie in once.

        Args:
            positions: Of the rows, any order, shape (n,).
            out: Where to read to, shape (n, *shape).

        Returns:
            `out`, in the order of the positions.

        Raises:
            DataError: If a file cannot be fetched or read, or is damaged where the rows are.
        """
        block_rows = self.described.block_rows
        room = np.empty((min(block_rows, len(self)), *self.described.shape), self.dtype)
        block_of = positions // block_rows
        by_block = block_of.argsort(kind="stable")
        blocks, starts = np.unique(block_of[by_block], return_index=True)
        for block, places in zip(blocks.tolist(), np.split(by_block, starts[1:]), strict=False):
            out[places] = self._read_block(block, room)[positions[places] - block * block_rows]
        return out

    def _read_block(self, block: int, room: NDArray[Any]) -> NDArray[Any]:
        described = self.described
        shard, within = divmod(block, described.shard_blocks)
        rows = room[: min(described.block_rows, len(self) - block * described.block_rows)]
        data = bytes_of(rows).data
        for is_last in (True,) if self._fetcher is None else (False, False, True):
            path = self._here(shard)
            try:
                # By position and never mapped: mapped pages count as memory in use. Opened anew, so that no number of
                # files, threads or forks is too many.
                with path.open("rb", buffering=0) as file:
                    file.seek(HEADER_BYTES + within * described.block_rows * described.row_bytes)
                    if file.readinto(data) == len(data) and self._is_right(block, data):
                        return rows
            except OSError as error:
                if is_last:
                    raise UnreadableError(f"{path} cannot be read: {error.strerror}; {AGAIN}") from error
            if not is_last:  # altered since it was fetched, or thrown out by another process
                path.unlink(missing_ok=True)
        raise DataError(f"{path} is corrupt; {AGAIN}")

    def _is_right(self, block: int, data: memoryview) -> bool:
        if not self._is_checked[block]:
            self._is_checked[block] = zlib.crc32(data) == self._checksums[block]
        return bool(self._is_checked[block])

    def _here(self, shard: int) -> Path:
        """Return the path of a file, which is fetched if it is not there."""
        path = self._path(shard)
        if self._fetcher is not None:
            self._fetcher.ensure(path, self._bytes_in(shard), partial(self._is_whole_file, shard))
        return path

    def _path(self, shard: int) -> Path:
        return self._folder / shard_name(self._name, shard)

    def _bytes_in(self, shard: int) -> int:
        return HEADER_BYTES + self.described.rows_in(shard) * self.described.row_bytes

    def _is_whole_file(self, shard: int, path: Path) -> bool:
        described = self.described
        blocks = range(described.num_blocks)[shard * described.shard_blocks :][: described.shard_blocks]
        block_bytes = described.block_rows * described.row_bytes
        with path.open("rb") as file:
            return (
                file.read(HEADER_BYTES) == described.header(shard)
                and all(zlib.crc32(file.read(block_bytes)) == self._checksums[block] for block in blocks)
                and not file.read(1)
            )
