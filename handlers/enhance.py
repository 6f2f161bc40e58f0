"""A photo made sharper and larger."""

from telegram import Update

from handlers import incoming
from handlers.context import Context
from imaging.operations import Enhance


async def enhance(update: Update, context: Context) -> None:
    """/enhance [clean|face] [1x|2x|4x]."""
    await incoming.take(update, context, Enhance)
