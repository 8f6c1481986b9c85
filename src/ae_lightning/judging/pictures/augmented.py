"""What training sees of the images that it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ae_lightning.judging.drawing.strips import strips
from ae_lightning.judging.drawing.style import names_of
from ae_lightning.judging.picture import Picture
from ae_lightning.judging.picture_case import PictureCase

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NUM_IMAGES, NUM_DRAWS = 12, 6


class Augmented(Picture):
    """Training images, and below each what `data.augment` makes of it, drawn several times."""

    name = "augmented"
    cost = "cheap"
    needs = frozenset({"images", "augmentation"})

    def draw(self, case: PictureCase) -> Figure:
        """See ``Picture.draw``."""
        augment = case.case.augment
        assert augment is not None
        shown = case.case.train.sample(NUM_IMAGES, seed=0)
        drawn = {f"draw {number}": augment(shown.x, number) for number in range(1, NUM_DRAWS + 1)}
        above = names_of(shown.labels, case.class_names)
        return strips({"image": shown.x, **drawn}, above, None, "Augmented: what training sees of an image")
