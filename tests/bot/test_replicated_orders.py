"""What admins order in one process is so in all of them, at once."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from bot import intake as intake_module
from storage import people, processes
from tests.bot.replicas import Replica, replicas
from tests.handlers.conftest import WORDS
from tests.handlers.telegram_wire import ADMIN, ANNA, GROUP, PHOTO, PRIVATE, message

ADMINS_CHAT = {"id": 1, "type": "private", "first_name": "Ada"}
WORKERS = (
    """{"gptge": ["closed", 1.0], "picwish": ["closed", null]}""",
    """{"gptge": ["open", 2.0], "picwish": ["closed", null]}""",
)


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "DONE_SECONDS", 0.001)


async def say(replica: Replica, text: str, **more: Any) -> list[str]:
    return await replica.say(message(PRIVATE, ANNA, text, **more))


async def order(replica: Replica, text: str) -> list[str]:
    return await replica.say(message(ADMINS_CHAT, ADMIN, text))


async def press(replica: Replica, data: str) -> None:
    """Press a button of /providers as the admin."""
    under = {"message_id": 5, "date": 1, "chat": ADMINS_CHAT, "text": "providers"}
    await replica.receive(
        callback_query={"id": data, "from": ADMIN, "chat_instance": "1", "data": data, "message": under}
    )
    await replica.until_handled()


async def test_who_is_blocked_is_so_everywhere(server_url: str) -> None:
    """A person blocked in one process is turned away by the next update to another, and let in again."""
    refused = [WORDS.say("en", "refused_blocked")]
    async with replicas(server_url, 2) as (one, other):
        assert await say(other, "/privacy") != refused
        await order(one, "/block 7")
        assert await say(other, "/privacy") == refused
        assert await other.say(message(GROUP, ANNA, "/enhance", **PHOTO)) == refused
        assert "7" in (await say(other, "/id"))[0]
        assert WORDS.say("en", "chat_blocked") in (await order(other, "/chat 7"))[0]
        await order(other, "/unblock 7")
        assert await say(one, "/privacy") != refused


async def test_a_group_ended_from_elsewhere_is_left(server_url: str) -> None:
    """A blocked group hears goodbye from whoever hears of it next."""
    async with replicas(server_url, 2) as (one, other):
        await order(one, "/block -100")
        await other.say(message(GROUP, ANNA, "/id"))
        assert other.wire.calls[-1] == ("leaveChat", {"chat_id": -100})


class Router:
    """The providers of a process that talks to them."""

    def __init__(self) -> None:
        self.paused: set[str] = set()

    def states(self) -> Mapping[str, str]:
        """Give each one's state."""
        return {"gptge": "paused" if "gptge" in self.paused else "closed"}

    def pause(self, name: str) -> None:
        """Give it no new tasks."""
        self.paused.add(name)

    def resume(self, name: str) -> None:
        """Give it tasks again."""
        self.paused.discard(name)


async def test_providers_as_the_workers_know_them(server_url: str) -> None:
    """A process that never talks to providers shows the worst that any worker knows of each, and pauses them all."""
    async with replicas(server_url, 1) as (web,):
        for states in WORKERS:
            async with web.db.begin() as conn:
                await processes.beat(conn, await processes.join(conn, "worker"), states)
        (shown,) = await order(web, "/providers")
        gptge, picwish = shown.splitlines()[1:]
        assert all(word in gptge for word in ("gptge", "fails", "1.5 s"))
        assert all(word in picwish for word in ("picwish", "works", "-"))
        await press(web, "a:pause:gptge")
        assert await web.db.look(people.all_paused) == {"gptge"}
        (shown,) = await order(web, "/providers")
        assert "paused" in shown.splitlines()[1]
        await press(web, "a:resume:gptge")
        await press(web, "a:pause:nobody")
        assert await web.db.look(people.all_paused) == set()


async def test_paused_here_at_once(server_url: str) -> None:
    """A process with providers of its own shows what it knows while nobody else says more, and obeys at once."""
    router = Router()
    async with replicas(server_url, 1) as (one,):
        hall = one.app.bot_data
        hall.house = replace(hall.house, providers=router)
        assert "works" in (await order(one, "/providers"))[0]
        await press(one, "a:pause:gptge")
        assert router.paused == {"gptge"}
        await press(one, "a:resume:gptge")
        assert router.paused == set()
