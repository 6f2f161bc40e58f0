"""A person or a thing without the background."""

from telegram import Update

from handlers import incoming
from handlers.context import Context
from imaging.operations import Cutout


async def cutout(update: Update, context: Context) -> None:
    """/cutout [person|object|stamp] [both|image|mask] [crop] [png|jpg] [colour]."""
    await incoming.take(update, context, Cutout)
