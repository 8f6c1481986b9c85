"""From `data.augment` to the changes of a batch that a model is trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from lightning_utilities.core.rank_zero import rank_zero_warn
from torch import Tensor

from ae_lightning.data.augmentation import Augmentation, Range
from ae_lightning.data.augmentation_settings import KEY, Given, build, is_known, known_augmentations, parse, plain
from ae_lightning.data.batch import Batch
from ae_lightning.draws import Draws
from ae_lightning.errors import ConfigError

STREAM = "augmentation"


class Augmenter:
    """The augmentations of a data module, in their order.

    What lies outside of this package is imported when a training begins, and no sooner: whoever judges a checkpoint
    trusts it with no code.

    Args:
        given: As the setting has them; None or empty for none.
        seed: Fixes what is drawn.

    Raises:
        ConfigError: If one of this package's is not known, or does not take its arguments.

    Attributes:
        settings: As a configuration has them, in plain values; None where there are none.
        steps: The augmentations; empty until all are imported.
    """

    def __init__(self, given: Sequence[Given] | None, seed: int) -> None:
        if isinstance(given, str | Mapping | Augmentation):
            raise ConfigError(f"{KEY}: {given!r} is not allowed; it must be a list, of one too: [RandomHorizontalFlip]")
        self._parsed = [parse(one) for one in given or ()]
        self._seed = seed
        self.steps: list[Augmentation[Any]] = []
        for path, arguments in self._parsed:
            if is_known(path):
                build(path, arguments)
        if all(is_known(path) for path, _ in self._parsed):
            self.import_all()
        self.settings = [plain(path, arguments) for path, arguments in self._parsed] or None

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._parsed)

    @property
    def is_ready(self) -> bool:
        """Whether all of them have been imported."""
        return len(self.steps) == len(self._parsed)

    def import_all(self) -> None:
        """Import what lies outside of this package, and say which of it is slow.

        Raises:
            ConfigError: If it cannot be imported, or does not take its arguments.
        """
        if self.is_ready:
            return
        self.steps = [build(path, arguments) for path, arguments in self._parsed]
        slow = [step.key.removeprefix(f"{KEY}.") for step in self.steps if step.is_slow]
        if slow:
            rank_zero_warn(
                f"{KEY}: {', '.join(slow)} {'takes' if len(slow) == 1 else 'take'} one image after the other, which is "
                f"slow; those of this package take whole batches: {', '.join(sorted(known_augmentations()))}"
            )

    def require_takes(self, data_set: str, shape: tuple[int, ...], value_range: Range | None) -> None:
        """Refuse samples that cannot be augmented so, or would have another shape then.

        Args:
            data_set: What they are called.
            shape: Of a sample.
            value_range: Of its values, as scaled; None where they have no bounds.

        Raises:
            ConfigError: If these are such samples.
        """
        if not self:
            return
        if len(shape) != 3:
            raise ConfigError(f"{KEY}: it is for images, and {data_set} holds none; it must be null")
        if not self.is_ready:
            return
        x = torch.zeros(2, *shape)
        draws = Draws(0, STREAM, (), offset=0, num_images=2, global_size=2, device=x.device)
        for step in self.steps:
            _, channels, height, width = x.shape
            step.require_takes((channels, height, width), value_range)
            x = step(x, draws, value_range)
        if x.shape[1:] != shape:
            sizes = [" × ".join(map(str, one)) for one in (x.shape[1:], shape)]
            raise ConfigError(
                f"{KEY}: it makes images of {sizes[0]}, and those that the model is judged on are {sizes[1]}"
            )

    def __call__(self, x: Tensor, draws: Draws, value_range: Range | None) -> Tensor:
        """Augment images.

        Args:
            x: As scaled, shape (B, C, H, W).
            draws: The random numbers of the batch.
            value_range: Of their values.

        Returns:
            Of the same shape, in ``channels_last`` memory order.
        """
        for step in self.steps:
            x = step(x, draws, value_range)
        return x.contiguous(memory_format=torch.channels_last)

    def augmented(self, batch: Batch, position: tuple[int, int], num_views: int, value_range: Range | None) -> Batch:
        """Augment a batch, for each view by itself.

        Args:
            batch: As scaled.
            position: The epoch, and how many batches came before in it.
            num_views: How many views the model asks for, `x` itself included.
            value_range: Of their values.
        """
        views = []
        for view in range(num_views):
            draws = Draws(
                self._seed,
                STREAM,
                (*position, view),
                offset=batch.offset,
                num_images=len(batch.x),
                global_size=batch.global_size,
                device=batch.x.device,
            )
            views.append(self(batch.x, draws, value_range))
        return batch._replace(x=views[0], views=tuple(views[1:]))
