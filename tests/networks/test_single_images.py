from __future__ import annotations

import pytest
from torch import nn

from ae_lightning.errors import ConfigError
from ae_lightning.networks import Conv
from ae_lightning.networks.single_images import require_single_images_taken

SHAPE = (1, 8, 8)


@pytest.fixture
def encoder():
    """Three stages leave 1 × 1 pixels of 8 × 8: one number a channel."""
    return Conv(filters=[4, 4, 4], batch_norm=True).build_encoder(SHAPE, 3)


def test_batch_norm_of_one_process_is_refused(encoder):
    with pytest.raises(ConfigError, match=r"^data\.batch_size: batch norm needs at least 2 images a process"):
        require_single_images_taken(encoder, SHAPE)


def test_batch_norm_that_processes_share_is_not(encoder):
    """It sees the other processes' images, and could not be asked without a GPU."""
    require_single_images_taken(nn.SyncBatchNorm.convert_sync_batchnorm(encoder), SHAPE)
