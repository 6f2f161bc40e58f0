"""Delivery over real sockets: what is sent how, what is tried again, and what ends a job."""

import asyncio
import io
import json
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import closing
from dataclasses import replace
from typing import BinaryIO

import pytest
import stamina
from aiohttp import web
from telegram.error import NetworkError

from imaging.errors import NotAPicture, PictureTooLarge
from imaging.operations import Colorize, Cutout, Operation
from jobs import delivery
from jobs.closing import ChatGoneError, ChatMovedError, UndeliverableError
from jobs.delivery import DOWNLOAD_BYTES, Delivery
from jobs.job import Job, Piece, State
from tests.botapi import TOKEN, BotApi, answer, bot_api, bot_at, client, error
from tests.jobs.support import make_result, picture

SECRET = TOKEN.partition(":")[2]


class Post:
    """A delivery and the server it talks to."""

    def __init__(self, api: BotApi, made: Delivery, retries: list[None]) -> None:
        self.api, self.delivery, self.retries = api, made, retries

    async def deliver(self, job: Job, *pictures: bytes, changes: tuple[str, ...] = ()) -> None:
        """Deliver these pictures."""
        with closing(Piece(job, result=make_result(*pictures or (picture(),)), changes=changes)) as piece:
            await self.delivery.deliver(job, [piece])


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    retries: list[None] = []

    def say(language: str | None, key: str, /, **params: str | int) -> str:
        return f"{language}:{key}{params or ''}"

    async with bot_api() as api, bot_at(api.url) as bot, client() as files:
        yield Post(api, Delivery(bot, files, say, lambda: retries.append(None)), retries)


@pytest.fixture
def quickly() -> Iterator[None]:
    """Retry without the pauses."""
    with stamina.set_testing(True, attempts=20):
        yield


def job(operation: Operation | None = None, **changes: object) -> Job:
    made = Job(
        id=1,
        chat_id=7,
        thread_id=None,
        user_id=8,
        reply_to=5,
        language="de",
        file_id="f",
        file_name=None,
        operation=operation or Colorize(),
        state=State.ACCEPTED,
        provider=None,
        task_id=None,
        submits=0,
        worked=0.0,
        error=None,
        error_params=None,
        updated_at=0.0,
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # the fields of Job


def into() -> BinaryIO:
    return io.BytesIO()


async def test_fetch(post: Post) -> None:
    """The original is streamed into the file handed over."""
    post.api.file = os.urandom(300_000)
    with into() as file:
        file.write(b"left by an earlier try")
        assert await post.delivery.fetch(job(), file) == 300_000
        file.seek(0)
        assert file.read() == post.api.file


async def test_fetch_stops_at_the_limit(post: Post) -> None:
    """A file that goes on past what Telegram gives is not read to its end."""
    piece = bytes(2**20)
    sent = 0

    async def endless(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        await response.prepare(request)
        while sent < 100 * len(piece):
            try:
                await response.write(piece)
            except ConnectionError:
                break
            sent += len(piece)
        return response

    post.api.files = [endless]
    with tempfile.TemporaryFile() as file, pytest.raises(PictureTooLarge) as caught:
        await post.delivery.fetch(job(), file)
    assert caught.value.params == {"megabytes": 20}
    assert sent < 2 * DOWNLOAD_BYTES


@pytest.mark.parametrize(
    ("description", "expected"),
    [("Bad Request: file is too big", PictureTooLarge), ("Bad Request: wrong file_id", NotAPicture)],
)
async def test_fetch_refused(post: Post, description: str, expected: type[Exception]) -> None:
    """What Telegram will not give is said at once."""
    post.api.answers = [error(400, description)]
    with into() as file, pytest.raises(expected):
        await post.delivery.fetch(job(), file)


@pytest.mark.usefixtures("quickly")
async def test_fetch_through_outages(post: Post) -> None:
    """5xx, a reset, an expired link, a body cut short and what is no HTTP are tried again, from the beginning."""
    post.api.file = b"x" * 100

    async def cut(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100"})
        await response.prepare(request)
        await response.write(b"y" * 50)
        assert request.transport is not None
        request.transport.close()
        return response

    async def gibberish(request: web.Request) -> web.Response:
        assert isinstance(request.transport, asyncio.Transport)
        request.transport.write(b"nothing that a server says\r\n\r\n")
        request.transport.close()
        return web.Response()

    post.api.answers = [error(502, "Bad Gateway"), None]
    post.api.files = [None, web.Response(status=404), web.Response(status=500), cut, gibberish]
    with into() as file:
        assert await post.delivery.fetch(job(), file) == 100
        file.seek(0)
        assert file.read() == post.api.file
    assert post.retries == []  # nothing was sent that could be there twice


async def test_no_token_in_what_is_raised(post: Post) -> None:
    """The address of a download holds the token; no exception that a traceback would show does."""
    post.api.files = [web.Response(status=500) for _ in range(9)]
    twice = stamina.set_testing(True, attempts=2)
    with twice, into() as file, pytest.raises(NetworkError, match="download failed") as caught:
        await post.delivery.fetch(job(), file)
    shown: BaseException | None = caught.value
    while shown is not None:
        assert SECRET not in repr(shown)
        shown = None if shown.__suppress_context__ else shown.__context__


@pytest.mark.parametrize(
    ("operation", "kind", "method"),
    [
        (Colorize(), "JPEG", "sendPhoto"),
        (Colorize(), "PNG", "sendDocument"),
        (Cutout(), "PNG", "sendDocument"),
        (Cutout(), "JPEG", "sendDocument"),
    ],
)
async def test_photo_or_file(post: Post, operation: Operation, kind: str, method: str) -> None:
    """Only a colorized JPEG goes as a photo: anything else Telegram would recompress or flatten."""
    data = picture(kind)
    await post.deliver(job(operation, file_name="../Grandma & me?.heic"), data, changes=("converted",))
    (call,) = post.api.calls
    assert call.method == method
    ((_, name, sent),) = call.files
    assert sent == data
    assert name.startswith("Grandma & me") and name.endswith(f"-{operation.name}.{'jpg' if kind == 'JPEG' else 'png'}")  # noqa: PT018  one name
    assert call.fields["chat_id"] == "7"
    assert call.fields["caption"] == f"de:done_{operation.name} de:note_converted"
    assert json.loads(call.fields["reply_parameters"]) == {"message_id": 5, "allow_sending_without_reply": True}


@pytest.mark.parametrize(
    ("sent", "stem"),
    [
        ("../../etc/me.png", "me"),
        ("a\u202egpj.exe", "agpj"),
        ("a\0b\r\n.png", "ab"),
        ("\ud800.png", "photo"),
        ("", "photo"),
    ],
)
async def test_names_of_results(post: Post, sent: str, stem: str) -> None:
    """A result is called after the file it was made of, less what leads elsewhere, cannot be sent or deceives."""
    await post.deliver(job(Cutout(), file_name=sent), picture("PNG"))
    assert post.api.calls[0].files[0][1] == f"{stem}-cutout.png"


async def test_in_a_topic_without_a_message_to_reply_to(post: Post) -> None:
    """A forum's topic is kept; a job carried over from an old group replies to nothing."""
    await post.deliver(job(thread_id=42, reply_to=None))
    (call,) = post.api.calls
    assert call.fields["message_thread_id"] == "42"
    assert "reply_parameters" not in call.fields


async def test_picture_and_mask_are_one_message_group(post: Post) -> None:
    """Two files arrive together or not at all, the caption on the first."""
    await post.deliver(job(Cutout(output=1)), picture("PNG"), picture("PNG"))
    (call,) = post.api.calls
    assert call.method == "sendMediaGroup"
    media = json.loads(call.fields["media"])
    assert [each["type"] for each in media] == ["document", "document"]
    assert [each.get("caption") for each in media] == ["de:done_cutout", None]
    assert [name for _, name, _ in call.files] == ["photo-cutout.png", "photo-mask.png"]


async def test_a_photo_that_telegram_refuses_goes_as_a_file(post: Post) -> None:
    """PHOTO_INVALID_DIMENSIONS and the like do not cost the result."""
    post.api.answers = [error(400, "Bad Request: PHOTO_INVALID_DIMENSIONS")]
    await post.deliver(job())
    assert [call.method for call in post.api.calls] == ["sendPhoto", "sendDocument"]


@pytest.mark.usefixtures("quickly")
async def test_sent_through_outages(post: Post) -> None:
    """Reset, 5xx, HTML and garbage instead of an answer: sent again whole, and counted, for it may be there twice."""
    big = picture("PNG") + bytes(3 * 2**20) + b"IEND"
    post.api.answers = [
        None,
        error(500, "Internal Server Error"),
        web.Response(status=502, text="<html>Bad Gateway</html>"),
        web.Response(text="<html>captive portal</html>"),
        error(429, "Too Many Requests", retry_after=1),
    ]
    await post.deliver(job(Cutout()), big)
    assert [call.files[0][2] == big for call in post.api.calls] == [True] * 6
    assert len(post.retries) == 4


async def test_retry_after_is_obeyed(post: Post) -> None:
    """Telegram's own pause is kept, and is no reason to fear a duplicate."""
    post.api.answers = [error(429, "Too Many Requests", retry_after=1)]
    began = asyncio.get_running_loop().time()
    await post.delivery.tell(job(), "busy", {"n": 3})
    assert asyncio.get_running_loop().time() - began >= 1
    assert post.api.calls[-1].fields["text"] == "de:error_busy{'n': 3}"
    assert post.retries == []


@pytest.mark.parametrize(
    ("refusal", "expected", "told"),
    [
        (lambda: error(403, "Forbidden: bot was blocked by the user"), ChatGoneError, ChatGoneError),
        (lambda: error(400, "Bad Request: chat not found"), ChatGoneError, ChatGoneError),
        (lambda: error(400, "Bad Request: not enough rights to send documents"), UndeliverableError, ChatGoneError),
        (lambda: error(400, "Bad Request: group chat was upgraded", migrate_to_chat_id=-1007), ChatMovedError, None),
    ],
)
async def test_refusals(post: Post, refusal: object, expected: type[Exception], told: type[Exception] | None) -> None:
    """What cannot pass is not tried again, and says which of three things it is."""
    assert callable(refusal)
    post.api.answers = [refusal(), refusal()]
    with pytest.raises(expected) as caught:
        await post.deliver(job(Cutout()))
    if isinstance(caught.value, ChatMovedError):
        assert caught.value.chat_id == -1007
    with pytest.raises(told or expected):
        await post.delivery.tell(job(), "no_face", {})
    assert len(post.api.calls) == 2
    assert SECRET not in repr(caught.value)


@pytest.mark.parametrize(("operation", "action"), [(Colorize(), "upload_photo"), (Cutout(), "upload_document")])
async def test_busy_keeps_the_chat_action_alive(
    post: Post, monkeypatch: pytest.MonkeyPatch, operation: Operation, action: str
) -> None:
    """The action is repeated for as long as the work lasts, through Telegram's refusals, and not after it."""
    monkeypatch.setattr(delivery, "FIRST_ACTION_SECONDS", 0)
    monkeypatch.setattr(delivery, "ACTION_SECONDS", 0.001)
    third = asyncio.Event()

    async def tell(_: web.Request) -> web.Response:
        third.set()
        return answer(result=True)

    post.api.answers = [error(429, "Too Many Requests", retry_after=1), answer(result=True), tell]
    async with asyncio.timeout(60), post.delivery.busy(job(operation, thread_id=3)):
        await third.wait()
    assert {call.method for call in post.api.calls} == {"sendChatAction"}
    assert (post.api.calls[0].fields["action"], post.api.calls[0].fields["message_thread_id"]) == (action, "3")


async def test_a_quick_reply_needs_no_action(post: Post) -> None:
    """Work that is done at once shows nothing and waits for nothing."""
    async with post.delivery.busy(job()):
        await asyncio.sleep(0)
    assert post.api.calls == []
