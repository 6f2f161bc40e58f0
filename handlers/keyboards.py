"""The buttons under the bot's messages, and what a press on one says."""

from dataclasses import dataclass
from typing import Self

from telegram import InlineKeyboardButton, InlineKeyboardMarkup

from handlers.context import Context
from imaging.operations import OPERATIONS


@dataclass(frozen=True, slots=True)
class Choice:
    """A press: do the operation called `operation`; only the person `user_id` may."""

    operation: str
    user_id: int

    def pack(self) -> str:
        """Give the callback data, at most Telegram's 64 bytes. The number in front is the format's version."""
        return f"1:{self.operation}:{self.user_id}"

    @classmethod
    def read(cls, data: str | None) -> Self | None:
        """Read callback data; None when it comes from another version of this bot, or from nowhere."""
        version, _, rest = (data or "").partition(":")
        operation, _, user = rest.partition(":")
        known = version == "1" and operation in OPERATIONS and user.isascii() and user.isdigit()
        return cls(operation, int(user)) if known else None


def menu(context: Context, user_id: int) -> InlineKeyboardMarkup:
    """Offer the four operations to the person who sent a photo, two in a row."""
    buttons = [
        InlineKeyboardButton(context.say(f"button_{name}"), callback_data=Choice(name, user_id).pack())
        for name in OPERATIONS
    ]
    return InlineKeyboardMarkup([buttons[:2], buttons[2:]])
