"""A conditional VAE: encoder and decoder are told the class, so that the code need not carry it.

Train it as any variant of the package::

    python -m ae_lightning fit --model conditional_vae.ConditionalVAE --trainer.max_epochs 30

with this file's folder on PYTHONPATH. `samples` then shows a row a class.
"""

from __future__ import annotations

from typing import ClassVar

from ae_lightning.variants.vae import VAE


class ConditionalVAE(VAE):
    """Minimise −log p(x | z, y) + β·KL(q(z | x, y) ‖ N(0, I)) (Sohn, Lee and Yan 2015; Kingma et al. 2014).

    The class reaches the encoder as channels, one of them 1 everywhere, and the decoder beside the code. Where a label
    is missing, all of them are 0.
    """

    conditional: ClassVar[bool] = True
