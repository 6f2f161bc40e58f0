"""A sandbox for each test, with python-telegram-bot's own Bot calling it over real sockets."""

from collections.abc import AsyncIterator

import pytest
from httpx_aiohttp import AiohttpTransport
from telegram import Bot
from telegram.request import HTTPXRequest

from sandbox import Person, Sandbox, Telegram

PATIENCE = 30.0  # seconds; PTB's one second for a place in the pool would be aiohttp's for all of connecting


def request() -> HTTPXRequest:
    return HTTPXRequest(httpx_kwargs={"transport": AiohttpTransport(verify=False), "timeout": PATIENCE})


def bot_of(tg: Telegram, token: str) -> Bot:
    return Bot(
        token,
        base_url=tg.base_url,
        base_file_url=tg.base_file_url,
        request=request(),
        get_updates_request=request(),
    )


@pytest.fixture
async def tg() -> AsyncIterator[Telegram]:
    async with Sandbox() as telegram:
        yield telegram


@pytest.fixture
async def bot(tg: Telegram) -> AsyncIterator[Bot]:
    async with bot_of(tg, tg.token) as made:
        yield made


@pytest.fixture
async def ann(tg: Telegram, bot: Bot) -> Person:
    """Ann has started the bot, and the bot has read that."""
    person = await tg.person("Ann", language="ru", username="ann_b")
    await person.start()
    await bot.get_updates(offset=(await bot.get_updates())[-1].update_id + 1)
    return person
