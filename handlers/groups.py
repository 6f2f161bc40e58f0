"""What happens to a group as a whole."""

from telegram import Update

from handlers.context import Context
from storage import chats


async def became_supergroup(update: Update, context: Context) -> None:
    """Carry a group's credits, settings and jobs to its new id. Both chats report the move; either does it."""
    message = update.message
    if message is None:
        return
    old = message.migrate_from_chat_id or message.chat_id
    new = message.migrate_to_chat_id or message.chat_id
    async with context.house.db.begin() as conn:
        await chats.migrate(conn, old, new)
