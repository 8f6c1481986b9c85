"""`StackedAE`: layers trained one after the other, then all together."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from ae_lightning.data.batch import Batch
from ae_lightning.draws import Draws
from ae_lightning.losses.full_precision import full_precision
from ae_lightning.losses.reconstruction import mse
from ae_lightning.models.autoencoder import Autoencoder
from ae_lightning.models.phases import Phase
from ae_lightning.models.shapes import require_mirrored
from ae_lightning.networks import Network
from ae_lightning.networks.layers import running_statistics

FINE_TUNING = Phase("fine-tuning")


class StackedAE(Autoencoder):
    """Greedy layer-by-layer pre-training of a deep autoencoder, then fine-tuning end to end (Pourreza 2018; Bagul).

    Bengio et al. 2007; Vincent et al. 2010, section 2.4. In phase i, stage i of the encoder and the stage of the
    decoder that undoes it learn to give back what the stages before make of the image, and those stages stay as they
    are. The last phase trains all of them on the image. Each phase is an equal share of the training.

    Raises:
        ConfigError: If the decoder of the network does not undo the encoder stage by stage.
    """

    leaves_parameters_out: ClassVar[bool] = True

    def _build(self, network: Network) -> None:
        super()._build(network)
        require_mirrored(self.encoder, self.decoder, self.spec.shape)

    def phases(self) -> Sequence[Phase]:
        """Return one phase a stage, and one for all of them."""
        layers = range(len(self.encoder))
        return (
            *(Phase(f"layer {layer + 1}", terms=partial(self._layer_terms, layer)) for layer in layers),
            FINE_TUNING,
        )

    def _layer_terms(self, layer: int, batch: Batch, draws: Draws) -> dict[str, Tensor]:
        return {f"layer_{layer + 1}": self.layer_term(batch.x, layer)}

    def layer_term(self, x: Tensor, layer: int) -> Tensor:
        """Return the error of one stage's round trip, shape (B,).

        Args:
            x: Samples.
            layer: Which stage of the encoder, from 0.
        """
        with torch.no_grad(), running_statistics(self.encoder[:layer]):
            hidden = self.encoder[:layer](x)
        output = self.decoder[len(self.encoder) - 1 - layer](self.encoder[layer](hidden))
        if layer == 0:
            return self.reconstruction.loss(x, output)
        return mse(full_precision(hidden), full_precision(output))
