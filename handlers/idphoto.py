"""A portrait for a passport or a visa."""

from functools import partial

from telegram import Message, Update

from handlers import incoming
from handlers.context import Context
from handlers.wishes import Wish
from imaging.operations import IdPhoto


def _mention(operation: IdPhoto) -> dict[str, str]:
    """Tell the size, so that a wrong one is seen before the photo is spent on it."""
    return {"size": f"{operation.width}x{operation.height}"}


async def idphoto(update: Update, context: Context) -> None:
    """/idphoto [300x400|35x45mm|country] [colour] [jpg|png]; what is not said is as /settings has it."""
    usual = context.preferences
    parse = partial(IdPhoto.parse, usual_size=usual.id_size, usual_background=usual.id_background)
    await incoming.take(update, context, IdPhoto, _mention, parse)


async def ask_portrait(context: Context, message: Message, person: int, operation: IdPhoto) -> None:
    """Ask a person for the portrait, in answer to `message`."""
    words = context.say("ask_idphoto", **_mention(operation))
    await incoming.ask(context, message, person, Wish(operation), words)
