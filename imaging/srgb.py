"""Brings a decoded picture of any mode and colour profile to 8-bit sRGB: RGB, or RGBA where it is transparent."""

import io

from PIL import Image, ImageCms

_DEEP = frozenset({"I;16", "I;16L", "I;16B", "I;16N", "I", "F"})


def to_srgb(image: Image.Image) -> Image.Image:
    """Return an RGB picture, or RGBA if any pixel is transparent, with its profile applied and no metadata.

    A broken profile is ignored, as browsers do.
    """
    profile = image.info.get("icc_profile")
    if image.mode in _DEEP:
        image = _eight_bit(image)
    alpha = _alpha(image)
    if image.mode not in ("RGB", "CMYK", "L"):
        image = image.convert("RGB")
    image = _apply(profile, image) if profile else image.convert("RGB")
    if alpha:
        image.putalpha(alpha)
    image.info.clear()
    return image


def _eight_bit(image: Image.Image) -> Image.Image:
    """Scale a deep grey picture; Pillow's own conversion clips everything above 255 to white."""
    floats = image.convert("F")
    high = float(floats.getextrema()[1])  # type: ignore[arg-type]  # one band has one pair
    top = 65535 if image.mode.startswith("I;16") else next(top for top in (1, 255, 65535, high) if high <= top)
    return floats.point(lambda value: value * (255 / top) + 0.5).convert("L")


def _alpha(image: Image.Image) -> Image.Image | None:
    """Return the alpha channel where it is not opaque everywhere."""
    if not image.has_transparency_data:
        return None
    alpha = image.convert("RGBA").getchannel("A")
    return None if alpha.getextrema() == (255, 255) else alpha


def _apply(profile: bytes, image: Image.Image) -> Image.Image:
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.createProfile("sRGB")
        converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        converted = None
    return converted or image.convert("RGB")
