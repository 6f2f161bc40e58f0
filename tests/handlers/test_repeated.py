"""A session that the server ends: all is done again, even if only COMMIT's answer was lost, and nobody hears of it."""

import asyncio
from collections.abc import AsyncIterator

import psycopg
import pytest
import sqlalchemy as sa

from storage import chats, ledger
from storage.connection import T, Work
from storage.ledger import Terms
from storage.postgres import Postgres
from storage.tables import actions
from tests.bot.replicas import SOON, Replica, replicas
from tests.handlers.conftest import WORDS
from tests.handlers.telegram_wire import ADMIN, ANNA, GROUP, PHOTO, PRIVATE, message, receive

ADMINS_CHAT = {"id": 1, "type": "private", "first_name": "Ada"}
TERMS = Terms(100)


@pytest.fixture
async def bot(server_url: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Replica]:
    """Give a bot each of whose transactions is done twice."""
    once = Postgres._once

    async def twice(self: Postgres, work: Work[T]) -> T:
        await once(self, work)
        return await once(self, work)

    async with replicas(server_url, 1) as (replica,):
        monkeypatch.setattr(Postgres, "_once", twice)
        yield replica
        monkeypatch.undo()


async def say(bot: Replica, chat: dict[str, object], person: dict[str, object], text: str, **more: object) -> str:
    """Have the bot receive a message, and give the last thing it said."""
    await receive(bot.app, message=message(chat, person, text, **more))
    return bot.wire.texts()[-1]


async def test_orders(bot: Replica) -> None:
    """Credits are given and taken once, and every order stands in the log once."""
    assert await say(bot, ADMINS_CHAT, ADMIN, "/grant 7 5") == WORDS.say("en", "grant_done", chat="7", n=5)
    assert await say(bot, ADMINS_CHAT, ADMIN, "/grant 7 -5") == WORDS.say("en", "grant_done", chat="7", n=0)
    assert "only 0" in await say(bot, ADMINS_CHAT, ADMIN, "/grant 7 -1")
    assert "10" in await say(bot, ADMINS_CHAT, ADMIN, "/setquota 7 10 week member 3")
    assert await say(bot, ADMINS_CHAT, ADMIN, "/block 8") == WORDS.say("en", "blocked", chat="8")
    assert await say(bot, ADMINS_CHAT, ADMIN, "/unblock 8") == WORDS.say("en", "unblocked", chat="8")
    assert await say(bot, PRIVATE, ANNA, "/membercap 5") == WORDS.say("en", "member_cap_is", n=5)
    async with bot.db.read() as conn:
        noted = [row["what"] for row in await conn.all(sa.select(actions.c.what).order_by(actions.c.id))]
    assert noted == ["/grant 7 5", "/grant 7 -5", "/setquota 7 10 week member 3", "/block 8", "/unblock 8"]


async def test_a_payment_and_its_refund(bot: Replica) -> None:
    """What was paid is credited once, and a refund tells of the credits it took, not of none."""
    payment = {
        "currency": "XTR",
        "total_amount": 25,
        "invoice_payload": "1:7:20:25",
        "telegram_payment_charge_id": "c1",
        "provider_payment_charge_id": "p1",
    }
    await receive(bot.app, message=message(PRIVATE, ANNA, successful_payment=payment))
    assert bot.wire.texts()[-1] == WORDS.say("en", "paid", n=20, stars=25, charge="c1")
    async with bot.db.read() as conn:
        assert (await ledger.quota(conn, 7, TERMS)).bought == 20
    done = WORDS.say("en", "refund_done", stars=25, n=20, chat="7")
    assert await say(bot, ADMINS_CHAT, ADMIN, "/refund c1") == done
    assert await say(bot, ADMINS_CHAT, ADMIN, "/refund c1") == WORDS.say(
        "en", "refund_before", stars=25, n=20, chat="7"
    )
    await receive(bot.app, message=message(PRIVATE, ANNA, refunded_payment=payment))
    async with bot.db.read() as conn:
        assert (await ledger.quota(conn, 7, TERMS)).bought == 0


async def test_given_up(bot: Replica) -> None:
    """Whoever gives up what they were asked for hears that it is given up, not that there was nothing."""
    assert await say(bot, PRIVATE, ANNA, "/enhance") == WORDS.say("en", "ask_enhance")
    assert await say(bot, PRIVATE, ANNA, "/cancel") == WORDS.say("en", "cancelled")
    assert await say(bot, PRIVATE, ANNA, "/cancel") == WORDS.say("en", "nothing_to_cancel", n=0)
    await say(bot, PRIVATE, ANNA, "/enhance")
    await receive(bot.app, message=message(PRIVATE, ANNA, **PHOTO))
    async with bot.db.read() as conn:
        assert await chats.expected(conn, 7, 7) is None
    assert len(await bot.jobs()) == 1


async def test_a_group_that_moves(bot: Replica) -> None:
    """Its credits come along once, though both chats tell of the move at once."""
    await say(bot, ADMINS_CHAT, ADMIN, "/grant -5 9")
    old = message(GROUP | {"id": -5, "type": "group"}, ANNA, migrate_to_chat_id=-100)
    new = message(GROUP, ANNA, migrate_from_chat_id=-5)
    await asyncio.gather(*(receive(bot.app, message=one) for one in (old, new)))
    async with bot.db.read() as conn:
        assert (await ledger.quota(conn, -100, TERMS)).granted == 9
        assert (await ledger.quota(conn, -5, TERMS)).granted == 0


CUT = sa.text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'relation'")


async def test_cut_off_while_a_photo_is_looked_at(server_url: str) -> None:
    """A photo gets its menu although the server ends the session on which we look up whether we asked for it."""
    async with replicas(server_url, 1) as (bot,), await psycopg.AsyncConnection.connect(server_url) as other:
        await other.execute("LOCK expectations")
        await bot.take(message(PRIVATE, ANNA, **PHOTO))
        async with asyncio.timeout(SOON):
            while not await bot.db.look(lambda conn: conn.all(CUT)):
                await asyncio.sleep(0.01)
        await other.rollback()
        await bot.until_handled()
        (menu,) = bot.wire.sent()
        assert "reply_markup" in menu
