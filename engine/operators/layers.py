"""Lays a cut-out subject on a colour."""

from PIL import Image

WHITE = "FFFFFF"


def lay(subject: Image.Image, colour: str | None) -> Image.Image:
    """Return RGBA laid on an RRGGBB colour (None: white) as RGB."""
    ground = Image.new("RGBA", subject.size, f"#{colour or WHITE}")
    return Image.alpha_composite(ground, subject).convert("RGB")
