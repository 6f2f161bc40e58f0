"""How updates reach a bot: long polling with confirmation, and webhooks delivered again until taken."""

import asyncio
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from telegram import Bot, Update
from telegram.error import BadRequest, Conflict
from telegram.ext import Application, CommandHandler, ContextTypes

from sandbox import Person, Telegram
from tests.sandbox.conftest import PATIENCE, request


async def test_updates_come_until_an_offset_confirms_them(bot: Bot, ann: Person) -> None:
    """The same updates come again and again, until a higher offset is asked for."""
    for text in "abc":
        await ann.send(text=text)
    first = await bot.get_updates(limit=2)
    assert [update.update_id for update in await bot.get_updates(limit=2)] == [update.update_id for update in first]
    rest = await bot.get_updates(offset=first[-1].update_id + 1)
    assert [update.message.text for update in rest if update.message] == ["c"]
    assert await bot.get_updates(offset=rest[-1].update_id + 1) == ()


async def test_a_negative_offset_keeps_the_last(bot: Bot, ann: Person) -> None:
    """Offset -1 forgets all but the last update."""
    for text in "abc":
        await ann.send(text=text)
    assert [update.message.text for update in await bot.get_updates(offset=-1) if update.message] == ["c"]
    assert len(await bot.get_updates()) == 1


async def test_a_long_poll_ends_when_something_happens(tg: Telegram, bot: Bot, ann: Person) -> None:
    """A waiting getUpdates returns at once when a message comes, and empty-handed when none does."""
    before = len(await tg.calls("getUpdates", begun=True))
    poll = asyncio.create_task(bot.get_updates(timeout=50))
    await tg.calls("getUpdates", least=before + 1, begun=True)
    await ann.send(text="now")
    updates = await asyncio.wait_for(poll, PATIENCE)
    assert updates[0].message is not None
    assert await bot.get_updates(offset=updates[0].update_id + 1, timeout=1) == ()


async def test_a_second_poller_ends_the_first(tg: Telegram, bot: Bot, ann: Person) -> None:
    """Two pollers conflict: the first is told, the second goes on."""
    before = len(await tg.calls("getUpdates", begun=True))
    first = asyncio.create_task(bot.get_updates(timeout=20))
    await tg.calls("getUpdates", least=before + 1, begun=True)
    second = asyncio.create_task(bot.get_updates(timeout=20))
    with pytest.raises(Conflict, match="terminated by other getUpdates request"):
        await first
    await ann.send(text="hi")
    assert len(await second) == 1


async def test_only_wanted_kinds_come(bot: Bot, ann: Person) -> None:
    """allowed_updates holds until it is set again; reactions come only when asked for."""
    await bot.get_updates(allowed_updates=["message", "message_reaction"])
    message = await ann.send(text="hi")
    await ann.edit(message, "ho")
    await ann.react(message, "🔥")
    updates = await bot.get_updates()
    assert [bool(update.edited_message) for update in updates] == [False, False]
    assert updates[1].message_reaction is not None
    await bot.get_updates(offset=updates[-1].update_id + 1, allowed_updates=[])
    await ann.react(message, "🔥")
    await ann.edit(message, "ha")
    assert [bool(update.edited_message) for update in await bot.get_updates()] == [True]


async def test_an_application_polls_and_answers(tg: Telegram, bot: Bot, ann: Person) -> None:
    """python-telegram-bot's Application runs against the sandbox as against Telegram."""
    del bot

    async def greet(update: Update, _: ContextTypes.DEFAULT_TYPE) -> None:
        assert update.message is not None
        await update.message.reply_text("hello", do_quote=True)

    builder = Application.builder().token(tg.token).base_url(tg.base_url).base_file_url(tg.base_file_url)
    application = builder.request(request()).get_updates_request(request()).build()
    application.add_handler(CommandHandler("hello", greet))
    async with application:
        await application.start()
        assert application.updater is not None
        await application.updater.start_polling()
        asked = await ann.send(text="/hello")
        assert (await ann.chat.wait_for(after=asked)).replies_to == asked.id
        await application.updater.stop()
        await application.stop()


class Hook:
    """A web server that takes updates, and refuses as many as it is told to."""

    def __init__(self) -> None:
        self.url = ""
        self.refusals = 0
        self.headers: list[str | None] = []
        self.offered: list[str] = []
        self.taken: asyncio.Queue[str] = asyncio.Queue()

    async def take(self, request: Request) -> Response:
        """Note the update, and take it unless it is to be refused."""
        update: dict[str, Any] = await request.json()
        self.headers.append(request.headers.get("x-telegram-bot-api-secret-token"))
        self.offered.append(update["message"]["text"])
        if self.refusals:
            self.refusals -= 1
            return Response(status_code=500)
        self.taken.put_nowait(update["message"]["text"])
        return Response()


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    made = Hook()
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", 0))
    made.url = f"http://127.0.0.1:{listener.getsockname()[1]}/hook"
    app = Starlette(routes=[Route("/hook", made.take, methods=["POST"])])
    config = uvicorn.Config(app, lifespan="off", log_config=None, ws="none")
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup([listener])
    yield made
    await server.shutdown()


async def test_a_webhook_gets_updates_in_order_with_its_secret(bot: Bot, ann: Person, hook: Hook) -> None:
    """What waited and what comes is posted in order, with the secret in the header."""
    await ann.send(text="1")
    await bot.set_webhook(hook.url, secret_token="s3cret")
    await ann.send(text="2")
    assert [await asyncio.wait_for(hook.taken.get(), PATIENCE) for _ in range(2)] == ["1", "2"]
    assert hook.headers == ["s3cret", "s3cret"]
    assert (await bot.get_webhook_info()).url == hook.url


async def test_a_refused_update_is_sent_again_before_the_next(bot: Bot, ann: Person, hook: Hook) -> None:
    """After a 500 the same update comes again; the next waits for it; getWebhookInfo tells."""
    hook.refusals = 2
    await bot.set_webhook(hook.url)
    await ann.send(text="1")
    await ann.send(text="2")
    assert [await asyncio.wait_for(hook.taken.get(), PATIENCE) for _ in range(2)] == ["1", "2"]
    assert hook.offered == ["1", "1", "1", "2"]
    assert hook.headers == [None] * 4
    info = await bot.get_webhook_info()
    assert info.last_error_message == "Wrong response from the webhook: 500 Internal Server Error"


async def test_webhook_and_polling_exclude_each_other(tg: Telegram, bot: Bot, ann: Person, hook: Hook) -> None:
    """GetUpdates is refused while a webhook is set; removing it, with what waits, lets polling go on."""
    before = len(await tg.calls("getUpdates", begun=True))
    poll = asyncio.create_task(bot.get_updates(timeout=20))
    await tg.calls("getUpdates", least=before + 1, begun=True)
    hook.refusals = 1000
    await bot.set_webhook(hook.url, allowed_updates=["message"])
    with pytest.raises(Conflict):
        await poll
    with pytest.raises(Conflict, match="webhook is active"):
        await bot.get_updates()
    await ann.send(text="waits")
    info = await bot.get_webhook_info()
    assert (info.pending_update_count, info.allowed_updates) == (1, ("message",))
    await bot.delete_webhook(drop_pending_updates=True)
    assert await bot.get_updates() == ()
    assert (await bot.get_webhook_info()).url == ""


async def test_a_webhook_nobody_listens_at(bot: Bot, ann: Person) -> None:
    """A dead URL is tried again too, and the reason can be read."""
    await bot.set_webhook("http://127.0.0.1:9/hook", drop_pending_updates=True)
    await ann.send(text="lost?")
    info = await bot.get_webhook_info()
    while not info.last_error_message:  # each call gives the delivery a turn
        info = await bot.get_webhook_info()
    assert info.last_error_message.startswith("Connection failed")
    assert await bot.set_webhook("")
    assert len(await bot.get_updates()) == 1


@pytest.mark.parametrize(
    ("url", "secret", "words"),
    [
        ("https://example.org/hook", None, "this machine only"),
        ("http://127.0.0.1:9/", "a b", "secret token contains unallowed characters"),
    ],
)
async def test_webhooks_that_are_refused(bot: Bot, url: str, secret: str | None, words: str) -> None:
    """Other machines and odd secrets are refused."""
    with pytest.raises(BadRequest, match=words):
        await bot.set_webhook(url, secret_token=secret)
