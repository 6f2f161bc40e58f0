"""How an original comes from Telegram and a result reaches its chat, through outages."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import PurePath
from typing import BinaryIO, Protocol, TypedDict, TypeVar

import httpx
import stamina
from telegram import Bot, InlineKeyboardMarkup, InputFile, InputMediaDocument, ReplyParameters
from telegram.constants import ChatAction
from telegram.error import BadRequest, ChatMigrated, Forbidden, NetworkError, RetryAfter, TelegramError

from imaging import codec
from imaging.errors import NotAPicture, PictureTooLarge
from imaging.operations import Colorize, Enhance
from imaging.results import IN_MEMORY, Result
from jobs.job import Job
from jobs.runner import ChatGoneError, ChatMovedError, UndeliverableError

DOWNLOAD_BYTES = 20 * 2**20
"""What Telegram's getFile gives at most (Bot API, getFile)."""

FIRST_ACTION_SECONDS = 0.4  # a reply quicker than this needs no "sending a photo…"
ACTION_SECONDS = 4.5  # a chat action lasts 5 s (Bot API, sendChatAction)
_GONE = ("chat not found", "peer_id_invalid", "user is deactivated", "group chat was deactivated", "bot was kicked")
T = TypeVar("T")


class Say(Protocol):
    """Gives the words for a key in a language; see handlers.words."""

    def __call__(self, language: str | None, key: str, /, **params: str | int) -> str:
        """Give the sentence."""


class Buttons(Protocol):
    """Gives what people can press under a result; see handlers.keyboards."""

    def __call__(self, job: Job, *, as_photo: bool) -> InlineKeyboardMarkup | None:
        """Give the buttons under the job's result, which goes as a photo or as a file."""


class _Where(TypedDict):
    message_thread_id: int | None
    reply_parameters: ReplyParameters | None


class Delivery:
    """The Telegram side of a job (jobs.runner.Courier).

    `on_retry` is called before a send is tried again of which it is not known whether it took effect.
    """

    def __init__(
        self,
        bot: Bot,
        files: httpx.AsyncClient,
        say: Say,
        on_retry: Callable[[], None],
        buttons: Buttons = lambda _, **__: None,
    ) -> None:
        self._bot = bot
        self._files = files
        self._say = say
        self._on_retry = on_retry
        self._buttons = buttons

    async def fetch(self, job: Job, into: BinaryIO) -> int:
        """Stream the original into `into` and give its size in bytes.

        Raises PictureTooLarge past DOWNLOAD_BYTES, NotAPicture when Telegram has it no more.
        """
        try:
            return await _insist(lambda: self._download(job.file_id, into))
        except BadRequest as error:
            if "too big" in str(error).lower():
                raise PictureTooLarge(megabytes=DOWNLOAD_BYTES // 2**20) from None
            raise NotAPicture(str(error)) from None

    async def _download(self, file_id: str, into: BinaryIO) -> int:
        file = await self._bot.get_file(file_id)
        into.seek(0)
        into.truncate()
        try:
            async with self._files.stream("GET", file.file_path or "") as response:
                response.raise_for_status()
                async for piece in response.aiter_bytes(2**16):
                    into.write(piece)
                    if into.tell() > DOWNLOAD_BYTES:
                        raise PictureTooLarge(megabytes=DOWNLOAD_BYTES // 2**20)
        except httpx.HTTPError as error:
            # The address holds the bot's token: nothing of the original exception may go further.
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

    async def deliver(self, job: Job, result: Result, changes: tuple[str, ...]) -> None:
        """Reply with the result: one call, whatever it holds, so that it arrives whole or not at all.

        A chat that wants both ways gets a photo to look at before the file.
        """
        notes = [f"note_{change}" for change in changes]
        caption = " ".join(self._say(job.language, key) for key in (f"done_{job.operation.name}", *notes))
        as_photo = _as_photo(job, result)
        if job.send_as == "both" and as_photo:
            with suppress(UndeliverableError):  # the file says the rest
                await self._send(job, lambda to: self._send_photo(to, result, None, None))
            as_photo = False
        try:
            await self._send(job, lambda to: self._send_result(to, result, caption, as_photo=as_photo))
        except UndeliverableError:
            if not as_photo:
                raise
            await self._send(job, lambda to: self._send_result(to, result, caption, as_photo=False))

    async def _send_result(self, job: Job, result: Result, caption: str, *, as_photo: bool) -> None:
        inputs = [(_name(job, picture.role, picture.format), picture.file, picture.size) for picture in result.files]
        where: _Where = {"message_thread_id": job.thread_id, "reply_parameters": _reply_to(job)}
        if len(inputs) > 1:
            media = [
                InputMediaDocument(_input(*item), caption=None if number else caption)
                for number, item in enumerate(inputs)
            ]
            await self._bot.send_media_group(job.chat_id, media, **where)
        elif as_photo:
            await self._send_photo(job, result, caption, self._buttons(job, as_photo=True))
        else:
            await self._bot.send_document(
                job.chat_id,
                _input(*inputs[0]),
                caption,
                disable_content_type_detection=True,
                reply_markup=self._buttons(job, as_photo=False),
                **where,
            )

    async def _send_photo(
        self, job: Job, result: Result, caption: str | None, markup: InlineKeyboardMarkup | None
    ) -> None:
        first = result.files[0]
        await self._bot.send_photo(
            job.chat_id,
            _input(_name(job, first.role, first.format), first.file, first.size),
            caption,
            message_thread_id=job.thread_id,
            reply_parameters=_reply_to(job),
            reply_markup=markup,
        )

    async def tell(self, job: Job, code: str, params: dict[str, str | int]) -> None:
        """Reply with the sentence for `error_<code>`."""
        text = self._say(job.language, f"error_{code}", **params)
        try:
            await self._send(
                job,
                lambda to: self._bot.send_message(
                    to.chat_id, text, message_thread_id=to.thread_id, reply_parameters=_reply_to(to)
                ),
            )
        except UndeliverableError as error:
            raise ChatGoneError(str(error)) from None

    async def _send(self, job: Job, call: Callable[[Job], Awaitable[object]]) -> None:
        """Send to the job's chat, or past its topic when that was deleted meanwhile."""
        try:
            await _insist(lambda: call(job), self._on_retry)
        except ChatMigrated as error:
            raise ChatMovedError(error.new_chat_id) from None
        except Forbidden as error:
            raise ChatGoneError(str(error)) from None
        except BadRequest as error:
            if any(sign in str(error).lower() for sign in _GONE):
                raise ChatGoneError(str(error)) from None
            if job.thread_id is None or "thread not found" not in str(error).lower():
                raise UndeliverableError(str(error)) from None
            await self._send(replace(job, thread_id=None), call)


def _as_photo(job: Job, result: Result) -> bool:
    """Tell whether the result can be looked at as a photo, and shall be: a photo loses transparency and sharpness."""
    first = result.files[0]
    opaque = first.format == "jpg" or isinstance(job.operation, (Colorize, Enhance))
    if len(result.files) > 1 or job.send_as == "file" or not opaque or first.format == "webp":
        return False
    wanted = job.send_as is not None or (isinstance(job.operation, Colorize) and first.format == "jpg")
    return wanted and codec.fit_photo(first.file, first.size)


def _input(name: str, file: BinaryIO, size: int) -> InputFile:
    """Wrap a file for sending; what is in memory goes as it is, what is on disk is streamed from there."""
    file.seek(0)
    return InputFile(file.read() if size <= IN_MEMORY else file, filename=name, attach=True, read_file_handle=False)


def _name(job: Job, role: str, extension: str) -> str:
    stem = PurePath(job.file_name or "photo").stem[:60] or "photo"
    part = job.operation.name if role == "image" else role
    return f"{stem}-{part}.{extension}"


def _reply_to(job: Job) -> ReplyParameters | None:
    return None if job.reply_to is None else ReplyParameters(job.reply_to, allow_sending_without_reply=True)


async def _insist(call: Callable[[], Awaitable[T]], on_retry: Callable[[], None] | None = None) -> T:
    """Make a call to Telegram until it answers; the caller decides how long. What cannot pass is raised."""
    async for attempt in stamina.retry_context(
        on=_wait_for, attempts=None, timeout=None, wait_initial=0.5, wait_max=60
    ):
        with attempt:
            try:
                result = await call()
            except TelegramError as error:
                if on_retry is not None and _is_outage(error):
                    on_retry()
                raise
    return result


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
