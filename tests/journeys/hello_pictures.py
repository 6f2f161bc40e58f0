"""`python -m tests.journeys.hello_pictures`: make the pictures that /start shows, one for each operation.

Each shows a public-domain photograph (scikit-image's astronaut and coffee, matplotlib's Grace Hopper) before and
after, made by the engine's own operators. Without words, so that they serve every language. Run it again after the
operators changed, look at the pictures and commit them; the bot uploads a changed one by itself.
"""

from collections.abc import Callable, Mapping
from pathlib import Path

from PIL import Image, ImageDraw

from engine.operators import develop
from imaging.codec import encode_within
from imaging.operations import Colorize, Cutout, Enhance, IdPhoto, Operation
from tests.journeys.pictures import photo

OUT = Path(__file__).parents[2] / "handlers" / "pictures"
MOST_BYTES = 58_000
SIDE, MARGIN = 480, 16
PAPER, INK = (250, 250, 248), (70, 70, 70)


def before_and_after(before: Image.Image, after: Image.Image) -> Image.Image:
    """Lay two pictures side by side, each in a square, an arrow between them."""
    sheet = Image.new("RGB", (2 * SIDE + 3 * MARGIN, SIDE + 2 * MARGIN), PAPER)
    for number, picture in enumerate((before, after)):
        shown = _in_square(picture)
        left = MARGIN + number * (SIDE + MARGIN) + (SIDE - shown.width) // 2
        sheet.paste(shown, (left, MARGIN + (SIDE - shown.height) // 2))
    x, y, size = sheet.width // 2, sheet.height // 2, 30
    draw = ImageDraw.Draw(sheet)
    draw.ellipse((x - size, y - size, x + size, y + size), fill=PAPER, outline=INK, width=2)
    draw.polygon([(x - 10, y - 15), (x + 17, y), (x - 10, y + 15)], fill=INK)
    return sheet


def _in_square(picture: Image.Image) -> Image.Image:
    factor = SIDE / max(picture.size)
    size = (round(picture.width * factor), round(picture.height * factor))
    shown = picture.resize(size, Image.Resampling.LANCZOS if factor < 1 else Image.Resampling.BILINEAR)
    if shown.mode != "RGBA":
        return shown
    return Image.composite(shown.convert("RGB"), _chequered(size), shown.getchannel("A"))


def _chequered(size: tuple[int, int]) -> Image.Image:
    """Give the pattern that stands for nothing."""
    pattern, cell = Image.new("RGB", size, (255, 255, 255)), 16
    draw = ImageDraw.Draw(pattern)
    for x in range(0, size[0], cell):
        for y in range(x // cell % 2 * cell, size[1], 2 * cell):
            draw.rectangle((x, y, x + cell - 1, y + cell - 1), fill=(214, 214, 214))
    return pattern


def _after(operation: Operation, before: Image.Image) -> Image.Image:
    image = develop(operation, before).image
    if image is None:
        raise RuntimeError(f"{operation.name} gave no picture")
    return image


def _portrait() -> Image.Image:
    return photo("astronaut")


def _old() -> Image.Image:
    return photo("hopper").convert("L").convert("RGB")


def _blurred() -> Image.Image:
    return photo("astronaut").crop((153, 0, 358, 204)).resize((140, 140), Image.Resampling.LANCZOS)


SHOWN: Mapping[str, tuple[Operation, Callable[[], Image.Image]]] = {
    "colorize": (Colorize(), _old),
    "enhance": (Enhance(type="face", scale=4), _blurred),
    "idphoto": (IdPhoto(width=413, height=531, background="438EDB"), _portrait),
    "cutout": (Cutout(), _portrait),
}


def main() -> None:
    """Write every picture."""
    for name, (operation, make) in SHOWN.items():
        before = make()
        data = encode_within(before_and_after(before, _after(operation, before)), MOST_BYTES)
        (OUT / f"{name}.jpg").write_bytes(data)


if __name__ == "__main__":
    main()
