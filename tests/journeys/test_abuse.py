"""People who ask for too much, too fast, or who may not ask at all; and prices that depend on the result."""

import asyncio

from sandbox.client import Message, Person
from storage import ledger
from tests.journeys.conftest import HELD, House, answer
from tests.journeys.pictures import jpeg


def photo(number: int) -> bytes:
    """Give a picture that none was before, as the same one again would be free."""
    return jpeg("coffee", longest=100 + number)


async def cut(person: Person, number: int) -> Message:
    """Have something cut out and give the reply."""
    sent = await person.send_photo(photo=photo(number), caption="/cutout")
    return await person.chat.wait_for(lambda m: m.by_bot and m.replies_to == sent.id, after=sent)


async def test_a_burst_and_then_a_wait(closed_house: House) -> None:
    """Past the burst a person is told how long to wait, also after a restart; others are not held up."""
    settings = {"person_rate": (2, 3600.0), "daily_allowance": None}
    async with closed_house.bot(**settings):
        ann, ben = await closed_house.person("Ann"), await closed_house.person("Ben")
        replies = [await cut(ann, number) for number in range(3)]
        assert [reply.has_file for reply in replies] == [True, True, False]
        assert "30 minutes" in replies[2].words
        assert (await cut(ben, 3)).has_file
    async with closed_house.bot(**settings):
        assert "Please wait" in (await cut(ann, 4)).words
        assert await closed_house.books_balance()


async def test_too_many_waiting(closed_house: House) -> None:
    """A chat with as many photos waiting as it may have is told so, and the other is done."""
    async with closed_house.bot(chat_waiting=1, chat_concurrency=1):
        ann = await closed_house.person()
        first = await ann.send(text="/id")
        await closed_house.tg.fault("delay", "getFile", delay=HELD)
        await asyncio.gather(*(ann.send_photo(photo=photo(n), caption="/cutout") for n in range(4)))
        await ann.chat.wait_for_all(lambda m: m.by_bot and "can wait at a time" in m.words, count=3, after=first)
        await closed_house.tg.no_faults()
        assert await ann.chat.wait_for(lambda m: m.by_bot and m.has_file, after=first)
        assert await closed_house.books_balance()


async def test_blocked_people_and_groups(closed_house: House) -> None:
    """Who is blocked hears one sentence and costs nothing, everywhere and after a restart; a group likewise."""
    ada = await closed_house.tg.person("Ada")
    settings = {"admin_ids": (ada.id,)}
    async with closed_house.bot(**settings):
        ben, cleo = await closed_house.person("Ben"), await closed_house.person("Cleo")
        group = await closed_house.tg.group("Noisy", [cleo, ben])
        offered = await answer(ben.chat, await ben.send_photo(photo=photo(0)))
        for who in (ben.id, group.id):
            assert str(who) in (await answer(ada.chat, await ada.send(text=f"/block {who}"))).words
        assert "an admin of this bot" in (await answer(ada.chat, await ada.send(text=f"/block {ada.id}"))).words
    async with closed_house.bot(**settings):
        assert "do not work here" in (await cut(ben, 1)).words
        await ben.press(offered, offered.buttons[0])
        await ben.chat.wait_for_event("answer")
        asked = await cleo.send_photo(group, photo=photo(2), caption="/cutout@darkroom_bot")
        goodbye = await group.wait_for(after=asked)
        assert "not to work in this group" in goodbye.words
        assert (await cut(cleo, 3)).has_file
        assert str(ben.id) in (await answer(ada.chat, await ada.send(text="/chats blocked"))).words
        await answer(ada.chat, await ada.send(text=f"/unblock {ben.id}"))
        assert (await cut(ben, 4)).has_file
        async with closed_house.database() as db, db.read() as conn:
            kinds = [entry.kind for entry in await ledger.entries(conn, ben.id, 9)]
        assert kinds.count("hold") == 1
        assert await closed_house.books_balance()


async def test_the_price_is_that_of_the_result(closed_house: House) -> None:
    """The most that an operation may cost is held, what the result costs is charged; few left are mentioned gently."""
    async with closed_house.bot(cost_enhance=2, cost_enhance_large=3, cost_cutout=0, daily_allowance=5):
        ann = await closed_house.person()
        assert "Enhance: 2 to 3 credits" in (await answer(ann.chat, await ann.send(text="/quota"))).words
        sent = await ann.send_photo(photo=photo(0), caption="/enhance 1")
        done = await closed_house.result(ann.chat, sent)
        assert "Credits left: 2" in done.words
        said = (await answer(ann.chat, await ann.send(text="/quota"))).words
        assert "3 credits left" in said
        assert "set aside for a photo: 3" in said
        assert "spent: 2" in said
        assert (await cut(ann, 1)).has_file
        sent = await ann.send_photo(photo=photo(2), caption="/enhance 1")
        await answer(ann.chat, sent, result=True)
        sent = await ann.send_photo(photo=photo(3), caption="/enhance 1")
        assert "This costs 3" in (await answer(ann.chat, sent)).words
        assert await closed_house.books_balance()
