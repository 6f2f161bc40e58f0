"""What the people of the demo do, and what must come of it."""

import io
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from PIL import Image

from sandbox.client import Chat, Message, Person
from tests.journeys.pictures import jpeg

Way = Literal["caption", "reply", "file", "alone", "button"]


class Mismatch(AssertionError):  # noqa: N818  it says what it is
    """A result is not what was asked for."""


@dataclass(frozen=True, slots=True)
class Want:
    """What a result must be; None: whatever it is."""

    format: Literal["JPEG", "PNG"]
    size: tuple[int, int] | None = None
    background: tuple[int, int, int] | Literal["transparent"] | None = None
    scale: int | None = None
    colourful: bool = False


@dataclass(frozen=True, slots=True)
class Scene:
    """One person's wish: how it is put, and what must come back."""

    title: str
    way: Way
    command: str
    picture: bytes = field(repr=False)
    want: Want


WHITE, BLUE, RED = (255, 255, 255), (0x43, 0x8E, 0xDB), (0xD0, 0x20, 0x20)

PRIVATE = (
    Scene("colorize, as a caption", "caption", "/colorize", jpeg("hopper", grey=True), Want("JPEG", colourful=True)),
    Scene(
        "ID photo, as a caption",
        "caption",
        "/idphoto 300x400 FFFFFF",
        jpeg("astronaut"),
        Want("JPEG", (300, 400), WHITE),
    ),
    Scene("cut out, as a file", "file", "/cutout", jpeg("astronaut"), Want("PNG", background="transparent")),
    Scene("enhance, as a reply", "reply", "/enhance 2x", jpeg("coffee", longest=400), Want("JPEG", scale=2)),
    Scene("a photo alone, then a button", "button", "Enhance", jpeg("chelsea", longest=300), Want("JPEG", scale=4)),
    Scene("the command first", "alone", "/cutout object FFFFFF", jpeg("coffee"), Want("JPEG", background=WHITE)),
)
GROUP = (
    Scene(
        "colorize, as a caption", "caption", "/colorize@{bot}", jpeg("chelsea", grey=True), Want("JPEG", colourful=True)
    ),
    Scene("ID photo, as a reply", "reply", "/idphoto 413x531 #438EDB", jpeg("hopper"), Want("JPEG", (413, 531), BLUE)),
    Scene("enhance a face, as a file", "file", "/enhance face 2x", jpeg("hopper", longest=360), Want("JPEG", scale=2)),
    Scene("the command first", "alone", "/cutout png", jpeg("hopper"), Want("PNG", background="transparent")),
)


async def play(scene: Scene, person: Person, chat: Chat, bot: str) -> Message:
    """Do what the scene says and give the bot's reply with the result."""
    command = scene.command.format(bot=bot)
    acts: dict[Way, Callable[[], Awaitable[Message]]] = {
        "caption": lambda: person.send_photo(chat, photo=scene.picture, caption=command),
        "file": lambda: person.send_file(chat, file=scene.picture, name="photo.jpg", caption=command),
        "reply": lambda: _reply(scene, person, chat, command),
        "alone": lambda: _alone(scene, person, chat, command),
        "button": lambda: _button(scene, person, chat),
    }
    asked = await acts[scene.way]()
    return await chat.wait_for(
        lambda message: message.by_bot and message.replies_to == asked.id and answers(message), after=asked
    )


def answers(message: Message) -> bool:
    """Tell a result or a refusal from a question with buttons."""
    return message.has_file or not message.buttons


async def _reply(scene: Scene, person: Person, chat: Chat, command: str) -> Message:
    photo = await person.send_photo(chat, photo=scene.picture)
    return await person.send(chat, text=command, reply_to=photo)


async def _alone(scene: Scene, person: Person, chat: Chat, command: str) -> Message:
    asked = await person.send(chat, text=command)
    prompt = await chat.wait_for(lambda message: message.by_bot and message.replies_to == asked.id, after=asked)
    return await person.send_photo(chat, photo=scene.picture, reply_to=prompt)


async def _button(scene: Scene, person: Person, chat: Chat) -> Message:
    photo = await person.send_photo(chat, photo=scene.picture)
    menu = await chat.wait_for(lambda message: message.by_bot and bool(message.buttons), after=photo)
    await person.press(menu, next(words for words in menu.buttons if scene.command in words), chat)
    return photo


def check(scene: Scene, result: bytes) -> Image.Image:
    """Open a result and hold it against what was asked. Raises Mismatch."""
    want, before = scene.want, Image.open(io.BytesIO(scene.picture))
    picture = Image.open(io.BytesIO(result))
    picture.load()
    size = want.size or (want.scale and tuple(side * want.scale for side in before.size))
    for what, wanted, found in (("format", want.format, picture.format), ("size", size or None, picture.size)):
        if wanted is not None and wanted != found:
            message = f"{what} is {found}, not {wanted}"
            raise Mismatch(message)
    if want.background is not None:
        _check_background(picture, want.background)
    if want.colourful and np.ptp(np.asarray(picture.convert("RGB"), dtype=int), axis=2).mean() < 4:
        message = "it is still grey"
        raise Mismatch(message)
    return picture


def _check_background(picture: Image.Image, wanted: tuple[int, int, int] | str) -> None:
    """Look at both upper corners, which nobody's head reaches."""
    width = picture.width
    corners = [(2, 2), (width - 3, 2)]
    if wanted == "transparent":
        fine = picture.mode == "RGBA" and all(picture.getpixel(at)[3] == 0 for at in corners)  # type: ignore[index]
    else:
        colours = [picture.convert("RGB").getpixel(at) for at in corners]
        fine = bool(np.abs(np.asarray(colours, dtype=int) - np.asarray(wanted)).max() <= 6)
    if not fine:
        message = f"the background is not {wanted}"
        raise Mismatch(message)
