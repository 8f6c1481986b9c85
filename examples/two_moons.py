"""A LightningDataModule as anybody would write it: it yields `(x, y)`, and knows nothing of this package.

    python -m ae_lightning fit --model VAE --model.network MLP --data two_moons.TwoMoons --data.noise 0.1

with this file's folder on PYTHONPATH.
"""

from __future__ import annotations

import lightning.pytorch as pl
import torch
from sklearn.datasets import make_moons
from torch.utils.data import DataLoader, TensorDataset


class TwoMoons(pl.LightningDataModule):
    """Points of two half circles in the plane, turned into eight dimensions.

    Args:
        num_points: Of the train split; validation and test have a quarter as many each.
        noise: Standard deviation of the points about their half circle.
        batch_size: Points of a batch.
    """

    def __init__(self, num_points: int = 1000, noise: float = 0.05, batch_size: int = 64) -> None:
        super().__init__()
        self.num_points = num_points
        self.noise = noise
        self.batch_size = batch_size

    def setup(self, stage: str) -> None:
        """Draw the points of all three splits."""
        turn = torch.linalg.qr(torch.randn(8, 8, generator=torch.Generator().manual_seed(0)))[0][:2]
        sizes = {"train": self.num_points, "val": self.num_points // 4, "test": self.num_points // 4}
        self.splits = {}
        for seed, (name, num) in enumerate(sizes.items()):
            points, moons = make_moons(num, noise=self.noise, random_state=seed)
            self.splits[name] = TensorDataset(torch.tensor(points).float() @ turn, torch.tensor(moons))

    def train_dataloader(self) -> DataLoader[tuple[torch.Tensor, ...]]:
        """Yield mixed batches of the train split."""
        return DataLoader(self.splits["train"], batch_size=self.batch_size, shuffle=True)

    def val_dataloader(self) -> DataLoader[tuple[torch.Tensor, ...]]:
        """Yield batches of the validation split."""
        return DataLoader(self.splits["val"], batch_size=self.batch_size)

    def test_dataloader(self) -> DataLoader[tuple[torch.Tensor, ...]]:
        """Yield batches of the test split."""
        return DataLoader(self.splits["test"], batch_size=self.batch_size)

    def predict_dataloader(self) -> DataLoader[tuple[torch.Tensor, ...]]:
        """Yield batches of the test split."""
        return self.test_dataloader()
