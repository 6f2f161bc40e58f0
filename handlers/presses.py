"""What a press on a button says, packed into Telegram's 64 bytes; a button needs no memory but its own words."""

from dataclasses import dataclass
from typing import Self

from telegram import InlineKeyboardButton

VERSION = "2"
"""Changes when old buttons can no longer be understood; they are then answered as too old."""


@dataclass(frozen=True, slots=True)
class Press:
    """Do `verb` with `args`; only the person `user_id` (or a group admin) may."""

    verb: str
    user_id: int
    args: tuple[str, ...] = ()

    def pack(self) -> str:
        """Give the callback data, at most 64 bytes."""
        return ":".join((VERSION, self.verb, str(self.user_id), *self.args))

    @classmethod
    def read(cls, data: str | None) -> Self | None:
        """Read callback data; None when it comes from another version of this bot, or from nowhere."""
        version, *rest = (data or "").split(":")
        if version != VERSION or len(rest) < 2:  # noqa: PLR2004  verb and person
            return None
        verb, user, *args = rest
        sign, digits = user[:1] == "-", user.removeprefix("-")
        if not (verb.isalpha() and digits.isascii() and digits.isdigit() and str(int(digits)) == digits):
            return None
        return cls(verb, -int(digits) if sign else int(digits), tuple(args))

    @property
    def first(self) -> str:
        """The first argument; blank if there is none."""
        return self.args[0] if self.args else ""

    @property
    def second(self) -> str:
        """The second argument; blank if there is none."""
        return self.args[1] if len(self.args) > 1 else ""

    @property
    def third(self) -> str:
        """The third argument; blank if there is none."""
        return self.args[2] if len(self.args) > 2 else ""  # noqa: PLR2004  see above


def button(words: str, verb: str, user_id: int, *args: object) -> InlineKeyboardButton:
    """Make a button that says `words` and does `verb`."""
    return InlineKeyboardButton(words, callback_data=Press(verb, user_id, tuple(map(str, args))).pack())
