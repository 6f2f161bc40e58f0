"""The contact sheet: what went in beside what came out, captioned."""

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont

CELL, GAP, LINE = 300, 14, 34
PAPER, INK = (250, 249, 246), (40, 40, 40)


def contact_sheet(rows: Sequence[tuple[str, Image.Image, Image.Image]]) -> Image.Image:
    """Lay out (caption, before, after), two to a row; transparency shows as a chequerboard."""
    width, height = 4 * CELL + 5 * GAP, (len(rows) + 1) // 2 * (CELL + LINE + GAP) + GAP
    sheet = Image.new("RGB", (width, height), PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(15)
    for number, (caption, before, after) in enumerate(rows):
        left = GAP + number % 2 * 2 * (CELL + GAP)
        top = GAP + number // 2 * (CELL + LINE + GAP)
        draw.text((left, top + 6), caption, INK, font)
        for place, picture in enumerate((before, after)):
            thumbnail = _on_chequers(picture)
            sheet.paste(thumbnail, (left + place * (CELL + GAP // 2), top + LINE))
    return sheet


def _on_chequers(picture: Image.Image) -> Image.Image:
    small = picture.convert("RGBA")
    small.thumbnail((CELL, CELL), Image.Resampling.LANCZOS)
    board = Image.new("RGBA", small.size, "white")
    draw = ImageDraw.Draw(board)
    for x in range(0, small.width, 12):
        for y in range((x // 12) % 2 * 12, small.height, 24):
            draw.rectangle((x, y, x + 11, y + 11), (215, 215, 215))
    return Image.alpha_composite(board, small).convert("RGB")
