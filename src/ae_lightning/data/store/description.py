"""What a folder of converted samples says of itself: `stream.json`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, NonNegativeInt, PositiveInt, ValidationError, model_validator

from ae_lightning import __version__
from ae_lightning.data.splits import SplitName
from ae_lightning.data.store.arrays import AGAIN, ArrayDescription
from ae_lightning.errors import DataError
from ae_lightning.spec import Factors
from ae_lightning.versions import FIRST_VERSION, require_readable

FILE_NAME = "stream.json"
FORMAT: Final = "ae_lightning stream"
FORMAT_OF_0_1: Final = 1
"""What the first release wrote in place of its version."""

STRICT = ConfigDict(extra="forbid", frozen=True, strict=True)


class SplitDescription(BaseModel):
    """The arrays of a split, a row a sample, and the range of its values.

    Attributes:
        x: uint8, uint16 or float32: images (C, H, W), sequences (T, D) or vectors (D,).
        keys: What each is called at its source.
        labels: int64, −1 where missing; None where unlabelled.
        factors: int64, shape (F,); None where none is known.
        smallest: Value of `x`.
        largest: Likewise.
    """

    model_config = STRICT

    x: ArrayDescription
    keys: ArrayDescription
    labels: ArrayDescription | None = None
    factors: ArrayDescription | None = None
    smallest: float
    largest: float

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if self.x.dtype[1] not in "uf" or not 1 <= len(self.x.shape) <= 3:
            raise ValueError("x is of no such type")
        for array, kind, num_axes in ((self.keys, "S", 0), (self.labels, "i", 0), (self.factors, "i", 1)):
            wanted = self.x.num_rows, kind, num_axes
            if array is not None and (array.num_rows, array.dtype[1], len(array.shape)) != wanted:
                raise ValueError("an array does not belong to x")
        return self


class StreamDescription(BaseModel):
    """What a converted folder holds.

    Attributes:
        format: Tells the file from others.
        version: Of the package that wrote it.
        window_size: Blocks of `x` that are mixed in training; kept here, so that the order of an epoch never changes.
        class_names: None where the samples are unlabelled.
        factors: Names of the known factors, and how many values each takes; None where none is known.
        novel_class: Number of the class left out of train and val, if one is.
        num_skipped: Files that could not be read when they were converted.
        notes: How their source was understood, and what was left out.
        splits: The arrays of each; no `val` where no samples are held out.
    """

    model_config = STRICT

    format: Literal["ae_lightning stream"] = FORMAT
    version: str = __version__
    window_size: PositiveInt
    class_names: tuple[str, ...] | None = None
    factors: Factors | None = None
    novel_class: NonNegativeInt | None = None
    num_skipped: NonNegativeInt = 0
    notes: tuple[str, ...] = ()
    splits: Annotated[dict[SplitName, SplitDescription], Field(min_length=2)]

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        if not {"train", "test"} <= self.splits.keys():
            raise ValueError("no train or no test split")
        if len({(split.x.dtype, split.x.shape) for split in self.splits.values()}) > 1:
            raise ValueError("splits of other samples")
        return self

    @property
    def num_samples(self) -> dict[SplitName, int]:
        """Count the samples of each split."""
        return {name: split.x.num_rows for name, split in self.splits.items()}

    def write(self, folder: Path) -> None:
        """Write it into a folder."""
        text = self.model_dump_json(indent=2, exclude_none=True)
        (folder / FILE_NAME).write_text(text + "\n", encoding="utf-8")


class _Head(BaseModel):
    format: Literal["ae_lightning stream"]
    version: int | str


def parse_description(text: bytes, place: str) -> StreamDescription:
    """Read a description.

    Args:
        text: Of the file.
        place: Folder or address that it is from.

    Raises:
        DataError: If it is none, it is damaged, or another release wrote it.
    """
    try:
        version = _Head.model_validate_json(text).version
    except ValidationError as error:
        raise DataError(f"data.path: {place}/{FILE_NAME} is not what `convert` writes; {AGAIN}") from error
    written_by = FIRST_VERSION if version == FORMAT_OF_0_1 else str(version)
    require_readable(f"data.path: {place}", written_by, AGAIN, DataError)
    try:
        return StreamDescription.model_validate_json(text)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "splits"
        raise DataError(f"data.path: {place}/{FILE_NAME} is corrupt at {where}; {AGAIN}") from error
