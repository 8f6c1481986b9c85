"""`Linear`: one affine map each way; under MSE it must span the PCA subspace."""

from __future__ import annotations

from typing import ClassVar

from torch import nn

from ae_lightning.networks.base import Code, Network
from ae_lightning.networks.layers import sample_to_vector, vector_to_sample
from ae_lightning.spec import DataSpec


class Linear(Network):
    """One affine map to the code and one back (Baldi & Hornik 1989: its optimum is PCA)."""

    is_linear: ClassVar[bool] = True

    def build_encoder(self, spec: DataSpec, code: Code) -> nn.Sequential:
        """Build one stage: flatten, affine map."""
        return nn.Sequential(
            nn.Sequential(sample_to_vector(spec), nn.Linear(spec.num_values, self.vector_length(code)))
        )

    def build_decoder(self, code: Code, spec: DataSpec) -> nn.Sequential:
        """Build one stage: affine map, unflatten."""
        return nn.Sequential(
            nn.Sequential(nn.Linear(self.vector_length(code), spec.num_values), vector_to_sample(spec))
        )
