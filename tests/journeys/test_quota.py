"""Credits, as people and admins see them."""

import asyncio

from sandbox.client import Message
from storage import ledger
from tests.journeys.conftest import House, answer
from tests.journeys.pictures import jpeg

PHOTO = jpeg("coffee", longest=120)


async def test_twelve_at_once_on_an_allowance_of_three(closed_house: House) -> None:
    """Of twelve photos sent at once to a chat with three credits exactly three are done, and nine refused in words."""
    async with closed_house.bot(daily_allowance=3):
        ann = await closed_house.person()
        first = await ann.send(text="/id")
        await asyncio.gather(*(ann.send_photo(photo=PHOTO, caption="/enhance 1") for _ in range(12)))
        said = await ann.chat.wait_for_all(
            lambda message: message.by_bot and (message.has_file or "used up" in message.words), count=12, after=first
        )
        assert sum(message.has_file for message in said) == 3
        await closed_house.settled()
    async with closed_house.database() as db, db.read() as conn:
        had = await ledger.quota(conn, ann.chat.id, ledger.Terms(3))
        kinds = [entry.kind for entry in await ledger.entries(conn, ann.chat.id, 20)]
    assert (had.used, had.left) == (3, 0)
    assert (kinds.count("hold"), kinds.count("settle"), kinds.count("release")) == (3, 3, 0)


async def test_the_operators_cap_holds_over_all_chats(closed_house: House) -> None:
    """Past the daily spend cap strangers are told to come back tomorrow, whatever their own allowance."""
    async with closed_house.bot(daily_spend_cap=1):
        ann, ben = await closed_house.person("Ann"), await closed_house.person("Ben")
        done = await ann.send_photo(photo=PHOTO, caption="/enhance 1")
        assert (await answer(ann.chat, done)).has_file
        refused = await ben.send_photo(photo=PHOTO, caption="/enhance 1")
        assert "tomorrow" in (await answer(ben.chat, refused)).words


async def test_admins_steer_quotas(closed_house: House) -> None:
    """An admin sets and grants; everyone else is told it is not theirs, and nothing changes."""
    ann = await closed_house.tg.person("Ann")
    async with closed_house.bot(admin_ids=(ann.id,)):
        ben = await closed_house.person("Ben")
        await ann.chat.wait_for(after=await ann.start())

        async def says(message: Message) -> str:
            return (await answer(ann.chat, message)).words

        assert "0 credits a day" in await says(await ann.send(text=f"/setquota {ben.chat.id} 0"))
        refused = await ben.send_photo(photo=PHOTO, caption="/enhance 1")
        assert "no credits" in (await answer(ben.chat, refused)).words
        assert "2 extra credits" in await says(await ann.send(text=f"/grant {ben.chat.id} 2"))
        done = await ben.send_photo(photo=PHOTO, caption="/enhance 1")
        assert (await answer(ben.chat, done)).has_file
        assert "unlimited" in await says(await ann.send(text="/setquota here unlimited"))
        assert "as many photos" in await says(await ann.send(text="/quota"))
        for forbidden in ("/setquota here unlimited", "/grant here 100"):
            told = (await answer(ben.chat, await ben.send(text=forbidden))).words
            assert "people who run this bot" in told


async def test_only_allowed_chats_are_served(closed_house: House) -> None:
    """With DARKROOM_ALLOWED_CHATS a stranger is told so and costs nothing."""
    ann, ben = await closed_house.tg.person("Ann"), await closed_house.tg.person("Ben")
    async with closed_house.bot(allowed_chats=frozenset({ann.id})):
        await ann.start()
        await ben.start()
        done = await ann.send_photo(photo=PHOTO, caption="/enhance 1")
        assert (await answer(ann.chat, done, result=True)).has_file
        refused = await ben.send_photo(photo=PHOTO, caption="/enhance 1")
        reply = await answer(ben.chat, refused)
        assert not reply.has_file
        assert str(ben.chat.id) in reply.words
