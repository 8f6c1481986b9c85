"""Pages: hovering a point shows its image and caption, and nothing is asked of any host."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image

from ae_lightning.judging.drawing.interactive import MAX_SIDE, Scene, Trace, data_uri, page
from ae_lightning.judging.drawing.latent_scene import MAX_PAGE_POINTS, latent_scatter_page
from ae_lightning.judging.drawing.plane import to_plane
from ae_lightning.judging.pictures.interpolations import MAX_BACKGROUND, Paths, interpolations_page, straight_lines
from ae_lightning.judging.pictures.latent_traversals import Traversals, latent_traversals_page

pytestmark = pytest.mark.slow

MAX_BYTES = 8_000_000
EMBEDDED = r"data:image\u002fwebp;base64,"
HOSTILE = '</script><b>5</b> & "six"'


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).random(shape, dtype=np.float32)


def decoded(uri: str) -> Image.Image:
    head, data = uri.split(",")
    assert head == "data:image/webp;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def scatter(num: int = 60, latent_dim: int = 2) -> str:
    labels = np.arange(num) % 3 - 1
    return latent_scatter_page(to_plane(random(num, latent_dim)), random(num, 1, 8, 8), labels, ["cat", HOSTILE])


def interpolations() -> str:
    codes = random(40, 5)
    paths = Paths(
        *random(2, 4, 3, 8, 8), straight_lines(codes[:4], codes[4:8], 6), random(4, 6, 3, 8, 8), [("a", "b")] * 4
    )
    return interpolations_page(paths, codes)


def traversals() -> str:
    offsets = np.linspace(-2, 2, 5)
    return latent_traversals_page(Traversals(np.arange(4), offsets, random(4, 5, 4), random(4, 5, 1, 8, 8), "image 7"))


PAGES = {"latent_scatter": scatter, "interpolations": interpolations, "latent_traversals": traversals}


@pytest.mark.parametrize(("channels", "height", "width"), [(1, 8, 8), (3, 32, 32), (3, 200, 100), (2, 9, 5)])
def test_an_image_becomes_an_address_of_its_own(channels: int, height: int, width: int) -> None:
    image = np.full((channels, height, width), 0.25, np.float32)
    picture = decoded(data_uri(image))
    scale = min(1, MAX_SIDE / max(height, width))
    assert picture.size == (round(width * scale), round(height * scale))
    np.testing.assert_allclose(np.asarray(picture.convert("RGB")), 64, atol=3)


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 48, 48)])
def test_a_page_of_many_images_stays_small(shape: tuple[int, ...]) -> None:
    """Noise is what compresses worst."""
    num = MAX_PAGE_POINTS + 500
    whole = latent_scatter_page(to_plane(random(num, 3)), random(num, *shape), np.arange(num) % 10)
    assert whole.count(EMBEDDED) == MAX_PAGE_POINTS
    assert len(whole.encode()) < MAX_BYTES


def test_codes_behind_the_paths_are_bounded() -> None:
    paths = Paths(*random(2, 1, 1, 8, 8), random(1, 3, 4), random(1, 3, 1, 8, 8), [("a", "b")])
    few, many = (len(interpolations_page(paths, random(num, 4))) for num in (MAX_BACKGROUND, 5 * MAX_BACKGROUND))
    assert abs(many - few) < 1_000


@pytest.mark.parametrize("make", PAGES.values(), ids=PAGES)
def test_a_page_names_no_place_to_load_from(make) -> None:
    whole = make()
    head = whole[: whole.index("</head>")]
    assert "default-src 'none'" in head
    tags = re.findall(r"<(?:script|link|img|iframe)[^>]*(?:src|href)=[^>]*>", whole[: whole.index("<script")])
    assert not tags
    assert whole.endswith("</html>\n")


def test_codes_of_one_dimension_have_a_page() -> None:
    assert scatter(latent_dim=1).count(EMBEDDED) == 60


def test_what_does_not_belong_together_is_refused() -> None:
    with pytest.raises(ValueError, match="3 images for 4 codes"):
        latent_scatter_page(to_plane(random(4, 2)), random(3, 1, 4, 4))
    with pytest.raises(ValueError, match="zip"):
        page(Scene([Trace("a", random(2, 2), "red", random(2, 1, 4, 4), ["one"])], ("x", "y"), equal_scales=True), "t")


@pytest.mark.parametrize(
    ("make", "caption"),
    [(scatter, HOSTILE), (interpolations, "a → b, 40%"), (traversals, "z₄ = ")],
    ids=PAGES,
)
def test_hovering_shows_the_image_and_no_request_leaves(browser, tmp_path, make, caption) -> None:
    path = tmp_path / "page.html"
    path.write_text(make(), encoding="utf-8")
    requests, faults = [], []
    tab = browser.new_page(viewport={"width": 1000, "height": 800})
    tab.set_default_timeout(120_000)
    tab.on("request", lambda request: requests.append(request.url))
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.goto(path.as_uri())
    tab.wait_for_selector(".scatterlayer .point")
    assert not tab.locator(".card").is_visible()
    box = tab.locator(".scatterlayer .trace").last.locator(".point").nth(2).bounding_box()
    middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.mouse.move(middle[0] + 1, middle[1])
    tab.mouse.move(*middle)
    card = tab.locator(".card")
    card.wait_for(state="visible")
    assert caption in card.inner_text()
    assert card.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)") == 8
    # Pictures in the page itself are requests to nobody.
    assert {url for url in requests if not url.startswith("data:")} == {path.as_uri()}
    assert not faults
