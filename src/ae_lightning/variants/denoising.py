"""`DenoisingAE`: give back the clean image from a corrupted one."""

from __future__ import annotations

from typing import Unpack

from torch import Tensor

from ae_lightning.checks import require_name, require_non_negative, require_share
from ae_lightning.data.batch import Batch
from ae_lightning.data.corruption import CorruptionName, corrupt, require_corruption
from ae_lightning.draws import Draws
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.models.options import AutoencoderOptions


class DenoisingAE(Autoencoder):
    """Minimise rec(x, g(f(corrupt(x)))) (Vincent et al. 2008, equation 5; Prajapati 2020; Velardo).

    The target is always the clean image. `val/loss`, by which the best checkpoint is chosen, is this objective too, on
    corruption that is the same every time; `reconstruct` and every measure but that of denoising see clean images.

    Args:
        corruption: `gaussian` adds noise of `std`; `masking` sets a share `p` of the values to 0; `salt_and_pepper`
            sets a share `p` to the ends of the range of the values.
        std: Standard deviation of the noise of `gaussian`, in the units of the samples as scaled.
        p: Share of the values that `masking` and `salt_and_pepper` change.

    Raises:
        ConfigError: If the corruption is unknown or needs bounds that the values lack, std is negative or p is not in
            [0, 1].
    """

    def __init__(
        self,
        *,
        corruption: CorruptionName = "gaussian",
        std: float = 0.3,
        p: float = 0.3,
        **options: Unpack[AutoencoderOptions],
    ) -> None:
        super().__init__(**options)
        self.corruption: CorruptionName = require_name("model.corruption", corruption, CorruptionName)
        require_corruption(self.corruption, self.spec.value_range)
        self.std = require_non_negative("model.std", std)
        self.p = require_share("model.p", p)

    def corrupt(self, x: Tensor, draws: Draws) -> Tensor:
        """Return corrupted samples, in the range of clean ones."""
        shape = x.shape[1:]
        if self.corruption == "gaussian":
            return corrupt(x, "gaussian", draws.normal(*shape), self.std, self.spec.value_range)
        return corrupt(x, self.corruption, draws.uniform(*shape), self.p, self.spec.value_range)

    def loss_terms(self, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        """Return the reconstruction of clean samples from corrupted ones."""
        latent = self.encode(self.corrupt(batch.x, draws), batch.labels)
        return {"reconstruction": self.reconstruction_term(batch, latent)}
