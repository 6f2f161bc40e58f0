"""Delivers updates to a webhook as Telegram does: in order, again after a failure, with the secret header."""

import asyncio
import contextlib
import logging
import re
from typing import Any
from urllib.parse import urlsplit

import httpx
from httpx_aiohttp import AiohttpTransport

from sandbox.errors import bad_request
from sandbox.world import Bot, Webhook, World

log = logging.getLogger(__name__)
LOOPBACK = {"127.0.0.1", "localhost", "::1"}
SECRET = re.compile(r"[A-Za-z0-9_-]{0,256}")
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 2.0
PATIENCE = 30.0


def start(world: World, bot: Bot, url: str, secret: str) -> None:
    """Send the bot's updates to *url* from now on; 400 unless it is on this machine."""
    stop(bot)
    if not url:
        return
    if urlsplit(url).hostname not in LOOPBACK:
        raise bad_request("bad webhook: the sandbox delivers to this machine only")
    if not SECRET.fullmatch(secret):
        raise bad_request("bad webhook: secret token contains unallowed characters")
    bot.webhook = Webhook(url, secret)
    if bot.poller and not bot.poller.done():
        bot.poller.set_result(None)
    bot.webhook.task = asyncio.create_task(_deliver(world, bot, bot.webhook))


def stop(bot: Bot) -> asyncio.Task[None] | None:
    """End delivery; what was not taken keeps waiting. Return the task that is about to end, if any."""
    task = bot.webhook.task if bot.webhook else None
    if task:
        task.cancel()
    bot.webhook = None
    return task


def info(bot: Bot) -> dict[str, Any]:
    """Return the bot's WebhookInfo."""
    hook = bot.webhook
    about: dict[str, Any] = {
        "url": hook.url if hook else "",
        "has_custom_certificate": False,
        "pending_update_count": len(bot.updates),
    }
    if hook:
        about["max_connections"] = hook.max_connections
    if hook and hook.error_date:
        about |= {"last_error_date": hook.error_date, "last_error_message": hook.error_message}
    if bot.allowed_updates:
        about["allowed_updates"] = bot.allowed_updates
    return about


async def _deliver(world: World, bot: Bot, hook: Webhook) -> None:
    headers = {"X-Telegram-Bot-Api-Secret-Token": hook.secret} if hook.secret else {}
    pause = FIRST_PAUSE
    plain = AiohttpTransport(verify=False)
    async with httpx.AsyncClient(transport=plain, timeout=PATIENCE, headers=headers) as client:
        while True:
            if not bot.updates:
                bot.arrived.clear()
                await bot.arrived.wait()
                continue
            update = bot.updates[0]
            problem = await _offer(client, hook.url, update)
            if problem is None:
                with contextlib.suppress(ValueError):  # dropped meanwhile by drop_pending_updates
                    bot.updates.remove(update)
                pause = FIRST_PAUSE
                continue
            hook.error_date, hook.error_message = world.now(), problem
            log.warning("webhook: %s; again in %.2f s", problem, pause)
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)


async def _offer(client: httpx.AsyncClient, url: str, update: dict[str, Any]) -> str | None:
    """POST one update; return what went wrong, None when it was taken."""
    try:
        response = await client.post(url, json=update)
    except httpx.HTTPError as error:
        return f"Connection failed: {type(error).__name__}"
    if response.is_success:
        return None
    return f"Wrong response from the webhook: {response.status_code} {response.reason_phrase}"
