"""The bodies of replies, field by field as the seeds show them."""

import base64
from typing import Any, Literal

from engine.tasks import Task
from imaging.wire import ReturnType, State

Dialect = Literal["gptge", "picwish"]
SCALE_LACKS = ("err_info", "foreground_rect", "output_type", "result_type")
"""Fields that seed 002 (enhance) does not have and the others do."""


def body(task: Task, dialect: Dialect, *, query: bool = False) -> dict[str, Any]:
    """Build a whole reply; with base64 it reads the results, so run it off the event loop."""
    data = _data(task)
    if query or task.files.get("mask"):
        data["mask"] = _picture(task, "mask")  # "" without one (gpt.ge's page of the query)
    if dialect == "gptge":
        return {"status": 200, "data": data}
    for key in ("created_at", "processed_at", "completed_at"):  # seed 001 has them as strings
        data |= {key: str(data[key])} if key in data else {}
    if not (query or task.done.is_set()):
        data = {"task_id": task.task_id}  # seed 001: an asynchronous POST answers with nothing else
    return {"status": 200, "message": "success", "data": data}


def result_url(task: Task, role: str) -> str:
    """Build the unguessable link to a result; like a vendor's signed link it is worth nothing without its query."""
    return f"{task.order.base_url}/results/{task.files[role].name}?signature={task.signature}"


def _data(task: Task) -> dict[str, Any]:
    data: dict[str, Any] = {
        "task_id": task.task_id,
        "state": task.state,
        "state_detail": task.detail,
        "progress": task.progress(),
        "created_at": task.created_at,
        "return_type": task.order.return_type,
    }
    if task.processed_at is not None:
        data["processed_at"] = task.processed_at
    if task.done.is_set():
        data |= {
            "completed_at": task.completed_at,
            "download_time": task.download_ms,
            "time_elapsed": 1000 * task.elapsed,
            "err_info": task.answer["err_info"],
        }
    if task.state == State.DONE:
        data |= _success(task)
        if task.order.operation.name == "enhance":
            for key in SCALE_LACKS:
                del data[key]
    return data


def _success(task: Task) -> dict[str, Any]:
    answer = task.answer
    return {
        "image": _picture(task, "image"),
        "image_width": answer["width"],
        "image_height": answer["height"],
        "foreground_rect": dict(zip(("x", "y", "width", "height"), answer["foreground_rect"], strict=True)),
        "output_type": answer["output_type"],
        "result_type": answer["result_type"],
        "type": answer["type"],
    }


def _picture(task: Task, role: str) -> str:
    """Give a link or bare base64, as asked for; "" where there is none."""
    path = task.files.get(role)
    if path is None:
        return ""
    if task.order.return_type == ReturnType.URL:
        return result_url(task, role)
    return base64.b64encode(path.read_bytes()).decode()
