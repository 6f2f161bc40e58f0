"""Each command × way of sending × kind of chat, from the person's photo to the bot's reply."""

import io
from dataclasses import replace

import pytest
from PIL import Image

from sandbox.client import Chat, Person
from tests.journeys.conftest import House, answer
from tests.journeys.pictures import jpeg
from tests.journeys.scenes import Scene, Want, Way, check, play

SMALL = jpeg("astronaut", longest=320)
WISHES = {
    "colorize": ("/colorize", jpeg("hopper", grey=True, longest=320), Want("JPEG", colourful=True)),
    "enhance": ("/enhance 2x", SMALL, Want("JPEG", scale=2)),
    "idphoto": ("/idphoto 300x400 FFFFFF", SMALL, Want("JPEG", (300, 400), (255, 255, 255))),
    "cutout": ("/cutout", SMALL, Want("PNG", background="transparent")),
}
WAYS: tuple[Way, ...] = ("caption", "reply", "file", "alone")


async def left(person: Person, chat: Chat) -> str:
    """Ask for the quota and give the bot's words."""
    return (await answer(chat, await person.send(chat, text="/quota@darkroom_bot"))).words


@pytest.mark.parametrize("kind", ["private", "group"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("wish", WISHES)
async def test_photo_comes_back_developed_and_paid(house: House, wish: str, way: Way, kind: str) -> None:
    """A photo comes back as asked, as a reply to the person's message, and costs one credit."""
    ann = await house.person()
    chat = ann.chat if kind == "private" else await house.tg.group("Family", [ann])
    command, picture, want = WISHES[wish]
    scene = Scene(wish, way, command, picture, want)
    if kind == "group" and way in {"caption", "file", "alone"}:
        scene = replace(scene, command=command.replace(wish, f"{wish}@{{bot}}"))
    reply = await play(scene, ann, chat, "darkroom_bot")
    check(scene, await house.tg.download(reply))
    assert ("photo" in reply) == (wish == "colorize")
    assert "9" in await left(ann, chat)


async def test_a_photo_alone_gets_buttons(house: House) -> None:
    """In a private chat a photo alone gets buttons for every operation, and pressing one does it."""
    ann = await house.person()
    scene = Scene("button", "button", "Enhance 2×", SMALL, Want("JPEG", scale=2))
    reply = await play(scene, ann, ann.chat, "darkroom_bot")
    check(scene, await house.tg.download(reply))


async def test_image_and_mask_are_two_files(house: House) -> None:
    """A cutout with its mask arrives as two files in one album, the caption on the first."""
    ann = await house.person()
    asked = await ann.send_photo(photo=SMALL, caption="/cutout both")
    sent = await ann.chat.wait_for_all(lambda message: message.by_bot and message.has_file, count=2, after=asked)
    pictures = [Image.open(io.BytesIO(await house.tg.download(message))) for message in sent]
    assert [picture.mode for picture in pictures] == ["RGBA", "L"]
    assert sent[0]["media_group_id"] == sent[1]["media_group_id"]
    assert sent[0].words
    assert not sent[1].words
