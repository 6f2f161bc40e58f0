"""What the wire does not know of an ID photo: its print resolution and its file-size cap."""

import io
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from imaging import codec
from imaging.density import with_dpi
from imaging.errors import ResultLost
from imaging.finishing import CAP_MISSED, finish
from imaging.operations import Colorize, IdPhoto, Operation
from imaging.results import Result, look_at, new_spool


def noise(width: int = 300, height: int = 400) -> Image.Image:
    return Image.effect_noise((width, height), 80).convert("RGB")


def result(data: bytes) -> Result:
    spool = new_spool()
    spool.write(data)
    return Result((look_at("image", spool),), ("shrunk",))


async def finished(operation: Operation, data: bytes) -> tuple[bytes, tuple[str, ...]]:
    with closing(await finish(operation, result(data))) as made:
        made.files[0].file.seek(0)
        return made.files[0].file.read(), made.changes


@pytest.mark.parametrize("kind", ["jpg", "png"])
@pytest.mark.parametrize("before", [None, 72])
@given(dpi=st.integers(min_value=50, max_value=1200))
def test_dpi(kind: str, before: int | None, dpi: int) -> None:
    """The resolution stands in the file, whatever stood there before, and no pixel has changed."""
    image = Image.new("RGB", (20, 30), "teal")
    data = codec.encode(image, kind, dpi=before)
    marked = with_dpi(data, dpi)
    with Image.open(io.BytesIO(marked)) as read, Image.open(io.BytesIO(data)) as original:
        assert tuple(round(float(one)) for one in read.info["dpi"]) == (dpi, dpi)
        assert read.tobytes() == original.tobytes()
    assert with_dpi(marked, dpi) == marked


def test_dpi_of_other_formats() -> None:
    """A format without a place for it stays as it is."""
    data = codec.encode(Image.new("RGB", (20, 30)), "webp")
    assert with_dpi(data, 300) == data


async def test_a_result_that_is_broken_inside() -> None:
    """Pixels that cannot be read are the provider's fault, and not the picture's that a person sent."""
    data = bytearray(codec.encode(noise(), "png"))
    data[len(data) // 2 :: 7] = bytes(len(data[len(data) // 2 :: 7]))
    data += b"IEND"
    with closing(result(bytes(data))) as broken, pytest.raises(ResultLost):
        await finish(IdPhoto(width=300, height=400, max_bytes=40_000), broken)


async def test_the_cap_is_reached() -> None:
    """A JPEG above the cap is made again, smaller, in the same pixels and resolution."""
    data = codec.encode(noise(), "jpg", quality=95)
    made, changes = await finished(IdPhoto(width=300, height=400, max_bytes=40_000, dpi=600), data)
    assert len(made) <= 40_000 < len(data)
    assert changes == ("shrunk",)
    with Image.open(io.BytesIO(made)) as image:
        assert (image.size, image.info["dpi"]) == ((300, 400), (600, 600))


async def test_the_cap_is_out_of_reach() -> None:
    """What cannot be so small is as small as we make it, and says so."""
    made, changes = await finished(IdPhoto(max_bytes=1000), codec.encode(noise(), "jpg"))
    assert len(made) > 1000
    assert changes == ("shrunk", CAP_MISSED)


async def test_within_the_cap_nothing_is_lost() -> None:
    """A file that is small enough keeps its pixels as they came."""
    data = codec.encode(noise(), "jpg")
    made, changes = await finished(IdPhoto(max_bytes=10**6), data)
    assert made == with_dpi(data, 300)
    assert changes == ("shrunk",)


async def test_other_operations_are_left_alone() -> None:
    """Only ID photos have a resolution or a cap."""
    data = codec.encode(noise(), "jpg")
    assert await finished(Colorize(), data) == (data, ("shrunk",))
