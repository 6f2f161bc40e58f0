"""Numbers larger than a column: every order ends in words, on each database."""

import pytest

from handlers.guards import MOST
from storage import chats, ledger
from storage.ledger import MOST_GRANTED, Terms
from tests.bot.replicas import replicas
from tests.databases import path, template, url
from tests.handlers.conftest import WORDS
from tests.handlers.telegram_wire import ADMIN, message

__all__ = ["path", "template", "url"]
ADMINS_CHAT = {"id": 1, "type": "private", "first_name": "Ada"}
LARGEST = 2**63 - 1


async def test_as_many_as_a_chat_may_have(url: str) -> None:
    """One more than the most is refused with the number there is, and two full chats may still become one."""
    async with replicas(url, 1) as (bot,):

        async def order(text: str) -> str:
            return (await bot.say(message(ADMINS_CHAT, ADMIN, text)))[-1]

        async with bot.db.begin() as conn:
            for chat in (-5, -100):
                await ledger.grant(conn, chat, MOST_GRANTED - MOST, Terms(10), by=1, source=f"start of {chat}")
        for who in ("-5", "-100"):
            assert await order(f"/grant {who} {MOST}") == WORDS.say("en", "grant_done", chat=who, n=MOST_GRANTED)
        high = WORDS.say("en", "grant_too_high", chat="-5", n=MOST_GRANTED, most=MOST_GRANTED)
        assert await order("/grant -5 1") == high
        assert await order(f"/grant -5 {MOST + 1}") == WORDS.say("en", "grant_usage", most=MOST)
        await bot.db.transact(lambda conn: chats.migrate(conn, -5, -100))
        left = WORDS.say("en", "grant_done", chat="-100", n=2 * MOST_GRANTED - MOST)
        assert await order(f"/grant -100 -{MOST}") == left
        assert WORDS.say("en", "setquota_usage", most=MOST) == await order(f"/setquota -100 {MOST + 1}")


@pytest.mark.parametrize("command", ["setquota", "grant", "block", "unblock", "chat"])
async def test_the_largest_id(url: str, command: str) -> None:
    """An id that no column can hold is a chat nobody has met; the largest one that it can hold is taken."""
    async with replicas(url, 1) as (bot,):
        for who in (LARGEST, -LARGEST):
            (answer,) = await bot.say(message(ADMINS_CHAT, ADMIN, f"/{command} {who} 5"))
            assert str(who) in answer
            assert "not met" not in answer
        for who in (LARGEST + 1, 10**19 - 1, -LARGEST - 1):
            (answer,) = await bot.say(message(ADMINS_CHAT, ADMIN, f"/{command} {who} 5"))
            assert answer == WORDS.say("en", "chat_unknown", chat=str(who))
