"""Credits for Stars: bought, had once whatever repeats or dies, given back, and checked against Telegram's list."""

import os
import signal
import sqlite3
from pathlib import Path

import pytest

from bot import books
from bot.books import find_differences, reconcile
from bot.outside import make_bot
from handlers.words import Words
from sandbox.client import Chat, ControlError, Message, Person
from storage import ledger
from storage.opening import open_database
from tests.journeys.conftest import HELD, House, answer, make_settings
from tests.journeys.stage import KEY, process, stage

WORDS = Words()
PACKS = ((20, 25), (100, 100))
SMALL = WORDS.say("en", "buy_pack", n=20, stars=25)
LARGE = WORDS.say("en", "buy_pack", n=100, stars=100)


async def invoice(person: Person, chat: Chat, pack: str) -> Message:
    """Ask to buy, press a pack, and give the invoice."""
    asked = await person.send(chat, text="/buy@darkroom_bot")
    offer = await answer(chat, asked)
    await person.press(offer, pack, chat)
    return await chat.wait_for(lambda message: "invoice" in message, after=asked)


async def agrees(house: House) -> bool:
    """Reconcile with Telegram, as `darkroom reconcile` does; shows what differs."""
    async with make_bot(house.settings) as client:
        assert await reconcile(house.settings, client) == []
    return True


async def bought(house: House, chat: Chat) -> int:
    """Look up a chat's bought credits."""
    async with house.database() as db, db.read() as conn:
        return (await ledger.quota(conn, chat.id, ledger.Terms(0))).bought


async def test_bought_twice_told_once_credited(closed_house: House) -> None:
    """A pack is paid; though Telegram tells of it twice it is credited once, with one receipt."""
    async with closed_house.bot(packs=PACKS, daily_allowance=0):
        ann = await closed_house.person()
        assert "/buy" in await words(ann, "/help")
        bill = await invoice(ann, ann.chat, SMALL)
        assert (bill["invoice"]["currency"], bill["invoice"]["total_amount"]) == ("XTR", 25)
        charge = (await ann.pay(bill, twice=True))["telegram_payment_charge_id"]
        await ann.chat.wait_for(lambda message: charge in message.words)
        seen = await words(ann, "/quota")
        assert "20 credits left" in seen
        assert "bought: 20" in seen
        assert sum(charge in message.words for message in await ann.chat.messages()) == 1
        assert await bought(closed_house, ann.chat) == 20
        assert await closed_house.books_balance()
        assert await agrees(closed_house)


async def words(person: Person, text: str) -> str:
    """Write something and give the words of the reply."""
    return (await answer(person.chat, await person.send(text=text))).words


async def test_bought_for_a_group(closed_house: House) -> None:
    """In a group one asks, another pays, and all have the credits; the one who paid has none of their own."""
    async with closed_house.bot(packs=PACKS):
        ann, ben = await closed_house.person("Ann"), await closed_house.person("Ben")
        group = await closed_house.tg.group("Family", [ann, ben])
        await ben.pay(await invoice(ann, group, LARGE), group)
        await group.wait_for(lambda message: "Receipt" in message.words)
        assert (await bought(closed_house, group), await bought(closed_house, ann.chat)) == (100, 0)
        assert await closed_house.books_balance()
        assert await agrees(closed_house)


async def test_what_the_checkout_refuses(closed_house: House) -> None:
    """A pack that is gone or has a new price, and a blocked payer, are told no before any Star moves."""
    ada = await closed_house.tg.person("Ada")
    async with closed_house.bot(packs=PACKS):
        ann, ben = await closed_house.person("Ann"), await closed_house.person("Ben")
        old = await invoice(ann, ann.chat, SMALL)
        dear = await invoice(ann, ann.chat, LARGE)
        offer = await answer(ben.chat, await ben.send(text="/buy"))
        blocked = await invoice(ben, ben.chat, SMALL)
    async with closed_house.bot(packs=((100, 120), (20, 25), (7, 7)), admin_ids=(ada.id,)):
        await answer(ada.chat, await ada.send(text=f"/block {ben.id}"))
        with pytest.raises(ControlError, match="offer is gone"):
            await ann.pay(dear)
        with pytest.raises(ControlError, match="do not work here"):
            await ben.pay(blocked)
        await answer(ada.chat, await ada.send(text=f"/unblock {ben.id}"))
        before = len(await ben.chat.events())
        await ben.press(offer, LARGE)
        assert "offer is gone" in (await ben.chat.wait_for_event("answer", after=before))["text"]
        await ann.pay(old)  # answered within Telegram's 10 seconds
        await ann.chat.wait_for(lambda message: "Receipt" in message.words)
        assert await closed_house.books_balance()
        assert await agrees(closed_house)


async def test_given_back(closed_house: House) -> None:
    """A refund returns the Stars and takes the bought credits that are left, never granted ones; once."""
    ada = await closed_house.tg.person("Ada")
    async with closed_house.bot(packs=PACKS, admin_ids=(ada.id,), cost_enhance=3, daily_allowance=0):
        ann = await closed_house.person()
        charge = (await ann.pay(await invoice(ann, ann.chat, SMALL)))["telegram_payment_charge_id"]
        await ann.chat.wait_for(lambda message: charge in message.words)
        assert "27 extra credits" in await words(ada, f"/grant {ann.id} 7")
        async with closed_house.database() as db, db.begin() as conn:  # 12 credits are out when the refund comes
            assert await ledger.hold(conn, ann.id, 1, 12, ledger.Terms(0)) is None
        assert charge in await words(ada, "/payments")
        assert "no payment" in await words(ada, "/refund stx0")
        assert "charge ids" in await words(ada, "/refund")
        done = await words(ada, f"/refund {charge}")
        assert "25 Stars were given back; 15 credits" in done
        assert "given back before" in await words(ada, f"/refund {charge}")
        assert "given back" in await words(ada, "/payments")
        async with closed_house.database() as db, db.begin() as conn:
            await ledger.release(conn, 1)
            quota = await ledger.quota(conn, ann.id, ledger.Terms(0))
            assert (quota.granted, quota.bought) == (7, 5)
        assert await closed_house.books_balance()
        assert await agrees(closed_house)


async def test_given_back_behind_our_back(closed_house: House) -> None:
    """Stars returned by somebody else's hand are told by Telegram, and the credits go with them."""
    async with closed_house.bot(packs=PACKS):
        ann = await closed_house.person()
        charge = (await ann.pay(await invoice(ann, ann.chat, SMALL)))["telegram_payment_charge_id"]
        await ann.chat.wait_for(lambda message: charge in message.words)
    async with make_bot(closed_house.settings) as client:
        await client.refund_star_payment(ann.id, charge)
        assert await reconcile(closed_house.settings, client) == [
            f"{charge}: given back, and the credits were not taken"
        ]
    async with closed_house.bot(packs=PACKS):
        assert "10 credits left" in await words(ann, "/quota")
        assert await closed_house.books_balance()
        assert await agrees(closed_house)


async def test_reconcile_finds_what_is_missing(closed_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A payment that never reached the books is found, beyond the first page of Telegram's list."""
    monkeypatch.setattr(books, "PAGE", 2)
    async with closed_house.bot(packs=PACKS):
        ann = await closed_house.person()
        bill = await invoice(ann, ann.chat, SMALL)
        charges = [(await ann.pay(bill))["telegram_payment_charge_id"] for _ in range(5)]
        await ann.chat.wait_for(lambda message: charges[-1] in message.words)
    path = closed_house.path
    with sqlite3.connect(path) as connection:
        connection.execute("DELETE FROM payments WHERE charge_id = ?", (charges[-1],))
        connection.execute("UPDATE payments SET stars = 24 WHERE charge_id = ?", (charges[0],))
    async with make_bot(closed_house.settings) as client:
        found = await reconcile(closed_house.settings, client)
    assert sorted(found) == sorted(
        [
            f"{charges[-1]}: 25 Stars were paid, and not credited",
            f"{charges[0]}: Telegram says 25 Stars, the books say 24",
        ]
    )
    assert any("payment of a purchase" in line for line in await find_differences(closed_house.settings))


async def test_killed_between_payment_and_receipt(tmp_path: Path) -> None:
    """A bot killed while it writes the receipt has credited once, and the next one gives the receipt."""
    async with stage(tmp_path, packs="20:25", daily_allowance="0") as house:
        ann = await house.tg.person("Ann")
        await ann.chat.wait_for(after=await ann.start())
        bill = await invoice(ann, ann.chat, SMALL)
        await house.tg.fault("reset", "sendMessage", delay=HELD)
        charge = (await ann.pay(bill, twice=True))["telegram_payment_charge_id"]
        await house.tg.calls("sendMessage", least=2, begun=True)  # the offer, and the receipt that hangs
        house.bot.send_signal(signal.SIGKILL)
        await house.bot.wait()
        await house.tg.no_faults()
        settings = make_settings(
            bot_api_url=house.tg.url, gptge_token=KEY, database_url=f"sqlite:///{tmp_path / 'darkroom.db'}"
        )
        async with process("bot", "run", env={**os.environ, **house.bot_env}, log=tmp_path / "bot.log"):
            await ann.chat.wait_for(lambda message: charge in message.words)
            assert "20 credits left" in await words(ann, "/quota")
            assert sum(charge in message.words for message in await ann.chat.messages()) == 1
            assert await find_differences(settings) == []
        db = await open_database(settings.database_url.get_secret_value(), own=False)
        async with db.read() as conn:
            assert [entry.kind for entry in await ledger.entries(conn, ann.id, 9)] == ["purchase"]
        await db.close()
