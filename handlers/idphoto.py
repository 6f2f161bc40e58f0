"""A portrait for a passport or a visa."""

from telegram import Update

from handlers import incoming
from handlers.context import Context
from imaging.operations import IdPhoto


def _mention(operation: IdPhoto) -> dict[str, str]:
    """Tell the size, so that a wrong one is seen before the photo is spent on it."""
    return {"size": f"{operation.width}x{operation.height}"}


async def idphoto(update: Update, context: Context) -> None:
    """/idphoto [300x400|35x45mm|country] [colour] [jpg|png]."""
    await incoming.take(update, context, IdPhoto, _mention)
