"""Tasks over time: expiry, progress, places in the queue, rate."""

import asyncio
import time
from pathlib import Path

import pytest

from engine.limits import RateLimit
from engine.tasks import Order, Task
from imaging.operations import Colorize
from imaging.wire import State
from tests.engine import stub
from tests.engine.support import Clock, picture, running_engine


def order() -> Order:
    return Order(
        operation=Colorize(),
        source=Path("unused"),
        image_url=None,
        original_size=False,
        sync=False,
        return_type=1,
        callback_url=None,
        base_url="http://engine.example",
    )


async def test_results_end_after_an_hour() -> None:
    """Just before, result and task are there; then both are unknown, and the sweep deletes the file."""
    clock = Clock()
    async with running_engine(clock) as engine:
        data = (await engine.post("/task/pic/scale", sync="1")).json()["data"]
        (file,) = engine.engine.book.folder.iterdir()
        clock.now += 3599.9
        engine.engine.book.expire()
        assert (await engine.client.get(data["image"])).status_code == 200
        clock.now += 0.2
        assert (await engine.client.get(data["image"])).status_code == 404
        assert (await engine.client.get(f"/task/{data['task_id']}")).status_code == 404
        assert file.exists()
        engine.engine.book.expire()
        assert not file.exists()


async def test_links_begin_where_the_operator_says() -> None:
    """With a public URL set, result links begin with it; stopping deletes the folder."""
    async with running_engine(public_url="https://pictures.example/engine/") as engine:
        data = (await engine.post("/task/pic/scale", sync="1")).json()["data"]
        assert data["image"].startswith("https://pictures.example/engine/results/")
        folder = engine.engine.book.folder
        assert folder.exists()
    assert not folder.exists()


async def test_a_full_queue_is_a_429(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond the limit a create is refused with Retry-After, other requests are not; a place freed is usable."""
    monkeypatch.setenv("STUB_GATE", str(gate := tmp_path / "gate"))
    async with running_engine(queue=1, sync_seconds=0.01) as engine:
        reply = await engine.post("/task/pic/scale", picture(stub.SLOW), sync="1")
        assert reply.json()["data"]["state"] in {3, 4}  # sync=1 may answer unfinished
        refused = await engine.post("/task/pic/scale")
        assert (refused.status_code, refused.json()["status"], refused.headers["retry-after"]) == (429, 429, "1")
        gate.touch()
        await engine.finished(f"/task/{reply.json()['data']['task_id']}")
        assert (await engine.post("/task/pic/scale")).status_code == 200


async def test_the_rate_is_limited_by_key() -> None:
    """Every request counts, polls too; each key has its own rate; Retry-After tells when to come back."""
    clock = Clock()
    async with running_engine(clock, rate=2.0) as engine:
        statuses = [(await engine.client.get("/task/x")).status_code for _ in range(2)]
        assert statuses == [404, 404]
        refused = await engine.post("/api/tasks/visual/scale")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
        other = {"Authorization": "Bearer sk-test-two"}
        assert (await engine.client.get("/task/x", headers=other)).status_code == 404
        clock.now += 0.5
        assert (await engine.client.get("/task/x")).status_code == 404
        assert (await engine.client.get("/task/x")).status_code == 429


def test_a_slow_rate_lets_one_through() -> None:
    """Less than one request a second still begins with one, and never saves up more."""
    clock = Clock()
    limit = RateLimit(0.1, clock)
    assert limit.wait(0) == 0
    assert limit.wait(0) == pytest.approx(10)
    clock.now += 1000
    assert limit.wait(0) == 0
    assert limit.wait(0) > 0


def test_progress_is_by_stage_then_by_time() -> None:
    """It follows the usual duration, never reaches 100 before the end, and does not fall when a task fails."""
    clock = Clock()
    task = Task(order(), clock, "id")
    seen = []
    for state in (State.QUEUED, State.PREPARING, State.WAITING):
        task.state = state
        seen.append(task.progress())
    task.begin(2.0)
    for _ in range(20):
        clock.now += 0.5
        seen.append(task.progress())
    assert seen == sorted(seen)
    assert seen[:3] == [0, 5, 10]
    assert 70 <= seen[6] <= 80  # two seconds in
    assert 90 <= seen[-1] < 100
    task.finish({"state": -1, "err_info": "x", "detail": "x"})
    assert task.progress() == seen[-1]


async def test_progress_moves_and_never_falls() -> None:
    """Polled while it is worked on, a task passes through working states with rising progress, and is done at 100."""
    clock = Clock()
    async with running_engine(clock) as engine:
        assert (await engine.post("/task/pic/scale", sync="1")).json()["data"]["progress"] == 100
        task_id = (await engine.post("/task/pic/scale", picture(stub.HANG))).json()["data"]["task_id"]
        seen: list[tuple[int, int]] = []
        while len([state for state, _ in seen if state == State.PROCESSING]) < 10:
            data = (await engine.client.get(f"/task/{task_id}")).json()["data"]
            assert "image" not in data
            seen.append((data["state"], data["progress"]))
            clock.now += 0.01
    assert {state for state, _ in seen} <= {State.QUEUED, State.PREPARING, State.WAITING, State.PROCESSING}
    progress = [percent for _, percent in seen]
    assert progress == sorted(progress)
    assert len(set(progress)) > 5
    assert progress[-1] < 100


async def test_the_usual_duration_is_learned() -> None:
    """After a few tasks the estimate is near what they took."""
    async with running_engine() as engine:
        took = []
        for _ in range(3):
            began = time.monotonic()
            await engine.post("/task/pic/scale", sync="1")
            took.append(time.monotonic() - began)
        assert engine.engine.book._typical["enhance"] <= max(0.05, *took)


async def test_stopping_abandons_what_is_under_way() -> None:
    """An engine told to stop in the middle of a task stops soon and leaves no file."""
    async with running_engine() as engine:
        await engine.post("/task/pic/scale", picture(stub.HANG))
        folder = engine.engine.book.folder
    assert not folder.exists()


async def test_requests_never_wait_for_work() -> None:
    """While all workers are busy, twenty polls are answered before the work is done."""
    async with running_engine() as engine:
        task_id = (await engine.post("/task/pic/scale", picture(stub.HANG))).json()["data"]["task_id"]
        replies = await asyncio.gather(*(engine.client.get(f"/task/{task_id}") for _ in range(20)))
        assert {reply.json()["data"]["state"] for reply in replies} <= {3, 4}
