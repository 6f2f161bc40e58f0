"""Colours for a black-and-white photo."""

from telegram import Update

from handlers import incoming
from handlers.context import Context
from imaging.operations import Colorize


async def colorize(update: Update, context: Context) -> None:
    """/colorize [jpg|png|webp]."""
    await incoming.take(update, context, Colorize)
