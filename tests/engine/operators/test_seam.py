"""The seam: every operation has its operator, and OpenCV's failures become ours."""

import cv2
import pytest
from PIL import Image

from engine import operators
from engine.operators import OPERATORS, Developed, NoFace, OperatorError, develop, warm
from engine.operators.matting import matte
from imaging.operations import Colorize


def test_every_operation_has_an_operator() -> None:
    """No operation of the wire is left without an operator."""
    from imaging.operations import OPERATIONS  # noqa: PLC0415  beside its only use

    assert set(OPERATORS) == set(OPERATIONS)


def test_opencv_failures_are_operator_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weights or rules put into the seam may fail in OpenCV: the server sees one kind of error."""

    def fails(_operation: Colorize, _image: Image.Image) -> Developed:
        raise cv2.error("boom")

    monkeypatch.setattr(operators, "OPERATORS", {"colorize": fails})
    with pytest.raises(OperatorError, match="colorize"):
        develop(Colorize(), Image.new("RGB", (4, 4)))
    assert issubclass(NoFace, OperatorError)


def test_warm_keeps_opencv_to_one_thread() -> None:
    """A warmed worker uses one thread, since the pool has as many workers as the machine has cores."""
    warm()
    assert cv2.getNumThreads() == 1
    assert callable(matte)
