"""The ways an operator may run it: webhook, callback, sync, either provider, one taking over from the other."""

import asyncio
import io
import logging
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
import structlog
from pydantic import SecretStr

from bot import logs
from storage.tables import jobs
from tests.journeys.conftest import House, answer, ready
from tests.journeys.pictures import jpeg
from tests.journeys.stage import KEY, START_SECONDS, TOKEN, free_port

PHOTO = jpeg("coffee", longest=160)


async def develops(house: House, **changes: Any) -> None:
    """Start a bot with these settings and see one photo come back."""
    async with house.bot(**changes):
        ann = await house.person()
        asked = await ann.send_photo(photo=PHOTO, caption="/enhance 2x")
        reply = await answer(ann.chat, asked)
        assert reply.has_file, reply.words


def picwish(house: House, **more: Any) -> dict[str, Any]:
    """Give the settings that make the engine a PicWish."""
    return {"picwish_url": house.settings.gptge_url, "picwish_api_key": SecretStr(KEY), **more}


async def test_sync(closed_house: House) -> None:
    """With DARKROOM_WAIT=sync the provider's first answer already has the result."""
    await develops(closed_house, wait="sync")


@pytest.mark.parametrize(("wait", "return_type"), [("poll", 1), ("poll", 2), ("sync", 3)])
async def test_picwish(closed_house: House, wait: str, return_type: int) -> None:
    """PicWish's dialect brings the same photo back, as a link, as base64 and as bytes."""
    how = picwish(closed_house, providers=("picwish",), wait=wait, picwish_return_type=return_type)
    await develops(closed_house, **how)


async def test_the_next_provider_takes_over(closed_house: House) -> None:
    """When the first provider refuses the key the second one does the work, and the metrics say so."""
    port = free_port()
    how = picwish(closed_house, providers=("gptge", "picwish"), gptge_token=SecretStr("sk-wrong"), http_port=port)
    async with closed_house.bot(**how):
        ann = await closed_house.person()
        asked = await ann.send_photo(photo=PHOTO, caption="/enhance 1")
        assert (await answer(ann.chat, asked)).has_file
        await ready(f"http://127.0.0.1:{port}", "database", "telegram", "provider")
        counted = 'darkroom_jobs_total{operation="enhance",outcome="delivered",provider="picwish"} 1.0'
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", timeout=START_SECONDS) as web:
            # The reply is there a moment before it is counted.
            while counted not in (metrics := (await web.get("/metrics")).text):
                await asyncio.sleep(0.02)
    assert 'outcome="key_refused"' in metrics


@pytest.fixture
def printed(closed_house: House) -> Iterator[io.StringIO]:
    """Log everything there is, as the program does."""
    root, hook, stream = logging.getLogger(), sys.excepthook, io.StringIO()
    handlers, level = root.handlers[:], root.level
    logs.configure("DEBUG", "json", closed_house.settings.secrets(), stream)
    yield stream
    root.handlers[:], sys.excepthook = handlers, hook
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


async def test_webhook_and_callback(closed_house: House, printed: io.StringIO) -> None:
    """By webhook, with provider callbacks: a photo comes back, strangers are kept out, and no secret is printed."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    await _by_webhook(closed_house, url, port)
    assert '"ready"' in printed.getvalue()
    for secret in (TOKEN, KEY, closed_house.settings.webhook_secret.get_secret_value()):
        assert secret not in printed.getvalue()


async def _by_webhook(house: House, url: str, port: int) -> None:
    async with house.bot(public_url=url, http_port=port, wait="callback"):
        ann = await house.person()
        asked = await ann.send_photo(photo=PHOTO, caption="/enhance 2x")
        assert (await answer(ann.chat, asked)).has_file
        async with httpx.AsyncClient(base_url=url, timeout=START_SECONDS) as web:
            update = {"update_id": 1}
            assert (await web.post("/telegram", json=update)).status_code == 403
            wrong = {"X-Telegram-Bot-Api-Secret-Token": "guess"}
            assert (await web.post("/telegram", json=update, headers=wrong)).status_code == 403
            assert (await web.post("/callback/guess", json={})).status_code == 404
            assert (await web.get("/healthz")).status_code == 200


async def test_a_job_goes_on_after_a_restart(closed_house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """A photo accepted before a stop is delivered after the start, once, and charged once."""
    monkeypatch.setattr("bot.app.STOP_SECONDS", 0.0)
    async with closed_house.bot(provider_rate=0.01):
        ann = await closed_house.person()
        asked = await ann.send_photo(photo=PHOTO, caption="/enhance 1")
        await closed_house.until(sa.select(jobs.c.id))
    async with closed_house.bot():
        await answer(ann.chat, asked, result=True)
        quota = await answer(ann.chat, await ann.send(text="/quota"))
        assert "9 credits" in quota.words
        left = [message for message in await ann.chat.messages(after=asked) if message.replies_to == asked.id]
        assert [message.has_file for message in left] == [True]


async def test_it_starts_through_floods_and_garbage(closed_house: House) -> None:
    """A 429 or an answer that is none at the start is waited out, as an outage is."""
    await closed_house.tg.fault("error", "getMe", status=429, retry_after=1)
    await closed_house.tg.fault("garbage", "deleteWebhook")
    async with closed_house.bot():
        await closed_house.person()
