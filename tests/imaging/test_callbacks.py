"""Callbacks are hints: verified by asking, good once, and a way to learn of a lost answer."""

import asyncio
from typing import Any

import pytest
from aiohttp import web

from imaging import patience, wire
from imaging.routing import Resume
from tests.imaging.house import DONE, House
from tests.imaging.vendor import TASK_ID, Behaviour, Vendor, hangs, resets, says, task


async def test_callback(house: House) -> None:
    """The callback's URL goes along; its call is verified by asking, and is good once."""
    router = house.make(wait="callback", callback_base="https://bot.example/callback/")
    house.first.will("GET", says(task(4)), DONE)
    working = asyncio.create_task(house.develop())
    while not house.notes.steps[1:]:
        await asyncio.sleep(0.005)
    url = house.first.received[0].fields["callback_url"]
    base, _, token = url.rpartition("/")
    assert (base, len(token) > 30) == ("https://bot.example/callback", True)
    assert house.first.count("GET") == 0
    assert not await router.on_callback("guessed", b"")
    assert await router.on_callback(token, b"garbage")
    assert not await router.on_callback(token, b"")
    assert await working == ("png",)
    assert house.first.count("GET") == 2


async def test_a_lost_answer_is_heard_by_callback(house: House) -> None:
    """When the paid POST's answer is lost, the callback tells the task_id and nothing is paid twice."""
    router = house.make(wait="callback", callback_base="https://bot.example/callback")
    house.first.will("POST", resets)
    working = asyncio.create_task(house.develop())
    while "gptge outcome_unknown" not in house.notes.outcomes:
        await asyncio.sleep(0.005)
    token = house.first.received[0].fields["callback_url"].rpartition("/")[2]
    assert await router.on_callback(token, b'{"status":200,"data":{"task_id":"%s","state":1}}' % TASK_ID.encode())
    assert await working == ("png",)
    assert house.posts == (1, 0)
    assert house.notes.steps == ["submitting gptge", f"submitted gptge {TASK_ID}"]


async def test_a_callback_that_overtakes_a_lost_answer(house: House) -> None:
    """One that came while the answer to the paid POST was still waited for counts as well."""
    router = house.make(wait="callback", callback_base="https://bot.example/callback")
    called = asyncio.Event()

    async def loses_it_late(vendor: Vendor, request: web.Request) -> web.StreamResponse:
        await called.wait()
        return await resets(vendor, request)

    house.first.will("POST", loses_it_late)
    working = asyncio.create_task(house.develop())
    while not (house.first.received and house.first.received[0].fields):
        await asyncio.sleep(0.005)
    token = house.first.received[0].fields["callback_url"].rpartition("/")[2]
    assert await router.on_callback(token, b'{"task_id":"%s"}' % TASK_ID.encode())
    called.set()
    assert await working == ("png",)
    assert (house.posts, house.notes.unknown) == ((1, 0), 0)


async def test_a_callback_outlasts_the_process(house: House) -> None:
    """After a crash between upload and task_id the call is awaited before anything is paid for again."""
    how: dict[str, Any] = {"only": 1, "wait": "callback", "callback_base": "https://bot.example/callback"}
    house.make(**how)
    house.first.will("POST", hangs, says(task(0)))
    dying = asyncio.create_task(house.develop())
    while not (house.first.received and house.first.received[0].fields):
        await asyncio.sleep(0.005)
    dying.cancel()
    await asyncio.wait([dying])
    token = house.first.received[0].fields["callback_url"].rpartition("/")[2]
    router = house.make(**how)
    working = asyncio.create_task(house.develop(resume=Resume("gptge", None)))
    await asyncio.sleep(0)
    assert await router.on_callback(token, b'{"task_id":"%s"}' % TASK_ID.encode())
    assert await working == ("png",)
    assert (house.posts, house.notes.unknown) == ((1, 0), 0)
    assert house.notes.steps == ["submitting gptge", f"submitted gptge {TASK_ID}"]


async def test_after_a_crash_a_callback_is_not_awaited_for_ever(house: House) -> None:
    """When none came in time, perhaps because nothing was sent, one more POST follows."""
    house.make(only=1, wait="callback", callback_base="https://bot.example/callback")
    house.first.will("POST", says(task(1, image="RESULT")))
    assert await house.develop(resume=Resume("gptge", None, patience.UNKNOWN_WAIT)) == ("png",)
    assert (house.posts, house.notes.unknown) == ((1, 0), 1)


async def test_a_used_callback_is_no_news_of_another_task(house: House) -> None:
    """What named the first task says nothing about a second one whose answer is lost."""
    router = house.make(only=1, wait="callback", callback_base="https://bot.example/callback")
    house.first.will("POST", says(task(0)), resets, says(task(0)))
    house.first.will("GET", says(task(-2)), DONE)
    working = asyncio.create_task(house.develop())
    while not house.notes.steps[1:]:
        await asyncio.sleep(0.005)
    token = house.first.received[0].fields["callback_url"].rpartition("/")[2]
    assert await router.on_callback(token, b'{"task_id":"%s"}' % TASK_ID.encode())
    assert await working == ("png",)
    assert (house.posts, house.notes.unknown) == ((3, 0), 1)
    assert "callback_url" not in house.first.received[2].fields


@pytest.mark.parametrize("trouble", [says({"status": 429}, 429), says({"status": 500}, 500), says(b"<html>")])
async def test_a_callback_that_cannot_be_verified(house: House, trouble: Behaviour) -> None:
    """When the provider says nothing about the task a call named, the outcome stays unknown and is counted so."""
    router = house.make(wait="callback", callback_base="https://bot.example/callback")
    house.first.will("POST", resets, says(task(0)))
    house.first.will("GET", *[trouble] * 3, DONE)
    working = asyncio.create_task(house.develop())
    while "gptge outcome_unknown" not in house.notes.outcomes:
        await asyncio.sleep(0.005)
    token = house.first.received[0].fields["callback_url"].rpartition("/")[2]
    assert await router.on_callback(token, b'{"task_id":"%s"}' % TASK_ID.encode())
    assert await working == ("png",)
    assert (house.posts, house.notes.unknown) == ((1, 1), 1)


async def test_a_callback_that_lies(house: House) -> None:
    """A call that names a task nobody knows leaves the outcome unknown."""
    router = house.make(only=1, wait="callback", callback_base="https://bot.example/callback")
    house.first.will("POST", resets, says(task(0)))
    house.first.will("GET", says({"status": 404}, 404), DONE)
    working = asyncio.create_task(house.develop())
    while "gptge outcome_unknown" not in house.notes.outcomes:
        await asyncio.sleep(0.005)
    token = house.first.received[0].fields["callback_url"].rpartition("/")[2]
    assert await router.on_callback(token, b'{"task_id":"made-up"}')
    assert await working == ("png",)
    assert house.posts == (2, 0)


async def test_without_callbacks_nobody_is_awaited(house: House) -> None:
    """In the other modes every call is unknown."""
    assert not await house.router.on_callback("x", b"")


def test_bodies_of_callbacks() -> None:
    """Their shape is documented nowhere: a task_id is found where a reply has it or at the top, else nothing."""
    assert wire.read_callback(b'{"status":200,"data":{"task_id":"a"},"task_id":"b"}') == "a"
    assert wire.read_callback(b'{"task_id": 7}') == "7"
    assert wire.read_callback(b'{"status":"ok","data":{"task_id":"a","state":"done"}}') == "a"
    for odd in (b"", b"[]", b"task_id=7", b'{"data":[]}', b"\xff", b"[" * 10_000):
        assert wire.read_callback(odd) is None
