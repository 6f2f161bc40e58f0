"""What a chat prefers, what is kept about people, and how it is forgotten."""

import sqlalchemy as sa

from sandbox.client import Message, Person
from storage.tables import chats, inbox, jobs, ledger
from tests.journeys.conftest import House, answer
from tests.journeys.pictures import jpeg
from tests.journeys.test_buttons import picture, press

PHOTO = jpeg("astronaut", longest=300)


async def chosen(person: Person, screen: Message, setting: str, value: str) -> Message:
    """Choose `value` for `setting` in /settings."""
    return await press(person, await press(person, screen, setting), value)


async def test_language_files_and_the_usual_id_photo(house: House) -> None:
    """What is chosen in /settings holds from then on: files, size and background, and the language."""
    ann = await house.person()
    screen = await answer(ann.chat, await ann.send(text="/settings"))
    screen = await chosen(ann, screen, "Results come", "As files")
    screen = await chosen(ann, screen, "ID photo size", "🇺🇸 visa")
    screen = await chosen(ann, screen, "ID photo background", "Blue")
    screen = await chosen(ann, screen, "Language", "Español")
    assert "Resultados: Como archivos" in screen.words
    assert "Idioma: Español" in screen.words
    asked = await ann.send_photo(photo=PHOTO, caption="/colorize")
    coloured = await answer(ann.chat, asked, result=True)
    assert "document" in coloured
    assert coloured.words.startswith("En color")
    portrait = await answer(ann.chat, await ann.send_photo(photo=PHOTO, caption="/idphoto"), result=True)
    result = (await picture(house, portrait)).convert("RGB")
    assert result.size == (600, 600)
    red, _, blue = result.getpixel((3, 3))  # type: ignore[misc]  # RGB
    assert blue > red + 60
    screen = await chosen(ann, screen, "Idioma", "Como en Telegram")
    assert "Language: As in Telegram" in screen.words


async def test_both_a_photo_and_a_file(house: House) -> None:
    """A chat that wants both gets a photo to look at and the file with the buttons."""
    ann = await house.person()
    screen = await answer(ann.chat, await ann.send(text="/settings"))
    await chosen(ann, screen, "Results come", "Both")
    asked = await ann.send_photo(photo=PHOTO, caption="/colorize")
    photo, file = await ann.chat.wait_for_all(lambda one: one.by_bot and one.has_file, count=2, after=asked)
    assert "photo" in photo
    assert not photo.buttons
    assert "document" in file
    assert file.buttons


async def test_in_a_group_its_admins_decide(house: House) -> None:
    """A member is told that settings are for admins; a press on an admin's screen changes nothing."""
    ann, ben = await house.person("Ann"), await house.person("Ben")
    group = await house.tg.group("Family", [ann, ben])
    refused = await answer(group, await ben.send(group, text="/settings@darkroom_bot"))
    assert "Only an admin" in refused.words
    screen = await answer(group, await ann.send(group, text="/settings@darkroom_bot"))
    after = await press(ben, screen, "Language", group)
    assert after.buttons == screen.buttons
    assert "Русский" in (await press(ann, screen, "Language", group)).buttons


async def test_forget_me(house: House) -> None:
    """After a confirmation nothing is left that says who somebody is; the ledger keeps its sums."""
    ann = await house.person("Annabelle")
    assert "30 days" in (await answer(ann.chat, await ann.send(text="/privacy"))).words
    asked = await ann.send_photo(photo=PHOTO, caption="/enhance 1")
    await house.result(ann.chat, asked)
    screen = await answer(ann.chat, await ann.send(text="/forgetme"))
    assert "nothing was deleted" in (await press(ann, screen, "No")).words
    screen = await answer(ann.chat, await ann.send(text="/forgetme"))
    done = await press(ann, screen, "Yes")
    assert "forgotten you" in done.words
    assert not done.buttons
    async with house.database() as db, db.read() as conn:
        bodies = [row["body"] for row in await conn.all(sa.select(inbox.c.body))]
        assert not [body for body in bodies if "Annabelle" in body]
        assert len(bodies) > 3
        assert await conn.all(sa.select(jobs.c.id)) == []
        (chat,) = await conn.all(sa.select(chats.c.title, chats.c.username))
        assert (chat["title"], chat["username"]) == (None, None)
        assert [row["kind"] for row in await conn.all(sa.select(ledger.c.kind))] == ["hold", "settle"]
    assert "9 credits" in (await answer(ann.chat, await ann.send(text="/quota"))).words
