"""How an original comes from Telegram and a result reaches its chat, through outages."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import BinaryIO, Protocol, TypedDict, TypeVar

import aiohttp
import httpx
from telegram import Bot, InlineKeyboardMarkup, InputFile, InputMediaDocument, InputMediaPhoto, Message, ReplyParameters
from telegram.constants import ChatAction
from telegram.error import BadRequest, ChatMigrated, Forbidden, NetworkError, RetryAfter, TelegramError

from imaging import patience
from imaging.errors import NotAPicture, PictureTooLarge
from imaging.operations import Colorize
from imaging.results import IN_MEMORY
from jobs.closing import ChatGoneError, ChatMovedError, UndeliverableError
from jobs.job import Job, Piece, Sent
from jobs.looks import Say, caption_of, goes_as_photo, name_of

DOWNLOAD_BYTES = 20 * 2**20
"""What Telegram's getFile gives at most (Bot API, getFile)."""

_TIMEOUT = {"timeout": {"connect": 30.0, "read": 30.0, "pool": 30.0}}
FIRST_ACTION_SECONDS = 0.4  # a reply quicker than this needs no "sending a photo…"
ACTION_SECONDS = 4.5  # a chat action lasts 5 s (Bot API, sendChatAction)
_GONE = ("chat not found", "peer_id_invalid", "user is deactivated", "group chat was deactivated", "bot was kicked")
T = TypeVar("T")


class Buttons(Protocol):
    """Gives what people can press under a result; see handlers.keyboards."""

    def __call__(self, job: Job, /, *, as_photo: bool) -> InlineKeyboardMarkup | None:
        """Give the buttons under the job's result, which goes as a photo or as a file."""


class _Where(TypedDict):
    message_thread_id: int | None
    reply_parameters: ReplyParameters | None


class Delivery:
    """The Telegram side of a job (jobs.runner.Courier).

    `on_retry` is called before a send is tried again of which it is not known whether it took effect. `few_left` gives
    the credits left in the job's chat when they are worth a line under the result.
    """

    def __init__(
        self,
        bot: Bot,
        files: httpx.AsyncBaseTransport,
        say: Say,
        on_retry: Callable[[], None],
        buttons: Buttons | None = None,
        few_left: Callable[[Job], Awaitable[int | None]] | None = None,
    ) -> None:
        self._bot = bot
        self._files = files
        self._say = say
        self._on_retry = on_retry
        self._buttons = buttons or _no_buttons
        self._few_left = few_left

    async def fetch(self, job: Job, into: BinaryIO) -> int:
        """Stream the original into `into` and give its size in bytes.

        Raises PictureTooLarge past DOWNLOAD_BYTES, NotAPicture when Telegram has it no more.
        """
        try:
            return await insist(lambda: self._download(job.file_id, into))
        except BadRequest as error:
            if "too big" in str(error).lower():
                raise PictureTooLarge(megabytes=DOWNLOAD_BYTES // 2**20) from None
            raise NotAPicture(str(error)) from None

    async def _download(self, file_id: str, into: BinaryIO) -> int:
        file = await self._bot.get_file(file_id)
        into.seek(0)
        into.truncate()
        try:
            request = httpx.Request("GET", file.file_path or "", extensions=_TIMEOUT)
            async with aclosing(await self._files.handle_async_request(request)) as response:
                response.raise_for_status()
                async for piece in response.aiter_bytes():
                    into.write(piece)
                    if into.tell() > DOWNLOAD_BYTES:
                        raise PictureTooLarge(megabytes=DOWNLOAD_BYTES // 2**20)
        except (httpx.HTTPError, aiohttp.ClientError) as error:
            # The address holds the bot's token: nothing of the original exception may go further. What is no HTTP
            # leaves httpx-aiohttp 0.2 as aiohttp's own error.
            message = f"download failed: {type(error).__name__}"
            raise NetworkError(message) from None
        return into.tell()

    @asynccontextmanager
    async def busy(self, job: Job) -> AsyncIterator[None]:
        """Keep a chat action alive for as long as the context lasts; nobody waits for it."""
        task = asyncio.create_task(self._act(job))
        try:
            yield
        finally:
            task.cancel()

    async def _act(self, job: Job) -> None:
        action = ChatAction.UPLOAD_PHOTO if isinstance(job.operation, Colorize) else ChatAction.UPLOAD_DOCUMENT
        await asyncio.sleep(FIRST_ACTION_SECONDS)
        while True:
            with suppress(TelegramError):
                await self._bot.send_chat_action(job.chat_id, action, message_thread_id=job.thread_id)
            await asyncio.sleep(ACTION_SECONDS)

    def looks(self, piece: Piece) -> tuple[str, int]:
        """Tell whether a result goes as "photo" or as "document", and how many files it has."""
        if piece.result is None:
            return piece.job.reuse[0].kind, len(piece.job.reuse)
        return "photo" if goes_as_photo(piece.job, piece.result) else "document", len(piece.result.files)

    async def deliver(self, to: Job, pieces: Sequence[Piece]) -> list[tuple[Sent, ...]]:
        """Reply with results that look alike: one call, whatever they hold, so that they arrive whole or not at all.

        Give what Telegram keeps of each piece; nothing for all if that is not sure. A chat that wants both ways gets
        photos to look at before the files.
        """
        kind, _ = self.looks(pieces[0])
        caption = caption_of(to, pieces, self._say)
        if self._few_left and (left := await self._few_left(to)) is not None:
            caption += "\n\n" + self._say(to.language, "few_left", n=left)
        fresh = all(piece.result is not None for piece in pieces)
        if to.send_as == "both" and kind == "photo" and fresh:
            with suppress(UndeliverableError):  # the files say the rest
                await self._send(to, lambda to: self._send_results(to, pieces, None, "photo"))
            kind = "document"
        try:
            messages = await self._send(to, lambda to: self._send_results(to, pieces, caption, kind))
        except UndeliverableError:
            if kind == "document" or not fresh:
                raise
            messages = await self._send(to, lambda to: self._send_results(to, pieces, caption, "document"))
        return _kept([self.looks(piece)[1] for piece in pieces], messages)

    async def _send_results(
        self, to: Job, pieces: Sequence[Piece], caption: str | None, kind: str
    ) -> Sequence[Message]:
        """Send files as photos or as documents, several as an album, which has no room for buttons.

        Without a caption they are only there to be looked at, and have no buttons either.
        """
        items = [item for piece in pieces for item in _items(piece)]
        where: _Where = {"message_thread_id": to.thread_id, "reply_parameters": _reply_to(to)}
        if len(items) > 1:
            form = InputMediaPhoto if kind == "photo" else InputMediaDocument
            media = [form(item, caption=None if number else caption) for number, item in enumerate(items)]
            return await self._bot.send_media_group(to.chat_id, media, **where)
        buttons = None if caption is None else self._buttons(pieces[0].job, as_photo=kind == "photo")
        if kind == "photo":
            return [await self._bot.send_photo(to.chat_id, items[0], caption, reply_markup=buttons, **where)]
        send = partial(self._bot.send_document, disable_content_type_detection=True, reply_markup=buttons, **where)
        return [await send(to.chat_id, items[0], caption=caption)]

    async def tell(self, job: Job, code: str, params: dict[str, str | int], *, number: int = 0) -> None:
        """Reply with the sentence for `error_<code>`, which names the picture `number` of an album if not 0."""
        text = self._say(job.language, f"error_{code}", **params)
        if number:
            text = self._say(job.language, "album_failed", number=number) + " " + text
        try:
            await self._send(
                job,
                lambda to: self._bot.send_message(
                    to.chat_id, text, message_thread_id=to.thread_id, reply_parameters=_reply_to(to)
                ),
            )
        except UndeliverableError as error:
            raise ChatGoneError(str(error)) from None

    async def _send(self, job: Job, call: Callable[[Job], Awaitable[T]]) -> T:
        """Send to the job's chat, or past its topic when that was deleted meanwhile."""
        try:
            return await insist(lambda: call(job), self._on_retry)
        except ChatMigrated as error:
            raise ChatMovedError(error.new_chat_id) from None
        except Forbidden as error:
            raise ChatGoneError(str(error)) from None
        except BadRequest as error:
            if any(sign in str(error).lower() for sign in _GONE):
                raise ChatGoneError(str(error)) from None
            if job.thread_id is None or "thread not found" not in str(error).lower():
                raise UndeliverableError(str(error)) from None
            return await self._send(replace(job, thread_id=None), call)


def _items(piece: Piece) -> list[InputFile | str]:
    """Give what is sent of a piece: its files, or the ids of those that Telegram has."""
    if piece.result is None:
        return [one.file_id for one in piece.job.reuse]
    return [_input(name_of(piece.job, one.role, one.format), one.file, one.size) for one in piece.result.files]


def _kept(counts: Sequence[int], messages: Sequence[Message]) -> list[tuple[Sent, ...]]:
    """Share out what Telegram made of the files sent, so many of each piece; nothing when it made something else."""
    files: list[Sent] = []
    for message in messages:
        if message.photo:
            files.append(Sent("photo", message.photo[-1].file_id))
        elif message.document:
            files.append(Sent("document", message.document.file_id))
    if len(files) != sum(counts):
        return [() for _ in counts]
    rest = iter(files)
    return [tuple(next(rest) for _ in range(count)) for count in counts]


def _no_buttons(job: Job, *, as_photo: bool) -> None:
    """Leave a result without buttons."""


def _input(name: str, file: BinaryIO, size: int) -> InputFile:
    """Wrap a file for sending; what is in memory goes as it is, what is on disk is streamed from there."""
    file.seek(0)
    return InputFile(file.read() if size <= IN_MEMORY else file, filename=name, attach=True, read_file_handle=False)


def _reply_to(job: Job) -> ReplyParameters | None:
    return None if job.reply_to is None else ReplyParameters(job.reply_to, allow_sending_without_reply=True)


async def insist(call: Callable[[], Awaitable[T]], on_retry: Callable[[], None] | None = None) -> T:
    """Make a call to Telegram until it answers; the caller decides how long. What cannot pass is raised."""

    def again(error: Exception) -> bool | timedelta:
        if on_retry is not None and _is_outage(error):
            on_retry()
        return _wait_for(error)

    return await patience.insist(call, again, attempts=None, wait_initial=0.5, wait_max=60)


def _wait_for(error: Exception) -> bool | timedelta:
    """Tell whether a failure passes, and after what time if Telegram said so."""
    if isinstance(error, RetryAfter):
        seconds = error.retry_after
        return seconds if isinstance(seconds, timedelta) else timedelta(seconds=seconds)
    return _is_outage(error)


def _is_outage(error: Exception) -> bool:
    """Tell a failure of the way to Telegram, garbage instead of an answer included, from Telegram's own refusal."""
    if isinstance(error, NetworkError):
        return not isinstance(error, BadRequest)
    return type(error) is TelegramError  # what PTB raises for an answer it cannot read
