"""ID photos: exact pixels, even background, the head centred, level and of passport size."""

import numpy as np
import pytest
from PIL import Image

from engine.operators import NoFace, develop
from engine.operators.faces import find_faces
from engine.operators.idphoto import place
from imaging.operations import IdPhoto

from .pictures import array, half, photo


@pytest.mark.parametrize("name", ["astronaut", "hopper"])
def test_head_is_where_passports_want_it(name: str) -> None:
    """The face is centred, the eyes 48-66 % from the bottom, the hair clear of the top, the body down to the edge."""
    subject = develop(IdPhoto(format="png"), half(name)).image
    assert subject
    assert (subject.size, subject.mode) == ((295, 413), "RGBA")
    result = Image.alpha_composite(Image.new("RGBA", subject.size, "white"), subject).convert("RGB")
    face = find_faces(np.asarray(result))[0]
    assert abs(face.x - 295 / 2) < 10
    assert 0.48 < 1 - face.eye_line / 413 < 0.66
    alpha = array(subject)[..., 3]
    crown = int(np.argmax((alpha > 127).sum(axis=1) > 8))
    assert 0.02 < crown / 413 < 0.2
    assert 0.58 < (face.chin - crown) / 413 < 0.82
    assert alpha[-1, 100:195].min() > 200


def test_background_is_even() -> None:
    """Both upper corners and the whole top edge are the colour asked for, exactly."""
    result = develop(IdPhoto(width=300, height=400, background="438EDB"), half("hopper")).image
    pixels = array(result)
    assert (pixels[:8] == (67, 142, 219)).all()
    assert (pixels[:60, :8] == (67, 142, 219)).all()
    assert (pixels[:60, -8:] == (67, 142, 219)).all()


@pytest.mark.parametrize("size", [(600, 300), (200, 800)])
def test_size_is_exact(size: tuple[int, int]) -> None:
    """Any size, wide or tall, is met to the pixel, also beyond the picture's sides; PNG is transparent."""
    result = develop(IdPhoto(width=size[0], height=size[1], format="png"), half("astronaut")).image
    assert result
    assert (result.size, result.mode) == (size, "RGBA")
    assert array(result)[0, 0, 3] == 0


def test_tilted_head_is_levelled() -> None:
    """A head tilted by 15 degrees comes out with its eyes level."""
    tilted = photo("astronaut").resize((320, 320)).rotate(15, Image.Resampling.BICUBIC, fillcolor=(200, 195, 190))
    result = develop(IdPhoto(width=400, height=500), tilted).image
    assert result
    assert abs(find_faces(np.asarray(result))[0].tilt) < 6


def test_small_face_in_a_large_picture() -> None:
    """A face far away in a large picture is found and enlarged."""
    scene = Image.new("RGB", (1100, 786), (120, 130, 140))
    scene.paste(photo("astronaut").resize((402, 402)), (471, 384))
    result = develop(IdPhoto(), scene).image
    assert result
    assert find_faces(np.asarray(result))


def test_cut_off_head_has_no_gap_above() -> None:
    """When the picture itself cuts the hair off, the ID photo starts at that cut instead of showing a gap."""
    result = develop(IdPhoto(background="00FF00"), photo("astronaut").crop((60, 45, 400, 512)).resize((204, 280))).image
    assert array(result)[0, 130:165, 1].max() < 255


def test_body_never_hangs_in_the_air() -> None:
    """A picture that ends below the chin puts the head lower, so that the subject reaches the bottom edge."""
    result = develop(IdPhoto(format="png"), photo("hopper").crop((0, 0, 512, 370)).resize((307, 222))).image
    assert array(result)[-1, 120:175, 3].min() > 200


def test_two_faces_the_main_one_is_taken() -> None:
    """Of two people the larger one is portrayed."""
    scene = Image.new("RGB", (1000, 600), (120, 130, 140))
    scene.paste(half("astronaut"), (700, 344))
    scene.paste(photo("hopper"), (100, 0))
    faces = find_faces(np.asarray(scene))
    assert len(faces) == 2
    assert faces[0].x < 500


@pytest.mark.parametrize("name", ["coffee", "chelsea"])
def test_no_face_is_its_own_failure(name: str) -> None:
    """A cup has no face, and a cat's does not count."""
    with pytest.raises(NoFace):
        develop(IdPhoto(), half(name))


def test_empty_mask_is_placed_by_the_face_alone() -> None:
    """Should nothing be found to be cut out, the frame still stands around the face."""
    face = find_faces(np.asarray(half("astronaut")))[0]
    frame = place(np.zeros((256, 256), np.uint8), face, 0.75)
    assert frame.left < face.x < frame.left + frame.width
    assert frame.top < face.y < frame.top + frame.height
