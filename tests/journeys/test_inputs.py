"""What people really send: every odd file gets its result or one plain sentence, and only results cost."""

import io
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from pillow_heif import register_heif_opener

from storage import ledger
from tests.journeys.conftest import House, answer
from tests.journeys.pictures import photo

register_heif_opener()
TERMS = ledger.Terms(10)


def small() -> Image.Image:
    return photo("astronaut").resize((240, 240))


def saved(picture: Image.Image, kind: str, **how: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **how)
    return buffer.getvalue()


def bomb() -> bytes:
    """Give a PNG of 20,000×20,000 pixels in half a megabyte."""
    return saved(Image.new("1", (20_000, 20_000)), "PNG")


def rotated() -> bytes:
    """Give a JPEG that lies on its side and says so in its EXIF."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(small().rotate(90), "JPEG", exif=exif)


def deep() -> bytes:
    """Give a 16-bit grey PNG."""
    return saved(Image.fromarray(np.asarray(small().convert("L")).astype(np.uint16) * 257), "PNG")


def moving() -> bytes:
    """Give an animated GIF."""
    return saved(small(), "GIF", save_all=True, append_images=[small().rotate(5)], duration=80)


REFUSED: dict[str, tuple[str, Callable[[], bytes], str]] = {
    "zero bytes": ("empty.jpg", lambda: b"", "read that file as a picture"),
    "truncated": ("cut.jpg", lambda: saved(small(), "JPEG")[:3000], "read that file as a picture"),
    "a text": ("holiday.jpg", lambda: b"These are no pixels. " * 50, "read that file as a picture"),
    "a bomb": ("bomb.png", bomb, "too large"),
    "21 MB": ("huge.jpg", lambda: saved(small(), "JPEG") + b"\0" * (21 * 2**20), "too large"),
}
TAKEN: dict[str, tuple[str, Callable[[], bytes]]] = {
    "CMYK": ("print.jpg", lambda: saved(small().convert("CMYK"), "JPEG")),
    "rotated": ("phone.jpg", rotated),
    "16 bits": ("scan.png", deep),
    "animated": ("wave.gif", moving),
    "HEIC": ("IMG_0001.heic", lambda: saved(small(), "HEIF")),
    "AVIF": ("web.avif", lambda: saved(small(), "AVIF")),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_no_picture_is_refused_in_a_sentence(house: House, case: str) -> None:
    """A file that cannot be worked on gets one plain sentence, and nothing is charged."""
    name, make, words = REFUSED[case]
    ann = await house.person()
    asked = await ann.send_file(file=make(), name=name, caption="/enhance 1")
    reply = await answer(ann.chat, asked)
    assert words in reply.words
    assert not reply.has_file
    async with house.database() as db, db.read() as conn:
        assert (await ledger.quota(conn, ann.chat.id, TERMS)).used == 0


@pytest.mark.parametrize("case", TAKEN)
async def test_odd_pictures_are_developed(house: House, case: str) -> None:
    """A picture of an odd kind comes back upright, in ordinary colours, as a picture anybody can open."""
    name, make = TAKEN[case]
    ann = await house.person()
    asked = await ann.send_file(file=make(), name=name, caption="/enhance 1")
    reply = await answer(ann.chat, asked)
    assert reply.has_file, reply.words
    result = Image.open(io.BytesIO(await house.tg.download(reply)))
    assert result.size == (240, 240)
    difference = np.asarray(result.convert("L"), dtype=int) - np.asarray(small().convert("L"), dtype=int)
    assert abs(difference).mean() < 30  # the same picture, the right way up


async def test_a_photo_without_a_face_is_told_so(house: House) -> None:
    """An ID photo of a cup of coffee is refused with what to send instead."""
    ann = await house.person()
    asked = await ann.send_photo(photo=saved(photo("coffee").resize((300, 200)), "JPEG"), caption="/idphoto")
    assert "no face" in (await answer(ann.chat, asked)).words


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("/idphoto 300x400 gren", "“gren”"),
        ("/idphoto png FFFFFF", "transparent"),
        ("/idphoto 50x50", "100 to 2,000"),
        ("/enhance 3x", "“3x”"),
        ("/colorize 2x", "/colorize"),
    ],
)
async def test_wrong_words_are_explained_with_an_example(house: House, command: str, words: str) -> None:
    """What was not understood is named, with an example that works."""
    ann = await house.person()
    asked = await ann.send_photo(photo=saved(small(), "JPEG"), caption=command)
    reply = (await answer(ann.chat, asked)).words
    assert words in reply
    assert command.split(maxsplit=1)[0] in reply
