"""The ways an operator may run it: webhook, callback, sync, either provider, one taking over from the other."""

import asyncio
import io
import logging
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import structlog
from pydantic import SecretStr

from bot import logs
from storage import jobs
from storage.database import Database
from tests.journeys.conftest import House, answer
from tests.journeys.pictures import jpeg
from tests.journeys.stage import KEY, TOKEN, free_port

PHOTO = jpeg("coffee", longest=160)


async def develops(house: House, **changes: Any) -> None:
    """Start a bot with these settings and see one photo come back."""
    async with house.bot(**changes):
        ann = await house.person()
        asked = await ann.send_photo(photo=PHOTO, caption="/enhance 2x")
        reply = await answer(ann.chat, asked)
        assert reply.has_file, reply.words


async def unfinished(db: Database) -> int:
    """Count the jobs that were accepted and not yet done."""
    async with db.read() as conn:
        return len(await jobs.unfinished(conn))


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
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as web:
            ready = await web.get("/readyz")
            counted = 'darkroom_jobs_total{operation="enhance",outcome="delivered",provider="picwish"} 1.0'
            async with asyncio.timeout(10):  # the reply is there a moment before it is counted
                while counted not in (metrics := (await web.get("/metrics")).text):
                    await asyncio.sleep(0.02)
    assert 'outcome="key_refused"' in metrics
    assert ready.json() == {"ready": True, "checks": {"database": "ok", "telegram": "ok", "provider": "ok"}}


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
        async with httpx.AsyncClient(base_url=url) as web:
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
        async with closed_house.database() as db:
            while not await unfinished(db):
                await asyncio.sleep(0.02)
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
