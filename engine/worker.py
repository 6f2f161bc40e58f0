"""A worker process: reads one JSON order a line from stdin, develops the picture, answers one JSON line.

It alone opens strangers' pictures, so it is told no key, and what it answers is parsed, never unpickled. It ends
when stdin does, and by an alarm when it hangs with no server left to kill it. Run it as
`python -m engine.worker <module of operators>`.
"""

import importlib
import json
import os
import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

from PIL import Image

from imaging import codec
from imaging.errors import NotAPicture, PictureTooLarge
from imaging.operations import Cutout, Enhance, IdPhoto, Operation, load
from imaging.wire import NO_FACE, State

FORMATS = {"jpg", "png", "bmp", "webp", "tiff"}
"""What the vendor takes (seed 001) and Pillow reads, in codec.sniff's words; the bot converts the rest."""
SIDE_MIN, SIDE_MAX = 100, 2000  # pixels of an ID photo's side
ALARM_MARGIN = 5  # seconds past the time in which the server kills
COMPLETE = "Complete"  # state_detail of the seeds


def perform(operators: ModuleType, order: Mapping[str, Any]) -> dict[str, Any]:
    """Do one order; the answer has `state` and, after success, `files`, sizes and `foreground_rect`."""
    try:
        picture = _opened(Path(order["source"]))
        operation = load(order["operation"], order["options"])
        if isinstance(operation, IdPhoto) and order["original_size"]:
            operation = _as_large_as(operation, picture)
        developed = operators.develop(operation, picture)
    except NotAPicture:
        return _failed(State.NOT_A_PICTURE, "Invalid image file")
    except PictureTooLarge:
        return _failed(State.TOO_LARGE, f"Image larger than {codec.MAX_SIDE}x{codec.MAX_SIDE}")
    except operators.NoFace:
        return _failed(State.FAILED, NO_FACE, detail="No face found")
    except operators.OperatorError as error:
        return _failed(State.FAILED, str(error))
    return _saved(operation, developed, order["target"])


def _opened(path: Path) -> Image.Image:
    """Decode what the vendor would take. Raises NotAPicture, PictureTooLarge."""
    with path.open("rb") as file:
        info = codec.inspect(file)
        if info.format not in FORMATS:
            raise NotAPicture
        if max(info.width, info.height) > codec.MAX_SIDE:
            raise PictureTooLarge
        return codec.decode(file)


def _as_large_as(operation: IdPhoto, picture: Image.Image) -> IdPhoto:
    """Without a size an ID photo is as large as the original (doc), within the sides the wire allows."""
    width, height = (min(max(side, SIDE_MIN), SIDE_MAX) for side in picture.size)
    return operation.model_copy(update={"width": width, "height": height})


def _failed(state: State, reason: str, *, detail: str | None = None) -> dict[str, Any]:
    return {"state": int(state), "err_info": reason[:500], "detail": detail or reason[:500]}


def _saved(operation: Operation, developed: Any, target: str) -> dict[str, Any]:  # noqa: ANN401  operators are injected
    """Write what was asked for beside `target` and say where."""
    image, mask = developed.image, developed.mask
    files = {}
    if image is not None:
        ending = operation.result_format or ("png" if "A" in image.getbands() else "jpg")
        files["image"] = f"{target}-image.{ending}"
        Path(files["image"]).write_bytes(codec.encode(image, ending))
    if mask is not None:
        files["mask"] = f"{target}-mask.png"
        Path(files["mask"]).write_bytes(codec.encode(mask, "png"))
    width, height = (image or mask).size
    return {
        "state": int(State.DONE),
        "err_info": "",
        "detail": developed.detail or COMPLETE,
        "files": files,
        "width": width,
        "height": height,
        "foreground_rect": developed.foreground_rect or (0, 0, width, height),
        "result_type": developed.result_type or "object",
        "type": operation.type or "auto" if isinstance(operation, Cutout | Enhance) else "auto",
        "output_type": operation.output if isinstance(operation, Cutout) else 2,
    }


def serve(operators: ModuleType, orders: BinaryIO, answers: BinaryIO) -> None:
    """Warm up, say so with an empty object, then answer orders until they end."""
    operators.warm()
    for answer in _answers(operators, orders):
        answers.write(json.dumps(answer).encode() + b"\n")
        answers.flush()


def _answers(operators: ModuleType, orders: BinaryIO) -> Any:  # noqa: ANN401  a generator of JSON objects
    yield {}
    for line in orders:
        try:
            order = json.loads(line)
            signal.alarm(int(order["seconds"]) + ALARM_MARGIN)
            answer = perform(operators, order)
        except Exception as error:  # noqa: BLE001  a fault of ours must not end the worker, the log has it
            sys.excepthook(type(error), error, error.__traceback__)
            answer = _failed(State.FAILED, "Internal error")
        signal.alarm(0)
        yield answer


def main() -> None:
    """Keep stdout for answers alone: whatever a library prints goes to stderr."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the server closes stdin
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    os.nice(5)  # the server must stay quick when all cores develop
    serve(importlib.import_module(sys.argv[1]), sys.stdin.buffer, answers)


if __name__ == "__main__":
    main()
