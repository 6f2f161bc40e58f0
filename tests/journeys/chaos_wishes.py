"""What people wish for while everything breaks: each wish has a picture of its own, by which it is known everywhere."""

import asyncio
import hashlib
import io
import itertools
import random
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from PIL import Image

from sandbox.client import Chat, ControlError, Message, Person, Telegram, WaitedInVain

Way = Literal["caption", "file", "reply", "alone", "button", "steps", "again", "cancel", "stop", "album"]
WAYS: tuple[Way, ...] = ("caption", "file", "reply", "alone", "button")
COMMANDS = ("/colorize", "/enhance 2x", "/idphoto 300x400 FFFFFF", "/cutout")
BUTTON = "Colorize"  # the one that asks nothing more
STEPS = ("Cut out", "Person", "White")  # each leads to the next
STOP, AGAIN = "Cancel", "Again"
PATIENCE = 180.0  # the bot may be dead for most of it
FINGER_SECONDS = 20.0
"""After so long without the next screen people press again."""

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
    after: float = 0.0  # seconds until it is given up, for the way "cancel"
    album: list["Wish"] = field(default_factory=list, repr=False)  # for the way "album": all of it, in its first

    @property
    def jobs(self) -> int:
        """How many jobs it makes."""
        return 1 + (self.way == "again")

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
        await self._ask(command)
        if self.blocks:
            await self.person.block()

    async def _ask(self, command: str) -> None:
        match self.way:
            case "caption":
                await self._photo(command)
            case "file":
                await self._file(command)
            case "reply":
                await self._photo()
                self.last = (await self.person.send(self.chat, text=command, reply_to=self.photo)).id
            case "alone":
                asked = await self.person.send(self.chat, text=command)
                prompt = await self._answer(asked)
                await self._photo(reply_to=prompt)
            case "button":
                await self._press(await self._answer(await self._photo()))
            case "steps":
                await self._step_by_step(await self._answer(await self._photo()))
            case "album" if self.album:
                await self._send_album(command)
            case "again" | "cancel" | "stop":
                await self._file(command)
                await self._change_of_mind()

    async def _change_of_mind(self) -> None:
        match self.way:
            case "again":
                result = await self._reply(lambda message: AGAIN in message.buttons)
                await self.person.press(result, AGAIN, self.chat)
            case "cancel":
                await asyncio.sleep(self.after)
                await self.person.send(self.chat, text="/cancel")
            case "stop":
                bar = await self._reply(lambda message: STOP in message.buttons or message.has_file)
                with suppress(ControlError):  # it went in the meantime
                    await self.person.press(bar, STOP, self.chat)

    async def answered(self) -> Message:
        """Wait for the bot's answer to the message that asked for the work."""
        return await self._reply(lambda _: True)

    async def _photo(self, caption: str = "", *, reply_to: Message | None = None) -> Message:
        sent = await self.person.send_photo(self.chat, photo=self.picture, caption=caption, reply_to=reply_to)
        await self._note(sent)
        return sent

    async def _file(self, caption: str) -> None:
        await self._note(await self.person.send_file(self.chat, file=self.picture, caption=caption))

    async def _note(self, sent: Message) -> None:
        self.photo, self.last, self.unique = sent, sent.id, sent.file["file_unique_id"]
        self.sha = hashlib.sha256(await self.person.tg.file(self.unique)).hexdigest()

    async def _answer(self, asked: Message) -> Message:
        return await self.chat.wait_for(
            lambda message: message.by_bot and message.replies_to == asked.id, after=asked, timeout=PATIENCE
        )

    async def _reply(self, fits: Callable[[Message], bool]) -> Message:
        return await self.chat.wait_for(
            lambda message: message.by_bot and message.replies_to == self.last and fits(message), timeout=PATIENCE
        )

    async def _send_album(self, command: str) -> None:
        pictures = [wish.picture for wish in self.album]
        sent = await self.person.send_album(self.chat, pictures=pictures, caption=command, files=True)
        for wish, message in zip(self.album, sent, strict=True):
            await wish._note(message)

    async def _step_by_step(self, screen: Message) -> None:
        """Press through the screens of a menu, of which each press may be handled by another process."""
        for words, following in itertools.pairwise(STEPS):
            if not _button(screen, words):  # an apology came instead, which ends this wish
                return
            screen = await self._turn(screen, words, following)
        await self.person.press(screen, _button(screen, STEPS[-1]), self.chat)

    async def _turn(self, screen: Message, words: str, following: str) -> Message:
        """Press until the next screen is there, which Telegram may have been told of in vain."""
        async with asyncio.timeout(PATIENCE):
            while True:
                with suppress(ControlError):  # the next one came just now
                    await self.person.press(screen, _button(screen, words), self.chat)
                with suppress(WaitedInVain):
                    return await self.chat.wait_for(
                        lambda message: message.id == screen.id and bool(_button(message, following)),
                        timeout=FINGER_SECONDS,
                    )

    async def _press(self, menu: Message) -> None:
        for words in menu.buttons:  # none: an apology came instead, which ends this wish
            if BUTTON in words:
                await self.person.press(menu, words, self.chat)


def _button(message: Message, words: str) -> str:
    """Give the whole words of the button that has these; blank if there is none."""
    return next((each for each in message.buttons if words in each), "")


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
