"""Albums: several pictures are one wish, and come back as one."""

import io

import pytest
from PIL import Image

from sandbox.client import Chat, Message
from storage import ledger
from tests.journeys.conftest import House, answer
from tests.journeys.pictures import jpeg

pytestmark = pytest.mark.usefixtures("brisk")
SIZES = (64, 80, 96)
PICTURES = [jpeg("coffee", longest=side) for side in SIZES]


async def results(chat: Chat, count: int, asked: Message) -> list[Message]:
    """Give the bot's pictures after `asked` as soon as there are so many, in the order they stand in the chat."""
    return await chat.wait_for_all(lambda message: message.by_bot and message.has_file, count=count, after=asked)


async def sides(house: House, sent: list[Message]) -> list[int]:
    return [max(Image.open(io.BytesIO(await house.tg.download(one))).size) for one in sent]


async def used(house: House, chat: Chat) -> int:
    async with house.database() as db, db.read() as conn:
        return (await ledger.quota(conn, chat.id, ledger.Terms(10))).used


async def test_an_album_comes_back_as_an_album(house: House) -> None:
    """Ann sends three photos with one command: one glance, three credits, and three files in her order, together."""
    ann = await house.person()
    asked = await ann.send_album(pictures=PICTURES, caption="/enhance 1")
    sent = await results(ann.chat, 3, asked[-1])
    assert await sides(house, sent) == list(SIZES)
    assert len({one["media_group_id"] for one in sent}) == 1
    assert [one.replies_to for one in sent] == [asked[0].id] * 3
    assert [bool(one.words) for one in sent] == [True, False, False]
    await ann.chat.wait_for_event("reaction")
    events = await ann.chat.events()
    assert [event["message_id"] for event in events if event["what"] == "reaction"] == [asked[0].id]
    assert await used(house, ann.chat) == 3


async def test_photos_come_with_photos(house: House) -> None:
    """A colorized album comes back as photos, which can be looked at."""
    ann = await house.person()
    asked = await ann.send_album(
        pictures=[jpeg("hopper", grey=True, longest=side) for side in SIZES[:2]], caption="/colorize"
    )
    sent = await results(ann.chat, 2, asked[-1])
    assert all("photo" in one and one["media_group_id"] for one in sent)


async def test_an_album_without_words_gets_one_menu(house: House) -> None:
    """An album alone gets one menu, whose button means all of it."""
    ann = await house.person()
    asked = await ann.send_album(pictures=PICTURES)
    menu = await answer(ann.chat, asked[0])
    await ann.press(menu, next(words for words in menu.buttons if words.startswith("Enhance")))
    assert len(await results(ann.chat, 3, asked[-1])) == 3
    gone = await ann.chat.wait_for_event("deleted")
    assert gone["message_id"] == menu.id
    assert not [message for message in await ann.chat.messages() if message.buttons and not message.has_file]


async def test_the_command_first(house: House) -> None:
    """A command alone waits for its photo; an album is taken whole."""
    ann = await house.person()
    await answer(ann.chat, await ann.send(text="/enhance 1"))
    asked = await ann.send_album(pictures=PICTURES)
    assert await sides(house, await results(ann.chat, 3, asked[-1])) == list(SIZES)
    await house.settled()
    assert "nothing to cancel" in (await answer(ann.chat, await ann.send(text="/cancel"))).words


async def test_a_reply_to_any_picture_means_all(closed_house: House) -> None:
    """In a group where the bot sees everything, Ben's album is done when Ann answers one of it, restart or not."""
    await closed_house.tg.add_bot(closed_house.tg.token, "darkroom_bot", privacy=False)
    async with closed_house.bot():
        ann, ben = await closed_house.person("Ann"), await closed_house.person("Ben")
        group = await closed_house.tg.group("Family", [ann, ben])
        album = await ben.send_album(group, pictures=PICTURES)
        await answer(group, await ann.send(group, text="/id@darkroom_bot"))
    async with closed_house.bot():
        asked = await ann.send(group, text="/enhance 1", reply_to=album[1])
        sent = await results(group, 3, asked)
        assert await sides(closed_house, sent) == list(SIZES)
        assert {one.replies_to for one in sent} == {asked.id}


async def test_what_fails_is_named(house: House) -> None:
    """Of three files one is no picture: two come back together, and the third is named."""
    ann = await house.person()
    pictures = [PICTURES[0], b"These are no pixels. " * 50, PICTURES[2]]
    asked = await ann.send_album(pictures=pictures, files=True, caption="/enhance 1")
    told = await ann.chat.wait_for(lambda message: message.by_bot and "Picture 2" in message.words)
    assert told.replies_to == asked[1].id
    sent = await results(ann.chat, 2, asked[-1])
    assert await sides(house, sent) == [SIZES[0], SIZES[2]]
    assert len({one["media_group_id"] for one in sent}) == 1
    assert await used(house, ann.chat) == 2


async def test_credits_for_some_of_them(closed_house: House) -> None:
    """Two credits and three pictures: nothing is done before Ann says that two will do."""
    async with closed_house.bot(daily_allowance=2):
        ann = await closed_house.person()
        asked = await ann.send_album(pictures=PICTURES, caption="/enhance 1")
        told = await answer(ann.chat, asked[0])
        assert "2 of the 3" in told.words
        await ann.press(told, told.buttons[0])
        sent = await results(ann.chat, 2, asked[-1])
        assert await sides(closed_house, sent) == list(SIZES[:2])
        assert await used(closed_house, ann.chat) == 2


async def test_privacy_mode_hides_the_rest(house: House) -> None:
    """In a group the bot sees the captioned picture only: it does that and says once what to do with the rest."""
    ann = await house.person()
    group = await house.tg.group("Family", [ann])
    asked = await ann.send_album(group, pictures=PICTURES, caption="/enhance@darkroom_bot 1")
    told = await group.wait_for(lambda message: message.by_bot and "privately" in message.words)
    assert told.replies_to == asked[0].id
    await ann.send(group, text="/enhance@darkroom_bot 1", reply_to=asked[2])
    assert sorted(await sides(house, await results(group, 2, asked[-1]))) == [SIZES[0], SIZES[2]]
    assert sum("privately" in message.words for message in await group.messages()) == 1


async def test_a_late_picture_is_not_lost(house: House) -> None:
    """A picture that comes after its album was taken on is done too, by itself."""
    ann = await house.person()
    album = await ann.send_album(pictures=PICTURES[:2], caption="/enhance 1")
    assert len(await results(ann.chat, 2, album[-1])) == 2
    late = await ann.send_photo(photo=PICTURES[2], extra={"media_group_id": album[0]["media_group_id"]})
    assert (await answer(ann.chat, late, result=True)).has_file
    assert await used(house, ann.chat) == 3


async def test_an_album_survives_the_end_of_the_bot(closed_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bot that ends while an album is still coming in takes it up at its next start."""
    monkeypatch.setattr("handlers.albums.QUIET_SECONDS", 30.0)
    async with closed_house.bot():
        ann = await closed_house.person()
        asked = await ann.send_album(pictures=PICTURES, caption="/enhance 1")
        await answer(ann.chat, await ann.send(text="/id"))
    monkeypatch.setattr("handlers.albums.QUIET_SECONDS", 0.2)
    async with closed_house.bot():
        sent = await results(ann.chat, 3, asked[-1])
        assert {one.replies_to for one in sent} == {asked[0].id}
