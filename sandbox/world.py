"""What exists in the sandbox: people, bots, chats, messages and files; all in memory."""

# ruff: noqa: ANN401  a message is JSON of any shape

import asyncio
import base64
import itertools
import time
from collections import defaultdict, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sandbox.errors import bad_request

Json = dict[str, Any]

KIND_PREFIX = {"photo": "AgAC", "document": "BQAC", "sticker": "CAAC", "thumbnail": "AAMC"}
DIRECTORY = {"photo": "photos", "document": "documents", "sticker": "stickers", "thumbnail": "thumbnails"}
CALLS_KEPT = 100_000
NAMES = ("id", "first_name", "last_name", "username")


@dataclass(frozen=True)
class File:
    """A stored file; a photo's sizes are files that know each other (*sizes*, as PhotoSize without ids)."""

    unique: str
    kind: str
    data: bytes
    path: str
    mime: str = "image/jpeg"
    shape: Json = field(default_factory=dict)
    sizes: list[Json] = field(default_factory=list)


@dataclass
class Person:
    """Someone with a Telegram account; *started* and *blocked* hold ids of bots."""

    user: Json
    started: set[int] = field(default_factory=set)
    blocked: set[int] = field(default_factory=set)


@dataclass
class Webhook:
    """Where a bot's updates are sent instead of waiting to be fetched."""

    url: str
    secret: str = ""
    error_date: int = 0
    error_message: str = ""
    max_connections: int = 40
    task: asyncio.Task[None] | None = None


@dataclass
class Bot:
    """A bot account: who it is, what it has set, and the updates that wait for it."""

    user: Json
    token: str
    privacy: bool = True
    updates: deque[Json] = field(default_factory=deque)
    last_update: int = 700_000_000
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    poller: asyncio.Future[None] | None = None
    allowed_updates: list[str] = field(default_factory=list)
    webhook: Webhook | None = None
    commands: dict[tuple[str, str], list[Json]] = field(default_factory=dict)
    profile: dict[tuple[str, str], str] = field(default_factory=dict)
    queries: dict[str, Json] = field(default_factory=dict)
    checkouts: dict[str, asyncio.Future[str]] = field(default_factory=dict)
    stars: list[Json] = field(default_factory=list)

    @property
    def id(self) -> int:
        """The bot's user id."""
        return int(self.user["id"])


@dataclass
class Chat:
    """A chat: *key* tells private chats of one person with several bots apart; *shape* is Telegram's Chat.

    *members* holds Telegram's ChatMember without the user, *gone* the status of those who left or were removed.
    """

    key: str
    shape: Json
    members: dict[int, Json] = field(default_factory=dict)
    gone: dict[int, str] = field(default_factory=dict)
    messages: dict[int, Json] = field(default_factory=dict)
    permissions: dict[str, bool] = field(default_factory=dict)
    topics: dict[int, str] = field(default_factory=dict)
    last_id: int = 0
    last_bot: int | None = None
    bot: int | None = None
    migrated_to: int | None = None
    events: list[Json] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def id(self) -> int:
        """The id by which bots know the chat."""
        return int(self.shape["id"])

    @property
    def private(self) -> bool:
        """Whether this is one person's chat with one bot."""
        return self.bot is not None

    def note(self, what: str, **details: Any) -> None:
        """Write down something people in the chat can see, and wake those who wait for it."""
        self.events.append({"seq": len(self.events) + 1, "what": what, **details})
        self.changed.set()
        self.changed = asyncio.Event()


class World:
    """Everything the sandbox knows. Ids are of real sizes: 64-bit users, negative groups, -100… supergroups."""

    def __init__(self) -> None:
        self.persons: dict[int, Person] = {}
        self.bots: dict[str, Bot] = {}
        self.bots_by_id: dict[int, Bot] = {}
        self.chats: dict[str, Chat] = {}
        self.files: dict[str, File] = {}
        self.paths: dict[str, File] = {}
        self.calls: deque[Json] = deque(maxlen=CALLS_KEPT)
        self.call_counts: dict[str, int] = defaultdict(int)
        self.called = asyncio.Event()
        self.closing = asyncio.Event()
        self._numbers = itertools.count(1)

    def record(self, call: Json) -> None:
        """Write down a Bot API call, and wake those who wait for one."""
        self.calls.append(call)
        self.call_counts[call["method"]] += 1
        self.wake()

    def wake(self) -> None:
        """Wake those who wait for a call to begin or end."""
        self.called.set()
        self.called = asyncio.Event()

    def number(self) -> int:
        """Return a number that was not given before."""
        return next(self._numbers)

    @staticmethod
    def now() -> int:
        """Return the time as Telegram writes it: whole seconds since 1970."""
        return int(time.time())

    def add_bot(self, token: str, username: str, name: str, *, privacy: bool) -> Bot:
        """Register a bot; its id is the part of the token before the colon, as with BotFather's tokens."""
        user = {
            "id": int(token.partition(":")[0]),
            "is_bot": True,
            "first_name": name,
            "username": username,
        }
        bot = self.bots[token] = Bot(user, token, privacy)
        self.bots_by_id[bot.id] = bot
        return bot

    def add_person(self, **about: Any) -> Person:
        """Add a person; *about* holds further fields of Telegram's User."""
        user = {"id": 5_000_000_000 + 7_919 * self.number(), "is_bot": False, **about}
        person = self.persons[user["id"]] = Person(user)
        return person

    def add_group(self, title: str, *, supergroup: bool, forum: bool = False) -> Chat:
        """Add a group with nobody in it."""
        number = self.number()
        group_id = -1_002_000_000_000 - number if supergroup or forum else -4_000_000_000 - number
        shape: Json = {"id": group_id, "type": "supergroup" if supergroup or forum else "group", "title": title}
        if forum:
            shape["is_forum"] = True
        chat = self.chats[str(group_id)] = Chat(str(group_id), shape)
        return chat

    def private_chat(self, person: Person, bot: Bot) -> Chat:
        """Return the person's chat with the bot, opening it when need be."""
        key = f"{bot.id}:{person.user['id']}"
        if key not in self.chats:
            about: Json = {name: person.user[name] for name in NAMES if name in person.user}
            self.chats[key] = Chat(key, {**about, "type": "private"}, bot=bot.id)
            self.chats[key].members = {person.user["id"]: {}, bot.id: {}}
        return self.chats[key]

    def user(self, user_id: int) -> Json:
        """Return the User object of a person or bot."""
        holder = self.persons.get(user_id) or self.bots_by_id.get(user_id)
        if holder is None:
            raise bad_request("user not found")
        return holder.user

    def bots_in(self, chat: Chat) -> Iterator[Bot]:
        """Yield the bots that are members of the chat."""
        return (self.bots_by_id[user_id] for user_id in chat.members if user_id in self.bots_by_id)

    def add_file(self, kind: str, data: bytes, *, suffix: str = ".jpg", mime: str = "image/jpeg", **shape: Any) -> File:
        """Store a file; *shape* is what objects that describe it say (width, file_name, …)."""
        number = self.number()
        unique = f"AQAD{number:08x}{KIND_PREFIX[kind][:2]}"
        about = {"file_unique_id": unique, "file_size": len(data), **shape}
        file = File(unique, kind, data, f"{DIRECTORY[kind]}/file_{number}{suffix}", mime, about)
        self.files[unique] = self.paths[file.path] = file
        return file

    def file_id(self, unique: str, bot: Bot) -> str:
        """Return the file's id for this bot; it tells the kind and is of no use to another bot."""
        secret = base64.urlsafe_b64encode(f"{bot.id}:{unique}".encode()).decode().rstrip("=")
        return KIND_PREFIX[self.files[unique].kind] + secret

    def file_by_id(self, file_id: str, bot: Bot) -> File:
        """Return the file that *bot* knows as *file_id*; 400 for anything else."""
        try:
            padded = file_id[4:] + "=" * (-len(file_id[4:]) % 4)
            owner, _, unique = base64.urlsafe_b64decode(padded).decode().partition(":")
            file = self.files[unique]
        except (ValueError, KeyError):
            raise bad_request("wrong file_id or the file is temporarily unavailable") from None
        if owner != str(bot.id) or not file_id.startswith(KIND_PREFIX[file.kind]):
            raise bad_request("wrong file_id or the file is temporarily unavailable")
        return file

    def for_bot(self, value: Any, bot: Bot) -> Any:
        """Return a copy of a message (or anything in one) with the file ids that *bot* knows."""
        if isinstance(value, dict):
            copy = {name: self.for_bot(item, bot) for name, item in value.items() if name[0] != "_"}
            if "file_unique_id" in copy:
                return {"file_id": self.file_id(copy["file_unique_id"], bot), **copy}
            return copy
        if isinstance(value, list):
            return [self.for_bot(item, bot) for item in value]
        return value
