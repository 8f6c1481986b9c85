"""What a folder of converted images says of itself: `stream.json`, and whether its chunks are whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeInt,
    PositiveInt,
    TypeAdapter,
    ValidationError,
)

from ae_lightning import __version__
from ae_lightning.data.splits import SplitName
from ae_lightning.data.streaming.blocks import PixelType
from ae_lightning.errors import DataError
from ae_lightning.versions import FIRST_VERSION, require_readable

FILE_NAME = "stream.json"
FORMAT: Final = "ae_lightning stream"
FORMAT_OF_0_1: Final = 1
"""What the first release wrote in place of its version."""


class StreamDescription(BaseModel):
    """What a converted folder holds.

    Attributes:
        format: Tells the file from others.
        version: Of the package that wrote it.
        image_shape: Channels, height and width.
        dtype: Of the pixels.
        block_size: Images of a block; the last block of a split may have fewer.
        window_size: Blocks that are mixed in training; kept here, so that the order of an epoch never changes.
        num_images: Of each split; no `val` where no images are held out.
        class_names: None where the images are unlabelled.
        novel_class: Number of the class left out of train and val, if one is.
        num_skipped: Files that could not be read when they were converted.
        notes: How their source was understood, and what was left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    format: Literal["ae_lightning stream"] = FORMAT
    version: str = __version__
    image_shape: tuple[PositiveInt, PositiveInt, PositiveInt]
    dtype: PixelType = "uint8"
    block_size: PositiveInt
    window_size: PositiveInt
    num_images: dict[SplitName, PositiveInt]
    class_names: tuple[str, ...] | None = None
    novel_class: NonNegativeInt | None = None
    num_skipped: NonNegativeInt = 0
    notes: tuple[str, ...] = ()

    def write(self, folder: Path) -> None:
        """Write it into a folder."""
        (folder / FILE_NAME).write_text(self.model_dump_json(indent=2) + "\n", encoding="utf-8")


def _structure_of(*keys: str) -> str:
    """Return how litdata writes down that an item is a dictionary of arrays with such keys."""
    array: dict[str, object] = {"type": None, "context": None, "children_spec": []}
    item = {"type": "builtins.dict", "context": json.dumps(keys), "children_spec": [array] * len(keys)}
    return json.dumps([1, item])


_STRUCTURES = _structure_of("images"), _structure_of("images", "labels")


def _require_known(structure: str) -> str:
    if structure not in _STRUCTURES:
        raise ValueError("not what `convert` writes")
    return structure


class _Chunk(BaseModel):
    filename: Annotated[str, Field(pattern=r"^chunk-\d+-\d+\.bin$")]
    chunk_bytes: NonNegativeInt
    chunk_size: NonNegativeInt


class _Config(BaseModel):
    """What `convert` has litdata write, and nothing else that litdata would read."""

    # litdata's others unpickle, which runs whatever code is in the file.
    data_format: list[Annotated[str, Field(pattern=r"^(numpy|no_header_numpy:\d+)$")]]
    # Of other structures litdata imports whatever module they name, and calls what they name in it.
    data_spec: Annotated[str, AfterValidator(_require_known)]
    item_loader: Literal["PyTreeLoader"]
    compression: None
    encryption: None
    format: None = None


class _Index(BaseModel):
    chunks: list[_Chunk]
    config: _Config


class _Head(BaseModel):
    format: Literal["ae_lightning stream"]
    version: int | str


def read_description(folder: Path) -> StreamDescription:
    """Read what a folder holds, and look its chunks over, so that none is missed in the middle of a training.

    Args:
        folder: That `convert` wrote.

    Raises:
        DataError: If it is no such folder, another release wrote it, or a chunk is missing or has another size.
    """
    text = _read_text(folder)
    try:
        version = TypeAdapter(_Head).validate_json(text).version
    except ValidationError as error:
        raise DataError(
            f"data.path: {folder / FILE_NAME} is not what `convert` writes; convert the images again"
        ) from (error)
    written_by = FIRST_VERSION if version == FORMAT_OF_0_1 else str(version)
    require_readable(f"data.path: {folder}", written_by, "convert the images again", DataError)
    try:
        description = StreamDescription.model_validate_json(text)
    except ValidationError as error:
        key = ".".join(str(part) for part in error.errors()[0]["loc"])
        raise DataError(f"data.path: {folder / FILE_NAME} is corrupt at {key}; convert the images again") from error
    for name, num_images in description.num_images.items():
        _check_chunks(folder / name, -(-num_images // description.block_size))
    return description


def _read_text(folder: Path) -> str:
    if not folder.is_dir():
        raise DataError(f"data.path: there is no folder {folder}")
    path = folder / FILE_NAME
    if not path.is_file():
        raise DataError(
            f"data.path: {folder} was not written by `convert`, as it has no {FILE_NAME}; data.name folder reads a "
            "tree of image files"
        )
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"data.path: {path} cannot be read: {error}") from error


def _check_chunks(folder: Path, num_blocks: int) -> None:
    index = folder / "index.json"
    try:
        # Parsed as litdata parses it: what is checked must be what it reads.
        chunks = _Index.model_validate(json.loads(index.read_text())).chunks
    except OSError as error:
        raise DataError(f"{index} cannot be read: {error.strerror}; convert the images again") from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"{index} is corrupt; convert the images again") from error
    for chunk in chunks:
        path = folder / chunk.filename
        if not path.is_file():
            raise DataError(f"{path} is missing; convert the images again")
        size = path.stat().st_size
        if size != chunk.chunk_bytes:
            fault = "truncated" if size < chunk.chunk_bytes else "corrupt"
            raise DataError(f"{path} is {fault}: {size} bytes instead of {chunk.chunk_bytes}; convert the images again")
    if sum(chunk.chunk_size for chunk in chunks) != num_blocks:
        raise DataError(f"{index} does not belong to {FILE_NAME} beside it; convert the images again")
