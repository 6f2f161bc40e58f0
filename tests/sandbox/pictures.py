"""Pictures for the sandbox's tests, made as they are needed."""

import io

from PIL import Image


def picture(width: int = 640, height: int = 480, form: str = "JPEG", mode: str = "RGB") -> bytes:
    """Return a picture whose corners differ, so that turning it would show."""
    image = Image.linear_gradient("L").resize((width, height)).convert(mode)
    out = io.BytesIO()
    image.save(out, form)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))
