"""Cutouts: heads whole, sizes kept, crops tight, parameters honoured."""

import cv2
import numpy as np
import pytest
from PIL import Image, ImageDraw

from engine.operators import develop
from engine.operators.layers import lay
from engine.operators.matting import matte
from engine.operators.thing import thing_mask
from imaging.operations import Cutout

from .pictures import ASTRONAUT_HEAD, HOPPER_HEAD, array, developed, half, overlap, photo


@pytest.mark.parametrize(("name", "outline"), [("astronaut", ASTRONAUT_HEAD), ("hopper", HOPPER_HEAD)])
def test_heads_are_whole(name: str, outline: tuple[tuple[int, int], ...]) -> None:
    """Hair and cap stay on and the background goes: the mask agrees with an outline drawn by hand."""
    result = developed(Cutout(output=1), name)
    assert result.result_type == "person"
    assert result.mask
    assert result.mask.mode == "L"
    assert overlap(result.mask, outline) > 0.9


def test_person_keeps_the_size_and_is_transparent_around() -> None:
    """A PNG has the picture's size, is clear in the far corner and solid on the face, in the face's own colours."""
    image = photo("astronaut")
    result = developed(Cutout(output=1), "astronaut").image
    assert result
    assert (result.size, result.mode) == (image.size, "RGBA")
    pixels = array(result)
    assert pixels[5, 500, 3] == 0
    assert (pixels[90:140, 200:250, 3] == 255).all()
    assert np.abs(pixels[90:140, 200:250, :3] - array(image)[90:140, 200:250]).max() <= 1


def test_no_old_background_in_the_hair() -> None:
    """On black, half-covered pixels above the hair are no lighter than the hair: the old light wall is gone."""
    result = developed(Cutout(output=1), "astronaut").image
    assert result
    rim = array(lay(result, "000000"))[8:20, 200:270].mean(axis=2)
    assert rim.max() < array(photo("astronaut"))[2:8, 200:270].mean(axis=2).min()


def test_object_is_found_without_a_face() -> None:
    """Left to itself, a cup on a table is an object: cup and saucer solid, the table's corners clear."""
    result = developed(Cutout(output=1), "coffee")
    assert result.result_type == "object"
    mask = array(result.mask)
    assert mask[200, 300] == 255
    assert mask[300, 250] == 255
    assert max(mask[5, 5], mask[5, 595], mask[395, 5], mask[395, 595]) == 0


def test_what_fills_the_picture_is_no_fragment() -> None:
    """A cat's face up to the borders is kept whole, for it is sharp: both eyes, brow, nose and cheek in one piece."""
    mask = thing_mask(np.asarray(photo("chelsea")))
    mask = cv2.resize(mask, (451, 300)) > 127
    assert all(mask[y, x] for x, y in ((125, 115), (315, 130), (230, 60), (265, 250), (150, 210)))
    assert mask.mean() > 0.3
    assert not mask[220:, 370:].any()
    assert cv2.connectedComponents(mask.astype(np.uint8))[0] == 2


def test_a_sky_that_changes_slowly_is_background() -> None:
    """Before a dusk sky, darker at the borders than in the middle, the rocket is kept and the sky is not."""
    mask = cv2.resize(thing_mask(np.asarray(photo("rocket"))), (640, 427)) > 127
    assert mask[150:400, 318:325].mean() > 0.9
    assert mask[:300, 380:].mean() < 0.02
    assert mask[:300, :270].mean() < 0.02


def test_crop_is_tight_and_says_where() -> None:
    """With crop the result is the foreground's rectangle, which is told in the incoming picture's pixels."""
    image = half("coffee").reduce(2)
    whole = develop(Cutout(type="object", output=1), image)
    crop = develop(Cutout(type="object", crop=True, output=1), image)
    assert crop.foreground_rect == whole.foreground_rect
    assert crop.foreground_rect
    x, y, width, height = crop.foreground_rect
    assert crop.image
    assert crop.mask
    assert crop.image.size == crop.mask.size == (width, height)
    assert whole.mask
    assert crop.mask.tobytes() == whole.mask.crop((x, y, x + width, y + height)).tobytes()


def test_outputs() -> None:
    """Output 1 is image and mask, 2 the image, 3 the mask."""
    image = photo("coffee").resize((150, 100))
    results = [develop(Cutout(type="object", output=n), image) for n in (1, 2, 3)]
    assert [bool(each.image) for each in results] == [True, True, False]
    assert [bool(each.mask) for each in results] == [True, False, True]


def test_jpg_lies_on_its_background() -> None:
    """JPG is laid on the colour asked for, else on white; the background is even."""
    image = photo("coffee").resize((150, 100))
    for background, colour in (("102030", (16, 32, 48)), (None, (255, 255, 255))):
        result = develop(Cutout(type="object", format="jpg", background=background), image).image
        assert result
        assert result.mode == "RGB"
        assert result.getpixel((0, 0)) == result.getpixel((149, 99)) == colour


def test_transparency_that_came_in_stays() -> None:
    """What the incoming picture left clear is clear in the result."""
    image = photo("coffee").resize((150, 100)).convert("RGBA")
    image.paste((0, 0, 0, 0), (60, 0, 90, 100))
    result = develop(Cutout(type="object"), image).image
    assert array(result)[:, 60:90, 3].max() == 0


@pytest.mark.parametrize("ink", [(200, 30, 40), (30, 50, 190)])
def test_stamp_keeps_the_ink_only(ink: tuple[int, int, int]) -> None:
    """A red or blue ring on shaded paper with black text: the ring stays in its colour, paper and text go."""
    shade = np.linspace(255, 200, 200, dtype=np.uint8)
    image = Image.fromarray(np.dstack([np.tile(shade, (200, 1))] * 3))
    draw = ImageDraw.Draw(image)
    draw.ellipse((40, 40, 160, 160), outline=ink, width=10)
    draw.rectangle((60, 95, 140, 105), fill=(20, 20, 20))
    result = develop(Cutout(type="stamp"), image)
    pixels = array(result.image)
    assert result.result_type == "stamp"
    assert pixels[100, 45, 3] > 230
    assert np.abs(pixels[100, 45, :3] - ink).max() < 30
    assert pixels[100, 100, 3] < 30
    assert pixels[10, 10, 3] < 10
    assert result.foreground_rect
    assert np.abs(np.subtract(result.foreground_rect, (40, 40, 121, 121))).max() <= 2


@pytest.mark.parametrize("size", [(1, 1), (3, 300), (300, 3), (64, 64)])
@pytest.mark.parametrize("kind", [None, "stamp", "person"])
def test_small_and_blank_pictures_come_through(size: tuple[int, int], kind: None) -> None:
    """Strips, dots and blank paper give a result of their size instead of an error."""
    result = develop(Cutout(type=kind), Image.new("RGB", size, "white")).image
    assert result
    assert result.size == size


def test_large_pictures_get_fine_edges() -> None:
    """A picture larger than the matte's working size has a mask of its own size with soft, not stepped, edges."""
    large = photo("astronaut").resize((1152, 1152), Image.Resampling.LANCZOS)
    rough = developed(Cutout(output=1), "astronaut").mask
    assert rough
    mask = Image.fromarray(matte(np.asarray(large), np.asarray(rough)).alpha)
    assert mask.size == large.size
    outline = tuple((9 * x // 4, 9 * y // 4) for x, y in ASTRONAUT_HEAD)
    assert overlap(mask, outline) > 0.9
    assert ((np.asarray(mask) > 12) & (np.asarray(mask) < 243)).mean() > 0.005


def test_same_picture_same_result() -> None:
    """Equal operations on equal pictures give equal results, so results can be cached."""
    image = photo("coffee").resize((150, 100))
    one, two = (develop(Cutout(), image).image for _ in range(2))
    assert one
    assert two
    assert one.tobytes() == two.tobytes()
