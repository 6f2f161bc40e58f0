"""What is done again and how often: states, polls and results that fail, over real sockets."""

import asyncio
import io

import pytest
from PIL import Image

from imaging import errors
from imaging.operations import Colorize, IdPhoto, Operation
from imaging.routing import Resume
from imaging.wire import NO_FACE
from tests.imaging.house import DONE, House
from tests.imaging.vendor import (
    TASK_ID,
    Behaviour,
    hangs,
    picture,
    resets,
    says,
    task,
    truncates,
    upload,
)


@pytest.mark.parametrize("where", ["GET", "result"])
async def test_what_expired_is_redone_once(house: House, where: str) -> None:
    """A task or result that is gone is made anew once, then the next provider takes over."""
    gone = says({"status": 404}, 404)
    house.first.will(where, *([gone] * 3 if where == "result" else [gone]), DONE if where == "GET" else says(picture()))
    assert await house.develop(resume=Resume("gptge", TASK_ID)) == ("png",)
    assert house.posts == (1, 0)
    house.first.will(where, gone)
    assert await house.develop(resume=Resume("gptge", TASK_ID)) == ("png",)
    assert house.posts == (2, 1)


@pytest.mark.parametrize("state", [-2, -8])
async def test_states_that_are_worth_one_more_task(house: House, state: int) -> None:
    """The vendor's upload failed or it took too long: one new task there, then the next provider."""
    house.first.will("GET", says(task(state)), DONE)
    await house.develop()
    assert house.posts == (2, 0)
    house.first.will("GET", says(task(state)))
    await house.develop()
    assert house.posts == (4, 1)


@pytest.mark.parametrize(
    ("operation", "answer", "expected"),
    [
        (Colorize(), task(-3), errors.LinkUnreachable),
        (Colorize(), task(-7), errors.NotAPicture),
        (IdPhoto(), task(-1, err_info=NO_FACE), errors.NoFace),
        (IdPhoto(), task(-7, state_detail="Face not detected"), errors.NoFace),
    ],
)
async def test_the_pictures_own_faults(
    house: House, operation: Operation, answer: dict[str, object], expected: type[Exception]
) -> None:
    """What the picture is to blame for is tried nowhere else."""
    house.first.will("GET", says(answer))
    with pytest.raises(expected):
        await house.develop(operation)
    assert house.posts == (1, 0)
    assert house.notes.steps[-1] == "unsubmitted"


async def test_no_face_is_an_id_photos_matter(house: House) -> None:
    """Another operation that fails with such words is only a failed task."""
    house.first.will("GET", says(task(-1, err_info=NO_FACE)))
    await house.develop(Colorize())
    assert house.posts == (1, 1)


@pytest.mark.parametrize("answer", [says(task(-5)), says({"status": 413}, 413)])
async def test_too_large_is_shrunk_once(house: House, answer: Behaviour) -> None:
    """A picture that is too large goes again smaller, once; then the person hears the limits."""
    large = picture("JPEG", (3000, 100))
    house.first.will("POST", answer, says(task(0)))
    assert await house.develop(photo=upload(large)) == ("png", "shrunk")
    again = Image.open(io.BytesIO(house.first.received[1].files["image_file"][2]))
    assert again.width < 3000
    house.first.will("POST", answer)
    with pytest.raises(errors.PictureTooLarge) as caught:
        await house.develop(photo=upload(large))
    assert caught.value.params == {"side": 4096, "megabytes": 20}
    assert house.posts == (4, 0)


@pytest.mark.parametrize("behaviour", [truncates, says(b"", 503), says(b"<html>"), says(b"", 429), resets])
async def test_results_are_fetched_again(house: House, behaviour: Behaviour) -> None:
    """A result that did not arrive whole is fetched once more, with a fresh URL, without another task."""
    house.first.will("result", behaviour, says(picture()))
    await house.develop()
    assert house.first.count("result") == 2
    assert house.posts == (1, 0)


@pytest.mark.parametrize(
    "behaviour", [says({"status": 500}, 500), says(b"<html>"), says({"status": 429}, 429, {"Retry-After": "0"}), resets]
)
async def test_polls_may_fail(house: House, behaviour: Behaviour) -> None:
    """A poll that fails is repeated; it costs nothing."""
    house.first.will("GET", behaviour, behaviour, DONE)
    await house.develop()
    assert house.posts == (1, 0)
    house.first.will("GET", behaviour)
    await house.develop()
    assert house.posts == (2, 1)


@pytest.mark.parametrize("where", ["POST", "GET", "result"])
async def test_it_can_be_cancelled_anywhere(house: House, where: str) -> None:
    """A cancelled job stops at once, whatever it waits for."""
    house.first.will(where, hangs)
    working = asyncio.create_task(house.develop())
    while not house.first.count(where):
        await asyncio.sleep(0.005)
    working.cancel()
    with pytest.raises(asyncio.CancelledError):
        await working
    assert house.notes.outcomes[-1] == "gptge cancelled"


async def test_a_deadline_is_the_callers(house: House) -> None:
    """asyncio.timeout around develop ends it."""
    house.first.will("GET", says(task(4)))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.2):
            await house.develop()
