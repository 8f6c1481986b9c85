"""A class that training never sees."""

from __future__ import annotations

from torch import Tensor

from ae_lightning.errors import ConfigError, unknown_name
from ae_lightning.labels import MISSING_LABEL

KEY = "data.leave_out_class"


def find_class(wanted: int | str, class_names: tuple[str, ...] | None, dataset_name: str) -> int:
    """Return the number of a class.

    Args:
        wanted: Its name, or its position among the names.
        class_names: The data set's; None where it is unlabelled.
        dataset_name: For the message.

    Raises:
        ConfigError: If there is no such class, or there are no classes at all.
    """
    if class_names is None:
        raise ConfigError(f"{KEY}: {wanted!r} cannot be left out, since the images of {dataset_name} have no labels")
    # A folder's classes may be called 3 and 7: what names a class is a name.
    if str(wanted) in class_names:
        return class_names.index(str(wanted))
    if isinstance(wanted, int):
        for name in class_names:
            if name.isdecimal() and int(name) == wanted:
                raise ConfigError(f"{KEY}: {wanted} is a position, and {name!r} a name; write the name in quotes")
        if not 0 <= wanted < len(class_names):
            raise ConfigError(f"{KEY}: {wanted} is not allowed; classes are 0 to {len(class_names) - 1}")
        return wanted
    raise ConfigError(unknown_name(KEY, wanted, class_names))


def positions_without_class(labels: Tensor, left_out: int) -> Tensor:
    """Return where the labels are of other classes, int64: an image without a label may be of this one.

    Raises:
        ConfigError: If nowhere.
    """
    kept = ((labels != left_out) & (labels != MISSING_LABEL)).nonzero().squeeze(1)
    if len(kept) == 0:
        whose = f"are of class {left_out}, or have no label"
        raise ConfigError(f"{KEY}: all training images {whose}, so that none would be left")
    return kept
