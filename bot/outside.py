"""Parts of the composition root that reach outside: Telegram and the providers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
from httpx_aiohttp import AiohttpTransport
from telegram.ext import ExtBot

from bot.pacing import Pacer
from bot.request import TransportRequest
from imaging.gptge import GptGe
from imaging.picwish import PicWish
from imaging.transport import tls
from imaging.wire import ReturnType

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import SecretStr

    from bot.pacing import Gate
    from bot.settings import Settings
    from imaging.provider import Provider


def make_providers(settings: Settings) -> list[Provider]:
    """Make a client for each provider in DARKROOM_PROVIDERS, in that order."""
    made: dict[str, Callable[[], Provider]] = {
        "gptge": lambda: GptGe(settings.gptge_url, _given(settings.gptge_token)),
        "picwish": lambda: PicWish(
            settings.picwish_url, _given(settings.picwish_api_key), return_type=ReturnType(settings.picwish_return_type)
        ),
    }
    return [made[name]() for name in settings.providers]


def make_bot(settings: Settings, gate: Gate | None = None) -> ExtBot[Any]:
    """Make the Telegram client.

    `gate` is what all processes that call Telegram keep together.
    """
    return ExtBot(
        settings.bot_token.get_secret_value(),
        base_url=f"{settings.bot_api_url}/bot",
        base_file_url=f"{settings.bot_api_url}/file/bot",
        request=TransportRequest(make_transport(), seconds=30),
        get_updates_request=TransportRequest(make_transport(), seconds=30),
        rate_limiter=Pacer(settings.telegram_rate, gate),
    )


def make_transport() -> AiohttpTransport:
    """Make connections to Telegram: httpx on aiohttp, which costs a quarter of httpx's own."""
    return AiohttpTransport(verify=tls(), limits=httpx.Limits(max_connections=256))


def _given(key: SecretStr | None) -> SecretStr:
    if key is None:  # settings.py refuses a provider without its key
        raise AssertionError
    return key
