"""The codec: what strangers send is read safely, made upright and sRGB, and passed on unchanged where it can be."""

import io
import struct
import subprocess
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import BinaryIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageCms

from imaging import codec
from imaging.errors import NotAPicture, PictureTooLarge

# Pillow warns of what it overlooks in broken TIFFs and EXIF; in production that is a log line.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")

RNG = np.random.default_rng(7)


def photo(width: int = 64, height: int = 48, mode: str = "RGB") -> Image.Image:
    """Left half red, right half blue, so that turns and mirrors show."""
    image = Image.new("RGB", (width, height), (220, 20, 20))
    image.paste((20, 20, 220), (width // 2, 0, width, height))
    return image.convert(mode)


def noise(width: int, height: int, bands: int = 3) -> Image.Image:
    return Image.fromarray(RNG.integers(0, 255, (height, width, bands), dtype=np.uint8))


def saved(image: Image.Image, kind: str, **options: object) -> io.BytesIO:
    if kind == "HEIF":
        codec._learn_heic()
    out = io.BytesIO()
    image.save(out, kind, **options)
    out.seek(0)
    return out


def size_of(file: BinaryIO) -> int:
    return file.seek(0, io.SEEK_END)


def png_header(width: int, height: int) -> bytes:
    """Make a PNG that claims a size and holds next to nothing."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 9)) + chunk(b"IEND", b"")
    )


def near(pixel: object, colour: tuple[int, ...], by: int = 12) -> bool:
    assert isinstance(pixel, tuple)
    return len(pixel) == len(colour) and all(abs(a - b) <= by for a, b in zip(pixel, colour, strict=True))


KINDS = {"jpg": "JPEG", "png": "PNG", "webp": "WEBP", "gif": "GIF", "bmp": "BMP", "tiff": "TIFF", "avif": "AVIF"}
KINDS |= {"heic": "HEIF"}


@pytest.mark.parametrize(("kind", "pillow"), KINDS.items())
def test_every_format_is_sniffed_inspected_and_decoded(kind: str, pillow: str) -> None:
    """All formats that people send are recognised by their bytes, measured, and read."""
    file = saved(photo(), pillow)
    assert codec.sniff(file.getvalue()[:16]) == kind
    assert codec.inspect(file) == codec.PictureInfo(kind, 64, 48)
    picture = codec.decode(file)
    assert (picture.mode, picture.size) == ("RGB", (64, 48))
    assert near(picture.getpixel((5, 24)), (220, 20, 20), 20)


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "bmp", "tiff"])
def test_what_providers_take_is_passed_on_byte_for_byte(kind: str) -> None:
    """A file within the contract is not touched: the same file, from its start, with a fitting name."""
    file = saved(photo(), KINDS[kind])
    prepared = codec.prepare(file, size_of(file))
    assert prepared.file is file
    assert file.tell() == 0
    assert (prepared.size, prepared.filename, prepared.changes) == (len(file.getvalue()), f"photo.{kind}", ())
    assert prepared.content_type == f"image/{'jpeg' if kind == 'jpg' else kind}"


@pytest.mark.parametrize("kind", ["heic", "avif", "gif"])
def test_other_formats_become_jpeg(kind: str) -> None:
    """HEIC, AVIF and GIF are converted, and the person can be told."""
    file = saved(photo(), KINDS[kind])
    prepared = codec.prepare(file, size_of(file))
    assert (prepared.filename, prepared.content_type) == ("photo.jpg", "image/jpeg")
    assert prepared.changes == ("converted",)
    assert codec.inspect(prepared.file).format == "jpg"
    assert prepared.size == size_of(prepared.file)


def test_an_animation_gives_its_first_frame() -> None:
    """An animated GIF or WebP is prepared as a still of its first frame."""
    frames = [Image.new("RGB", (20, 20), colour) for colour in ("green", "red", "blue")]
    for kind, changes in (("GIF", ("converted", "first_frame")), ("WEBP", ("first_frame",))):
        file = saved(frames[0], kind, save_all=True, append_images=frames[1:])
        assert codec.inspect(file).animated
        prepared = codec.prepare(file, size_of(file))
        assert prepared.changes == changes
        assert near(codec.decode(prepared.file).getpixel((9, 9)), (0, 128, 0))


def test_transparency_survives_a_conversion_as_png() -> None:
    """A transparent GIF becomes a PNG, not a JPEG with a black ground."""
    image = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    image.paste((0, 200, 0, 255), (5, 5, 15, 15))
    file = saved(image, "GIF")
    prepared = codec.prepare(file, size_of(file))
    assert prepared.content_type == "image/png"
    picture = codec.decode(prepared.file)
    assert picture.getpixel((0, 0)) == (0, 0, 0, 0)
    assert near(picture.getpixel((9, 9)), (0, 200, 0, 255))


def test_large_pictures_are_shrunk() -> None:
    """Over 4096 px a picture is shrunk in proportion."""
    file = saved(photo(5000, 1000), "PNG")
    prepared = codec.prepare(file, size_of(file))
    info = codec.inspect(prepared.file)
    assert prepared.changes == ("shrunk",)
    assert (info.format, info.width, info.height) == ("jpg", 4096, 819)


def test_heavy_pictures_are_made_lighter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file over the byte limit is written anew, smaller and smaller until it fits."""
    monkeypatch.setattr(codec, "MAX_BYTES", 20_000)
    image = noise(200, 200)
    image.putalpha(128)
    file = saved(image, "PNG")
    assert size_of(file) > codec.MAX_BYTES
    prepared = codec.prepare(file, size_of(file))
    assert prepared.changes == ("shrunk",)
    assert prepared.size == size_of(prepared.file) <= codec.MAX_BYTES
    assert codec.decode(prepared.file).mode == "RGBA"


def test_pixels_past_all_measure_are_refused_without_pillows_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own limit holds also where Pillow's check is switched off by somebody else."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", None)
    with pytest.raises(PictureTooLarge) as refused:
        codec.inspect(io.BytesIO(png_header(20_000, 20_000)))
    assert refused.value.params == {"megapixels": 50}


@pytest.mark.parametrize(("kind", "megapixels"), [("PNG", 50), ("HEIF", 50), ("WEBP", 25), ("AVIF", 40), ("JPEG", 80)])
def test_how_many_pixels_depends_on_what_they_take(monkeypatch: pytest.MonkeyPatch, kind: str, megapixels: int) -> None:
    """Only a JPEG is decoded smaller: of others a file of a few bytes could fill the memory that the bot may have."""
    for name, limit in (("MAX_PIXELS", {one: n // 10**4 for one, n in codec.MAX_PIXELS.items()}), ("MAX_OTHER", 5_000)):
        monkeypatch.setattr(codec, name, limit)
    codec.inspect(saved(photo(megapixels, 100), kind))
    with pytest.raises(PictureTooLarge):
        codec.inspect(saved(photo(megapixels, 102), kind))


def test_a_large_picture_is_not_copied_whole() -> None:
    """What is shrunk to less than half has its pixels in memory once, here 64 MB, and nothing else as large."""
    script = """
import io, pathlib, sys
from imaging import codec
def peak():  # getrusage would count what this process was before it began
    return int(pathlib.Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) // 1024
large = io.BytesIO(sys.stdin.buffer.read())
before = peak()
codec.decode(large, max_side=1024)
print(peak() - before)
"""
    large = saved(photo(4000, 4000), "PNG").getvalue()
    done = subprocess.run([sys.executable, "-c", script], input=large, capture_output=True, check=True)
    assert int(done.stdout) < 100


def test_input_past_all_measure_is_refused() -> None:
    """What is too heavy even to convert is refused before a pixel is read."""
    with pytest.raises(PictureTooLarge) as refused:
        codec.prepare(saved(photo(), "GIF"), codec.MAX_INPUT + 1)
    assert refused.value.params == {"megabytes": 50}


@pytest.mark.parametrize("side", [9_500, 20_000])
def test_a_bomb_is_refused_from_its_header(side: int) -> None:
    """A PNG claiming 90 or 400 million pixels is refused without making room for them."""
    program = (
        "import io, resource, sys, warnings; from imaging import codec; from imaging.errors import PictureTooLarge\n"
        "warnings.simplefilter('ignore'); data = sys.stdin.buffer.read()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (400 * 2**20,) * 2)\n"
        "for call in (codec.inspect, codec.decode, lambda f: codec.prepare(f, 100)):\n"
        "    try: call(io.BytesIO(data))\n"
        "    except PictureTooLarge: print('refused')\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], input=png_header(side, side), capture_output=True, check=True
    )
    assert done.stdout.split() == [b"refused"] * 3
    with pytest.raises(PictureTooLarge):
        codec.inspect(io.BytesIO(png_header(side, side)))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"Dear Sir, this is a letter named photo.jpg",
        b"\xff\xd8\xff",
        b"\xff\xd8\xff\xe0 and then nothing of a JPEG",
        b"\x89PNG\r\n\x1a\n",
        png_header(0, 10),
        b"GIF89a\x01",
        b"BM",
        b"II*\0\x08\0\0\0\xff\xff",
        b"RIFF\x10\0\0\0WEBPVP8 ",
        b"\0\0\0\x18ftypheic\0\0\0\0mif1heic",
        b"\0\0\0\x18ftypavif\0\0\0\0mif1avif",
    ],
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    """Nothing, a text, and every kind of stump end in NotAPicture."""
    with pytest.raises(NotAPicture):
        codec.prepare(io.BytesIO(data), len(data))
    with pytest.raises(NotAPicture):
        codec.decode(data)


@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "bmp", "tiff", "gif", "heic", "avif"])
def test_a_truncated_picture_is_refused(kind: str) -> None:
    """Half a file is refused here, not paid for and then refused by a provider."""
    data = saved(noise(64, 64), KINDS[kind]).getvalue()
    half = data[: len(data) // 2]
    with pytest.raises(NotAPicture):
        codec.prepare(io.BytesIO(half), len(half))


@pytest.mark.parametrize("kind", ["webp", "gif"])
def test_pictures_are_decoded_one_at_a_time(kind: str) -> None:
    """To check or to convert: small files with many pixels, sent at once, would else fill the memory."""
    file = saved(photo(), KINDS[kind])
    with ThreadPoolExecutor(1) as others:
        with codec._turn:
            waiting = others.submit(codec.prepare, file, size_of(file))
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.2)
        assert waiting.result(timeout=60).size


def test_a_picture_whole_by_its_end_alone_is_refused_by_decoding() -> None:
    """A PNG with its end but too few pixels passes the cheap look and not the decoder."""
    with pytest.raises(NotAPicture):
        codec.decode(png_header(10, 10))


def test_bytes_after_the_end_of_a_jpeg_do_no_harm() -> None:
    """Phones append videos to photos; such a file is whole and passes unchanged."""
    data = saved(noise(64, 64), "JPEG").getvalue() + b"a film" * 100
    assert codec.prepare(io.BytesIO(data), len(data)).changes == ()


@given(st.sampled_from(sorted(KINDS)), st.data())
def test_damaged_pictures_only_ever_raise_ours(kind: str, data: st.DataObject) -> None:
    """Whatever bytes are changed, a picture comes out or one of the two refusals does."""
    whole = bytearray(DAMAGEABLE[kind])
    for _ in range(data.draw(st.integers(1, 8))):
        whole[data.draw(st.integers(0, min(len(whole), 400) - 1))] = data.draw(st.integers(0, 255))
    try:
        assert codec.decode(bytes(whole)).mode in ("RGB", "RGBA")
        codec.prepare(io.BytesIO(whole), len(whole))
    except (NotAPicture, PictureTooLarge):
        pass


DAMAGEABLE = {kind: saved(noise(16, 16), pillow).getvalue() for kind, pillow in KINDS.items()}


@given(st.binary(max_size=80))
def test_random_heads_are_no_pictures_or_named(head: bytes) -> None:
    """Sniffing takes any bytes."""
    assert codec.sniff(head) in {None, *KINDS}


def test_a_disk_at_fault_is_not_the_pictures_fault() -> None:
    """A read error of the system leaves as itself, so that nobody is told their photo is broken."""

    class Failing(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            if self.tell():
                raise OSError(5, "Input/output error")
            return super().read(size)

    with pytest.raises(OSError, match="Input/output"):
        codec.inspect(Failing(saved(photo(), "JPEG").getvalue()))


def test_exif_orientation_is_applied_by_decode_and_left_by_prepare() -> None:
    """A phone's sideways JPEG is upright once decoded, and reaches the provider untouched."""
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees clockwise to see it upright
    file = saved(photo(), "JPEG", exif=exif, quality=95)
    picture = codec.decode(file)
    assert picture.size == (48, 64)
    assert near(picture.getpixel((24, 5)), (220, 20, 20))
    assert near(picture.getpixel((24, 60)), (20, 20, 220))
    assert codec.prepare(file, size_of(file)).changes == ()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize("exif", [b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\xff\xff\xff\xff", b"garbage, no TIFF"])
def test_broken_exif_is_no_reason_to_refuse(exif: bytes, kind: str) -> None:
    """Garbage where the camera's notes should be is overlooked."""
    file = saved(photo(), kind, exif=b"Exif\0\0" + exif)
    assert codec.decode(file).size == (64, 48)


def swapped_profile() -> bytes:
    """Display P3's neighbour: a profile whose red and green are swapped sRGB's, to see it applied."""
    data = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    count = struct.unpack(">I", data[128:132])[0]
    offsets = {}
    for i in range(count):
        name, offset, _ = struct.unpack(">4sII", data[132 + 12 * i : 144 + 12 * i])
        offsets[name] = (132 + 12 * i, offset)
    (red, _), (green, _) = offsets[b"rXYZ"], offsets[b"gXYZ"]
    data[red + 4 : red + 12], data[green + 4 : green + 12] = data[green + 4 : green + 12], data[red + 4 : red + 12]
    return bytes(data)


@pytest.mark.parametrize("mode", ["RGB", "RGBA"])
def test_colour_profiles_are_applied(mode: str) -> None:
    """Colours mean what their profile says: here red is green."""
    image = Image.new(mode, (8, 8), (255, 0, 0) if mode == "RGB" else (255, 0, 0, 128))
    picture = codec.decode(saved(image, "PNG", icc_profile=swapped_profile()))
    assert picture.mode == mode
    assert near(picture.getpixel((4, 4)), (0, 255, 0) if mode == "RGB" else (0, 255, 0, 128), 3)
    assert "icc_profile" not in picture.info


def test_a_broken_profile_is_overlooked() -> None:
    """A profile that cannot be read changes nothing."""
    picture = codec.decode(saved(photo(), "PNG", icc_profile=b"no profile at all"))
    assert near(picture.getpixel((5, 5)), (220, 20, 20), 0)


def test_cmyk_jpeg_has_its_colours() -> None:
    """A print shop's CMYK JPEG is neither refused nor inverted."""
    file = saved(photo(mode="CMYK"), "JPEG", quality=95)
    assert codec.prepare(file, size_of(file)).changes == ()
    assert near(codec.decode(file).getpixel((5, 24)), (220, 20, 20))


def test_sixteen_bits_are_scaled_not_clipped() -> None:
    """A 16-bit grey PNG keeps its tones."""
    ramp = np.linspace(0, 65535, 256, dtype=np.uint16).reshape(16, 16)
    grey = np.asarray(codec.decode(saved(Image.fromarray(ramp), "PNG")))[..., 0].ravel()
    assert np.abs(grey.astype(int) - np.arange(256)).max() <= 1


def test_sixteen_bit_colours_are_read() -> None:
    """A 16-bit RGB PNG, which Pillow cannot write, is read in 8 bits."""
    row = b"\0" + struct.pack(">3H", 65535, 32768, 0) * 4

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 16, 2, 0, 0, 0))
    data = b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(row * 4)) + chunk(b"IEND", b"")
    assert near(codec.decode(data).getpixel((2, 2)), (255, 128, 0), 1)


@pytest.mark.parametrize("top", [1.0, 255.0, 65535.0, 1e6])
def test_float_pictures_are_scaled_by_their_range(top: float) -> None:
    """A scientific TIFF of any range comes out with a white white."""
    ramp = np.linspace(0, top, 64, dtype=np.float32).reshape(8, 8)
    grey = np.asarray(codec.decode(saved(Image.fromarray(ramp), "TIFF")))[..., 0]
    assert (grey.min(), grey.max()) == (0, 255)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA"])
def test_other_modes_become_rgb(mode: str) -> None:
    """Bilevel, grey and palette pictures come out as RGB; an alpha that hides nothing is dropped."""
    assert codec.decode(saved(photo(mode=mode), "PNG")).mode == "RGB"


def test_a_palette_with_transparency_becomes_rgba() -> None:
    """A PNG-8 with a transparent colour keeps its hole."""
    image = photo(mode="P")
    picture = codec.decode(saved(image, "PNG", transparency=image.getpixel((0, 0))))
    assert picture.mode == "RGBA"
    assert picture.getchannel("A").getextrema() == (0, 255)


def test_decode_can_bound_the_side() -> None:
    """`max_side` bounds the longer side and never enlarges."""
    file = saved(photo(640, 480), "JPEG")
    assert codec.decode(file, max_side=100).size == (100, 75)
    assert codec.decode(file, max_side=9999).size == (640, 480)


@pytest.mark.parametrize("kind", ["jpg", "png", "webp"])
def test_encode_writes_every_result_format(kind: str) -> None:
    """What is written has the format asked for, the size, and in jpg transparency on white."""
    image = Image.new("RGBA", (16, 16), (255, 0, 0, 0))
    data = codec.encode(image, kind, dpi=300)
    assert codec.sniff(data) == kind
    picture = codec.decode(data)
    assert picture.size == (16, 16)
    assert picture.mode == ("RGB" if kind == "jpg" else "RGBA")
    if kind == "jpg":
        assert near(picture.getpixel((8, 8)), (255, 255, 255), 1)


def test_encode_takes_masks_and_writes_the_resolution() -> None:
    """A grey mask is written as it is; dots per inch stand in the file."""
    for kind in ("jpg", "png"):
        image = Image.open(io.BytesIO(codec.encode(Image.new("L", (9, 9)), kind, dpi=300)))
        assert image.mode == "L"
        assert round(image.info["dpi"][0]) == 300
    assert codec.decode(codec.encode(Image.new("CMYK", (9, 9)), "jpg")).mode == "RGB"


@pytest.mark.parametrize("cap", [9_000, 15_000, 200_000])
def test_a_cap_is_reached_with_the_best_quality(cap: int) -> None:
    """The file is under its cap, and not needlessly far under it."""
    image = noise(120, 120)
    data = codec.encode_within(image, cap, dpi=300)
    assert len(data) <= cap
    if len(codec.encode(image, "jpg", quality=95)) > cap:
        assert len(data) > cap * 0.85


def test_a_cap_out_of_reach_gives_the_smallest_file() -> None:
    """Below what a JPEG can be, the smallest one is made: the caller compares and says so."""
    image = noise(120, 120)
    assert len(codec.encode_within(image, 100)) == len(codec.encode(image, "jpg", quality=10))


def test_shrink_makes_a_smaller_copy() -> None:
    """After "too large" the copy is smaller in any case, and at most as large as asked."""
    small = codec.shrink(saved(photo(400, 300), "PNG"))
    assert (small.changes, codec.inspect(small.file).width) == (("shrunk",), 300)
    assert codec.inspect(codec.shrink(saved(photo(400, 300), "PNG"), 100).file).width == 100
    assert codec.inspect(codec.shrink(saved(photo(1, 1, "L"), "PNG")).file).width == 1


def test_telegram_photo_limits() -> None:
    """Telegram's limits on photos: 10 MB, sides' sum 10,000, ratio 20."""
    assert codec.fit_photo(200, 100, 10_000_000)
    assert not codec.fit_photo(200, 100, 10_000_001)
    assert codec.fit_photo(200, 10, 1)
    assert not codec.fit_photo(202, 10, 1)
    assert not codec.fit_photo(9000, 1001, 1)
