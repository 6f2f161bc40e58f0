"""getMe and the ways to receive updates."""

from typing import Any

from sandbox import updates, webhooks
from sandbox.registry import Call, method

Json = dict[str, Any]


@method
async def getMe(call: Call) -> Json:  # noqa: N802  Telegram's name
    """Tell the bot who it is."""
    return {
        **call.bot.user,
        "can_join_groups": True,
        "can_read_all_group_messages": not call.bot.privacy,
        "supports_inline_queries": False,
        "can_connect_to_business": False,
        "has_main_web_app": False,
    }


@method
async def getUpdates(call: Call) -> list[Json]:  # noqa: N802  Telegram's name
    """Return what waits for the bot, or wait for it."""
    if call.get("allowed_updates") is not None:
        call.bot.allowed_updates = call["allowed_updates"]
    limit = min(max(call.get("limit", updates.MOST), 1), updates.MOST)
    return await updates.fetch(
        call.world, call.bot, offset=call.get("offset", 0), limit=limit, patience=call.get("timeout", 0)
    )


@method
async def setWebhook(call: Call) -> bool:  # noqa: N802  Telegram's name
    """Have updates sent to a URL on this machine; an empty one ends that."""
    if call.get("drop_pending_updates"):
        call.bot.updates.clear()
    if call.get("allowed_updates") is not None:
        call.bot.allowed_updates = call["allowed_updates"]
    webhooks.start(call.world, call.bot, call["url"], call.get("secret_token", ""))
    return True


@method
async def deleteWebhook(call: Call) -> bool:  # noqa: N802  Telegram's name
    """Go back to getUpdates."""
    webhooks.stop(call.bot)
    if call.get("drop_pending_updates"):
        call.bot.updates.clear()
    return True


@method
async def getWebhookInfo(call: Call) -> Json:  # noqa: N802  Telegram's name
    """Tell where updates go and what went wrong last."""
    return webhooks.info(call.bot)
