"""python-telegram-bot's calls over real sockets: what arrives, and what becomes of failures."""

import asyncio
import traceback

import httpx
import pytest
from aiohttp import web
from httpx_aiohttp import AiohttpTransport
from telegram import Bot, InputFile
from telegram.error import BadRequest, NetworkError, TimedOut

from bot.request import TransportRequest
from tests.botapi import TOKEN, bot_api, bot_at, error


async def test_a_call_arrives_with_its_fields_and_files() -> None:
    """Text goes as fields, a file as a file, and the answer comes back as PTB reads it."""
    async with bot_api() as api, bot_at(api.url) as bot:
        sent = await bot.send_photo(7, InputFile(b"picture", "one.jpg", attach=True), caption="söme words")
    assert sent.message_id == 1
    call = next(call for call in api.calls if call.method == "sendPhoto")
    assert call.fields["chat_id"] == "7"
    assert call.fields["caption"] == "söme words"
    assert [(name, data) for _, name, data in call.files] == [("one.jpg", b"picture")]


async def test_a_refusal_is_told() -> None:
    """What Telegram refuses arrives as PTB's own error."""
    async with bot_api() as api, bot_at(api.url) as bot:
        api.answers = [error(400, "Bad Request: chat not found")]
        with pytest.raises(BadRequest, match=r"(?i)chat not found"):
            await bot.send_message(7, "hello")


async def test_a_broken_connection_is_an_outage() -> None:
    """A connection that breaks is a NetworkError, which whoever called may try again."""
    async with bot_api() as api, bot_at(api.url) as bot:
        api.answers = [None]
        with pytest.raises(NetworkError) as caught:
            await bot.send_message(7, "hello")
    assert TOKEN not in str(caught.value)


async def test_what_is_no_http_is_an_outage() -> None:
    """Neither its words nor what led to it repeat the address, which holds the token."""

    async def garbage(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        request.transport.write(b"no HTTP\r\n\r\n")
        request.transport.close()
        return web.Response()

    async with bot_api() as api, bot_at(api.url) as bot:
        api.answers = [garbage]
        with pytest.raises(NetworkError, match="ClientResponseError") as caught:
            await bot.send_message(7, "hello")
    assert TOKEN not in "".join(traceback.format_exception(caught.value))


async def test_silence_times_out() -> None:
    """An answer that never comes is TimedOut, after the call's own time or that of all calls."""
    forever = asyncio.Event()

    async def silent(request: web.Request) -> web.StreamResponse:
        del request
        await forever.wait()
        return web.Response()

    async with bot_api() as api:
        api.answers = [silent, silent]
        request = TransportRequest(AiohttpTransport(), seconds=0.05)
        assert request.read_timeout == 0.05
        async with request:
            with pytest.raises(TimedOut):
                await request.post(f"{api.url}/bot{TOKEN}/getMe")
            with pytest.raises(TimedOut):
                await request.post(f"{api.url}/bot{TOKEN}/getMe", read_timeout=0.01)
        forever.set()


async def test_shutdown_closes_the_connections() -> None:
    """After `shutdown` nothing is sent any more."""
    closed: list[bool] = []

    class Transport(httpx.AsyncBaseTransport):
        async def aclose(self) -> None:
            closed.append(True)

    async with Bot(TOKEN, request=TransportRequest(Transport(), seconds=1)).request:
        pass
    assert closed == [True]
