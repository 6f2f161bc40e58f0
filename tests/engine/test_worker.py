"""What happens inside a worker process, called here without one."""

import importlib
import io
import json
from pathlib import Path
from typing import Any

import pytest

from engine import worker
from imaging.operations import Colorize, Cutout, Enhance, IdPhoto, Operation
from tests.engine import stub
from tests.engine.support import opened, picture


def perform(folder: Path, operation: Operation, data: bytes, *, original_size: bool = False) -> dict[str, Any]:
    (folder / "source").write_bytes(data)
    order = {
        "operation": operation.name,
        "options": operation.model_dump_json(),
        "original_size": original_size,
        "source": str(folder / "source"),
        "target": str(folder / "task"),
    }
    return worker.perform(stub, order)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF"])
def test_formats_the_vendor_takes(tmp_path: Path, kind: str) -> None:
    """Each is opened; without a format of its own the result is a JPEG."""
    answer = perform(tmp_path, Enhance(), picture(kind=kind))
    assert (answer["state"], Path(answer["files"]["image"]).name) == (1, "task-image.jpg")


@pytest.mark.parametrize("kind", ["GIF", "AVIF"])
def test_formats_the_vendor_refuses(tmp_path: Path, kind: str) -> None:
    """Pictures in other formats are none, as for the vendor."""
    assert perform(tmp_path, Enhance(), picture(kind=kind))["state"] == -7


@pytest.mark.parametrize(("size", "state"), [((4096, 2), 1), ((4097, 2), -5), ((2, 4097), -5), ((20_000, 20_000), -5)])
def test_large_pictures(tmp_path: Path, size: tuple[int, int], state: int) -> None:
    """The limit is 4096 pixels a side; a bomb is refused by its header."""
    data = bytearray(picture((2, 2)))
    if max(size) > 10_000:
        data[16:24] = size[0].to_bytes(4, "big") + size[1].to_bytes(4, "big")
        assert perform(tmp_path, Colorize(), bytes(data))["state"] in {-5, -7}  # its checksum is wrong, too
    else:
        assert perform(tmp_path, Colorize(), picture(size))["state"] == state


def test_results_are_written_as_asked(tmp_path: Path) -> None:
    """Image and mask lie beside the target, in their formats."""
    files = perform(tmp_path, Cutout(output=1), picture())["files"]
    assert opened(Path(files["image"]).read_bytes()).mode == "RGBA"
    assert opened(Path(files["mask"]).read_bytes()).mode == "L"


def test_the_original_size(tmp_path: Path) -> None:
    """An ID photo without a size is as large as the original, within 100 and 2000 pixels a side."""
    answer = perform(tmp_path, IdPhoto(), picture((2500, 60)), original_size=True)
    assert (answer["width"], answer["height"]) == (2000, 100)
    assert perform(tmp_path, IdPhoto(), picture())["width"] == 295


def test_operators_failures(tmp_path: Path) -> None:
    """No face has its own words; what an operator says goes into err_info."""
    assert perform(tmp_path, IdPhoto(), picture(stub.FACELESS))["err_info"] == "no face found"
    assert perform(tmp_path, IdPhoto(), picture(stub.REFUSED))["err_info"] == "too dull"


def test_a_worker_survives_its_own_faults(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """An order that breaks something is answered without details, which stderr has; the next one is done."""
    (tmp_path / "source").write_bytes(picture())
    good = {"operation": "colorize", "options": "{}", "original_size": False, "seconds": 5}
    orders = [b"{}", json.dumps(good | {"source": str(tmp_path / "source"), "target": str(tmp_path / "task")}).encode()]
    answers = io.BytesIO()
    worker.serve(stub, io.BytesIO(b"\n".join(orders)), answers)
    ready, bad, done = (json.loads(line) for line in answers.getvalue().splitlines())
    assert (ready, bad["state"], bad["err_info"], done["state"]) == ({}, -1, "Internal error", 1)
    assert "KeyError" in capsys.readouterr().err


def test_the_real_operators_fit_the_seam() -> None:
    """The module named by default has everything that a worker calls."""
    operators = importlib.import_module("engine.operators")
    for name in ("develop", "warm", "NoFace", "OperatorError"):
        assert callable(getattr(operators, name))
