"""Buttons: from a photo to its result, and from each result to what comes next."""

import io

import pytest
import sqlalchemy as sa
from PIL import Image

from sandbox.client import Chat, Message, Person
from storage.tables import jobs
from tests.journeys.conftest import House, answer
from tests.journeys.pictures import jpeg

OLD = jpeg("hopper", grey=True, longest=240)
PORTRAIT = jpeg("astronaut", longest=300)


async def menu_of(person: Person, photo: Message) -> Message:
    """Give the buttons under a photo."""
    return await person.chat.wait_for(lambda one: one.by_bot and one.replies_to == photo.id and bool(one.buttons))


async def press(person: Person, message: Message, words: str, chat: Chat | None = None) -> Message:
    """Press the button that says `words` (or begins so) and give the message as it then is."""
    button = next(one for one in message.buttons if one.startswith(words))
    events = len(await (chat or person.chat).events())
    await person.press(message, button, chat)
    await (chat or person.chat).wait_for_event("answer", after=events)
    return next((one for one in await (chat or person.chat).messages() if one.id == message.id), message)


async def picture(house: House, message: Message) -> Image.Image:
    """Give a result as a picture."""
    return Image.open(io.BytesIO(await house.tg.download(message)))


async def test_colour_then_size_then_cut_out(house: House) -> None:
    """An old photo is coloured, its result enlarged, and that result cut out, by a button under each."""
    ann = await house.person()
    photo = await ann.send_photo(photo=OLD)
    await press(ann, await menu_of(ann, photo), "Colorize")
    coloured = await answer(ann.chat, photo, result=True)
    await press(ann, coloured, "Enhance")
    larger = await answer(ann.chat, coloured, result=True)
    assert (await picture(house, larger)).height == 4 * 240
    opened = await press(ann, larger, "Cut out")
    opened = await press(ann, opened, "Person")
    await press(ann, opened, "White")
    cut = await answer(ann.chat, larger, result=True)
    assert (await picture(house, cut)).convert("RGB").getpixel((0, 0)) == (255, 255, 255)
    assert not [one for one in await ann.chat.messages() if one.words.startswith("What shall I do")]


@pytest.mark.parametrize(
    ("longest", "offered", "why"),
    [(300, ["Enhance 4×", "Enhance 2×"], ""), (700, ["Enhance 2×"], "up to 512"), (1100, ["Enhance"], "large already")],
)
async def test_only_what_the_photo_allows(house: House, longest: int, offered: list[str], why: str) -> None:
    """The menu offers the factors that this photo allows, and says why not more."""
    ann = await house.person()
    size = (longest, longest // 2)
    buffer = io.BytesIO()
    Image.new("RGB", size, "grey").save(buffer, "JPEG")
    menu = await menu_of(ann, await ann.send_photo(photo=buffer.getvalue()))
    assert [words for words in menu.buttons if words.startswith("Enhance")] == offered
    assert why in menu.words


async def test_an_id_photo_by_buttons_and_its_other_background(house: House) -> None:
    """Document, background, photo: then another background from the same original, and the way back."""
    ann = await house.person()
    photo = await ann.send_photo(photo=PORTRAIT)
    screen = await press(ann, await menu_of(ann, photo), "ID photo")
    screen = await press(ann, screen, "All sizes")
    screen = await press(ann, screen, "▶")
    screen = await press(ann, screen, "◀ Back")
    screen = await press(ann, screen, "🇺🇸 passport")
    assert "50.8×50.8" in screen.words
    assert "White ✓" in screen.buttons
    await press(ann, screen, "Blue")
    blue = await answer(ann.chat, photo, result=True)
    result = await picture(house, blue)
    assert result.size == (600, 600)
    assert blue["document"]["mime_type"] == "image/jpeg"
    colours = await press(ann, blue, "Other background")
    assert "Blue ✓" in colours.buttons
    after = await press(ann, colours, "Transparent")
    assert any(words.startswith("Other background") for words in after.buttons)
    clear = await answer(ann.chat, blue, result=True)
    assert (await picture(house, clear)).mode == "RGBA"


async def test_get_as_file_costs_nothing_and_again_does(house: House) -> None:
    """A result that came as a photo comes as a whole file for nothing; Again does it anew and is charged."""
    ann = await house.person()
    photo = await ann.send_photo(photo=OLD, caption="/colorize")
    coloured = await house.result(ann.chat, photo)
    assert "photo" in coloured
    await press(ann, coloured, "Get as file")
    file = await ann.chat.wait_for(lambda one: "document" in one, after=coloured)
    assert (await picture(house, file)).size == (await picture(house, coloured)).size
    quota = await answer(ann.chat, await ann.send(text="/quota"))
    assert "9 credits" in quota.words
    await press(ann, coloured, "Again")
    await ann.chat.wait_for(lambda one: one.by_bot and one.has_file, after=file)
    quota = await answer(ann.chat, await ann.send(text="/quota"))
    assert "8 credits" in quota.words


async def test_get_as_file_when_the_provider_keeps_it_no_more(house: House) -> None:
    """An hour later the file is what Telegram keeps of the photo, and the words say so."""
    ann = await house.person()
    coloured = await house.result(ann.chat, await ann.send_photo(photo=OLD, caption="/colorize"))
    async with house.database() as db, db.begin() as conn:
        await conn.all(sa.update(jobs).where(jobs.c.id == 1), updated_at=0.0)
    await press(ann, coloured, "Get as file")
    file = await ann.chat.wait_for(lambda one: "document" in one, after=coloured)
    assert "As Telegram keeps it" in file.words
    assert await house.tg.download(file) == await house.tg.download(coloured)


async def test_only_who_asked_may_press_or_a_group_admin(house: House) -> None:
    """In a group somebody else's press gets a toast and does nothing; an admin of the group may."""
    ann, ben, eve = await house.person("Ann"), await house.person("Ben"), await house.person("Eve")
    group = await house.tg.group("Family", [ann, ben, eve])  # Ann created it
    photo = await ben.send_photo(group, photo=OLD, caption="/colorize@darkroom_bot")
    result = await answer(group, photo, result=True)
    events = len(await group.events())
    await eve.press(result, "Enhance", group)
    told = await group.wait_for_event("answer", after=events)
    assert told["text"] == "These buttons are for the person who asked."
    await press(ann, result, "Enhance", group)
    assert (await answer(group, result, result=True)).has_file


async def test_buttons_outlive_the_bot_and_old_ones_are_answered(closed_house: House) -> None:
    """After a restart buttons still work; one whose photo is gone is answered with what to do."""
    async with closed_house.bot():
        ann = await closed_house.person()
        photo, gone = await ann.send_photo(photo=OLD), await ann.send_photo(photo=OLD)
        menu, orphan = await menu_of(ann, photo), await menu_of(ann, gone)
        await ann.delete(gone)
    async with closed_house.bot():
        events = len(await ann.chat.events())
        await ann.press(orphan, "Colorize", inaccessible=True)
        assert "too old" in (await ann.chat.wait_for_event("answer", after=events))["text"]
        await press(ann, menu, "Colorize")
        assert (await answer(ann.chat, photo, result=True)).has_file
