"""One picture's way through providers that misbehave, over real sockets."""

import time

import pytest
from pydantic import SecretStr

from imaging import errors
from imaging.gptge import GptGe
from imaging.operations import Cutout
from imaging.routing import Resume, Router
from tests.imaging.house import DONE, House
from tests.imaging.vendor import (
    EASY,
    TASK_ID,
    Behaviour,
    body,
    hangs,
    resets,
    running,
    says,
    task,
)


async def test_the_plain_way(house: House) -> None:
    """Submit once, write it down before and after, poll until done, fetch."""
    house.first.will("GET", says(task(2)), says(task(4, progress=50)), DONE)
    assert await house.develop() == ("png",)
    assert house.notes.steps == ["submitting gptge", f"submitted gptge {TASK_ID}"]
    assert house.notes.outcomes == ["gptge ok"] * 5
    assert house.posts == (1, 0)
    await house.router.ready()


async def test_every_request_counts(house: House) -> None:
    """A result of two files at the provider itself costs two turns of its rate."""
    house.first.will("GET", says(task(1, image="RESULT", mask="RESULT")))
    house.router = Router(house.providers[:1], rate=3)
    began = time.monotonic()
    assert await house.develop(Cutout(output=1)) == ("png", "png")
    assert len(house.first.received) == 4
    assert time.monotonic() - began > 1


async def test_sync(house: House) -> None:
    """In sync mode one POST brings the result; if it answers unfinished, polling takes over."""
    house.make(wait="sync")
    house.first.will("POST", says(body("gptge_colorization")), says(task(4)))
    await house.develop()
    assert house.first.count("GET") == 0
    assert house.first.received[0].fields["sync"] == "1"
    await house.develop()
    assert house.first.count("GET") == 1


REFUSALS = [
    says({"status": 401}, 401),
    says({"status": 402}, 402),
    says({"status": 400, "message": "wrong"}, 400),
    says({"status": 404}, 404),
    says({"status": 429}, 429, {"Retry-After": "0"}),
    says(task(-1)),
    says(task(-4)),
    says(task(-99)),
]


@pytest.mark.parametrize("behaviour", REFUSALS)
async def test_the_next_provider_takes_over(house: House, behaviour: Behaviour) -> None:
    """Whatever the first one refuses or cannot do, the second one does; the refused POST is not pending."""
    house.first.will("POST", behaviour)
    assert await house.develop() == ("png",)
    assert house.posts[1] == 1
    assert "unsubmitted" in house.notes.steps
    assert house.notes.unknown == 0


@pytest.mark.parametrize("behaviour", [*REFUSALS, resets, hangs, says({"status": 500}, 500), says(b"<html>")])
async def test_nothing_left_to_try(house: House, behaviour: Behaviour) -> None:
    """When every provider fails it ends in GaveUp with the last failure as its cause."""
    house.first.will("POST", behaviour)
    house.second.will("POST", behaviour)
    house.hurry(behaviour)
    with pytest.raises(errors.GaveUp) as caught:
        await house.develop()
    assert isinstance(caught.value.__cause__, errors.ProviderError)


async def test_nobody_listens(house: House) -> None:
    """A refused connection is tried again, then the next provider is asked; the dead one is kept out."""
    async with running() as gone:
        url = gone.url
    house.providers[0] = GptGe(url, SecretStr("sk-a"), timeout=EASY)
    house.make()
    for _ in range(3):
        assert await house.develop() == ("png",)
    assert house.notes.outcomes.count("gptge unavailable") == 6
    assert house.notes.states[-3:] == ["gptge closed", "picwish closed", "gptge open"]
    assert house.router.states() == {"gptge": "open", "picwish": "closed"}


@pytest.mark.parametrize(
    "lost", [resets, hangs, says(b"<html>"), says({"status": 500}, 500), says(b"", 504), says(task(0, ""))]
)
@pytest.mark.parametrize("only", [1, 2])
async def test_an_unknown_outcome_costs_one_more_post(house: House, lost: Behaviour, only: int) -> None:
    """If the answer to a paid POST is lost, one more is sent, to the next provider if there is one."""
    house.make(only=only)
    house.first.will("POST", house.hurry_once(lost), says(task(0)))
    assert await house.develop() == ("png",)
    assert house.posts == ((2, 0) if only == 1 else (1, 1))
    assert house.notes.unknown == 1
    assert "unsubmitted" not in house.notes.steps


@pytest.mark.parametrize("only", [1, 2])
async def test_two_unknown_outcomes_are_the_end(house: House, only: int) -> None:
    """There are never more than two POSTs whose outcome is unknown."""
    house.make(only=only)
    house.first.will("POST", resets)
    house.second.will("POST", resets)
    with pytest.raises(errors.GaveUp) as caught:
        await house.develop()
    assert isinstance(caught.value.__cause__, errors.OutcomeUnknown)
    assert sum(house.posts) == 2
    assert house.notes.unknown == 2


async def test_a_known_task_is_asked_for_and_never_submitted_again(house: House) -> None:
    """After a restart the task_id is enough, even at a provider that is paused."""
    house.second.will("GET", says({"status": 500}, 500), says(body("picwish_done")))
    house.router.pause("picwish")
    assert await house.develop(resume=Resume("picwish", TASK_ID)) == ("png",)
    assert house.posts == (0, 0)
    assert house.notes.steps == []


async def test_an_unknown_outcome_before_a_restart_counts(house: House) -> None:
    """A crash between upload and task_id allows one more POST, not two."""
    house.make(only=1)
    assert await house.develop(resume=Resume("gptge", None)) == ("png",)
    assert (house.posts, house.notes.unknown) == ((1, 0), 1)
    house.first.will("POST", resets)
    with pytest.raises(errors.GaveUp):
        await house.develop(resume=Resume("gptge", None))
    assert house.posts == (2, 0)


async def test_a_task_at_a_provider_no_longer_configured(house: House) -> None:
    """It cannot be asked for, so the picture is submitted anew."""
    assert await house.develop(resume=Resume("elsewhere", TASK_ID)) == ("png",)
    assert (house.posts, house.notes.unknown) == ((1, 0), 0)


async def test_a_dead_provider_is_kept_out_after_a_refused_key(house: House) -> None:
    """One refused key is enough: pictures are not uploaded to hear it again."""
    house.first.will("POST", says({"status": 401}, 401))
    for _ in range(3):
        await house.develop()
    assert house.posts == (1, 3)
    house.second.will("POST", says({"status": 401}, 401))
    for _ in range(2):
        with pytest.raises(errors.GaveUp):
            await house.develop()
    assert house.posts == (1, 4)
    with pytest.raises(errors.Unavailable):
        await house.router.ready()


async def test_what_a_paused_provider_lost_is_redone_elsewhere(house: House) -> None:
    """A task that it has is asked for; when that is gone, it gets no new one."""
    house.router.pause("gptge")
    house.first.will("GET", says({"status": 404}, 404))
    assert await house.develop(resume=Resume("gptge", TASK_ID)) == ("png",)
    assert house.posts == (0, 1)


async def test_pausing(house: House) -> None:
    """A paused provider gets no new tasks until it is resumed; with all paused the answer comes at once."""
    house.router.pause("gptge")
    await house.develop()
    assert house.posts == (0, 1)
    assert house.router.states() == {"gptge": "paused", "picwish": "closed"}
    house.router.pause("picwish")
    with pytest.raises(errors.GaveUp):
        await house.develop()
    house.router.resume("gptge")
    await house.develop()
    assert house.posts == (1, 1)
