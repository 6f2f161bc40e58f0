"""What an operator returns, and the two ways in which it can fail."""

from dataclasses import dataclass
from typing import Literal

from PIL import Image


class OperatorError(Exception):
    """The picture cannot be developed; the sentence is for the operator's log."""


class NoFace(OperatorError):  # noqa: N818  the same name as in imaging.errors, which the engine may not see
    """An ID photo needs a face and none was found."""


@dataclass(frozen=True)
class Developed:
    """A finished picture.

    `image` is RGB, or RGBA where it is transparent; None when only the mask was asked for. `mask` is L,
    255 = subject, of the image's size. `foreground_rect` is the subject's (x, y, width, height) in pixels of
    the picture that came in. `detail` says in a few words what was done, for the wire's `state_detail`.
    """

    image: Image.Image | None
    mask: Image.Image | None = None
    foreground_rect: tuple[int, int, int, int] | None = None
    detail: str = "Complete"
    result_type: Literal["person", "object", "stamp"] | None = None
