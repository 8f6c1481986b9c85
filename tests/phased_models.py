"""Models of several phases and of several players, so small that a loop written by hand can follow them."""

from __future__ import annotations

import torch
from torch import nn

from ae_lightning.models.phases import Phase, Player
from ae_lightning.variants.vanilla import VanillaAE


class Duel(VanillaAE):
    """The autoencoder makes a critic's answers small, and then the critic learns to give noise for the new codes."""

    def __init__(self, *, critic_optimizer=torch.optim.SGD, **options):
        super().__init__(**options)
        self.build_critic_optimizer = critic_optimizer
        self.critic = nn.Linear(self.latent_dim, 1)

    def autoencoder_terms(self, batch, draws):
        z_BL = self.encode(batch.x)
        return {"reconstruction": self.reconstruction_term(batch, z_BL), "answer": self.critic(z_BL).square()[:, 0]}

    def critic_terms(self, batch, draws):
        return {"critic": (self.critic(self.encode(batch.x)) - draws.normal(1)).square()[:, 0]}

    def training_weights(self):
        return {"answer": 0.5}

    def players(self):
        return (
            Player("autoencoder", (self.encoder, self.decoder), self.autoencoder_terms),
            Player("critic", (self.critic,), self.critic_terms, self.build_critic_optimizer),
        )


class Begun(VanillaAE):
    """From a third of the training on, codes are drawn to where their mean was at that moment."""

    def __init__(self, **options):
        super().__init__(**options)
        self.register_buffer("centre_L", torch.zeros(self.latent_dim))
        self.begun = []
        self.steps = []

    def phases(self):
        drawn = Phase("drawn", share=2.0, terms=self.drawn_terms, weights={"distance": 0.1}, begin=self.set_centre)
        return Phase("free"), drawn

    def set_centre(self, codes):
        weights = {name: value.clone() for name, value in self.state_dict().items()}
        self.begun.append((codes, weights))
        self.centre_L.copy_(codes.mean(dim=0))

    def drawn_terms(self, batch, draws):
        z_BL = self.encode(batch.x)
        return {
            "reconstruction": self.reconstruction_term(batch, z_BL),
            "distance": (z_BL - self.centre_L).square().sum(dim=1),
        }

    def log_training_terms(self, loss, means, batch):
        assert self.encoder.training
        self.steps.append((self.phase, loss.item(), {name: mean.item() for name, mean in means.items()}))
        super().log_training_terms(loss, means, batch)
