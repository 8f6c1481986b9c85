from __future__ import annotations

from torch import nn

from ae_lightning.networks import Conv
from ae_lightning.networks.single_images import require_single_images_taken
from ae_lightning.spec import DataSpec

SHAPE = (1, 8, 8)


def test_batch_norm_that_processes_share_takes_single_images():
    """It sees the other processes' images, and could not be asked without a GPU; alone, it would be refused."""
    encoder = Conv(filters=[4, 4, 4], batch_norm=True).build_encoder(DataSpec(SHAPE), 3)
    require_single_images_taken(nn.SyncBatchNorm.convert_sync_batchnorm(encoder), SHAPE)
