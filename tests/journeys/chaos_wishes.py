"""What people wish for while everything breaks: each wish has a picture of its own, by which it is known everywhere."""

import asyncio
import hashlib
import io
import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from PIL import Image

from sandbox.client import Chat, Message, Person, Telegram

Way = Literal["caption", "file", "reply", "alone", "button"]
WAYS: tuple[Way, ...] = ("caption", "file", "reply", "alone", "button")
COMMANDS = ("/colorize", "/enhance 2x", "/idphoto 300x400 FFFFFF", "/cutout")
BUTTON = "Colorize"  # the one that asks nothing more
PATIENCE = 180.0  # the bot may be dead for most of it
GROUP_OF = 5


@dataclass
class Wish:
    """One picture that somebody sends, and what became of it on the way in."""

    person: Person = field(repr=False)
    chat: Chat = field(repr=False)
    way: Way
    command: str
    picture: bytes = field(repr=False)
    sha: str = ""  # of the bytes as the bot can download them
    unique: str = ""  # Telegram's file_unique_id, which stands in the job
    photo: Message | None = field(default=None, repr=False)
    last: int = 0  # the message that the bot must answer
    blocks: bool = False  # whether the person blocks the bot as soon as the wish is made

    @property
    def in_group(self) -> bool:
        """Whether it is made in a group."""
        return self.chat.key != self.person.chat.key

    @property
    def content_sha(self) -> str:
        """The hash of the bytes as they are sent, which a file keeps."""
        return hashlib.sha256(self.picture).hexdigest()

    async def make(self) -> None:
        """Send it. Questions of the bot are waited for, however long it is dead."""
        command = self.command
        if self.in_group:
            name, _, rest = command.partition(" ")
            command = f"{name}@{self.person.tg.bot['username']} {rest}".rstrip()
        match self.way:
            case "caption":
                await self._photo(command)
            case "file":
                await self._note(await self.person.send_file(self.chat, file=self.picture, caption=command))
            case "reply":
                await self._photo()
                self.last = (await self.person.send(self.chat, text=command, reply_to=self.photo)).id
            case "alone":
                asked = await self.person.send(self.chat, text=command)
                prompt = await self._answer(asked)
                await self._photo(reply_to=prompt)
            case "button":
                await self._press(await self._answer(await self._photo()))
        if self.blocks:
            await self.person.block()

    async def answered(self) -> Message:
        """Wait for the bot's answer to the message that asked for the work."""
        return await self.chat.wait_for(lambda message: message.by_bot and message.replies_to == self.last)

    async def _photo(self, caption: str = "", *, reply_to: Message | None = None) -> Message:
        sent = await self.person.send_photo(self.chat, photo=self.picture, caption=caption, reply_to=reply_to)
        await self._note(sent)
        return sent

    async def _note(self, sent: Message) -> None:
        self.photo, self.last, self.unique = sent, sent.id, sent.file["file_unique_id"]
        self.sha = hashlib.sha256(await self.person.tg.file(self.unique)).hexdigest()

    async def _answer(self, asked: Message) -> Message:
        return await self.chat.wait_for(
            lambda message: message.by_bot and message.replies_to == asked.id, after=asked, timeout=PATIENCE
        )

    async def _press(self, menu: Message) -> None:
        for words in menu.buttons:  # none: an apology came instead, which ends this wish
            if BUTTON in words:
                await self.person.press(menu, words, self.chat)


def picture(number: int) -> bytes:
    """Give a small JPEG that no other number gives, however often it is recompressed."""
    noise = random.Random(number).randbytes(40 * 30 * 3)  # noqa: S311  pixels
    out = io.BytesIO()
    Image.frombytes("RGB", (40, 30), noise).save(out, "JPEG", quality=80)
    return out.getvalue()


async def crowd(tg: Telegram, people: int, groups: int = 0) -> list[tuple[Person, Chat]]:
    """Give (person, chat) pairs: everybody's private chat, and groups of GROUP_OF of them."""
    made = [await tg.person(f"Person {number}") for number in range(people)]
    spots = [(person, person.chat) for person in made]
    for number in range(groups):
        members = [made[(number * GROUP_OF + offset) % people] for offset in range(GROUP_OF)]
        group = await tg.group(f"Group {number}", members)
        spots.append((members[0], group))
    return spots


def wishes(
    spots: Sequence[tuple[Person, Chat]], count: int, rng: random.Random, ways: Sequence[Way] = WAYS, *, first: int = 0
) -> list[Wish]:
    """Give `count` wishes spread evenly over the spots; in groups those ways that a bot there can see."""
    made = []
    for number, (person, chat) in zip(range(count), itertools.cycle(spots), strict=False):
        private = chat.key == person.chat.key
        way = rng.choice([way for way in ways if private or way in {"caption", "file", "reply"}])
        made.append(Wish(person, chat, way, rng.choice(COMMANDS), picture(first + number)))
    return made


async def make_all(made: Sequence[Wish], *, within: float, rng: random.Random) -> None:
    """Make the wishes at random moments of the next so many seconds, those of one chat one after the other."""
    loop = asyncio.get_running_loop()
    began = loop.time()
    of_chat: dict[str, list[Wish]] = {}
    for wish in made:
        of_chat.setdefault(wish.chat.key, []).append(wish)

    async def one_chat(its: Sequence[Wish]) -> None:
        for wish, moment in zip(its, sorted(rng.uniform(0, within) for _ in its), strict=True):
            await asyncio.sleep(began + moment - loop.time())
            await wish.make()

    async with asyncio.TaskGroup() as group:
        for its in of_chat.values():
            group.create_task(one_chat(its))
