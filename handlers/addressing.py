"""Who is spoken to: commands in texts and captions, and the one door where chats not allowed are turned away."""

from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from typing import Any

from telegram import Message, MessageEntity, Update
from telegram.constants import ChatType
from telegram.ext import ApplicationHandlerStop, BaseHandler

from handlers.context import App, Context
from handlers.groups import leave
from storage import chats, preferences


@dataclass(frozen=True, slots=True)
class Command:
    """`/name rest`. `at` is the bot it was addressed to in so many words (lower case), blank for none."""

    name: str
    at: str
    rest: str


def command_in(message: Message) -> Command | None:
    """Read the command a text or caption begins with, whichever bot it is for."""
    text = message.text or message.caption or ""
    entities = message.entities or message.caption_entities
    first = next((e for e in entities if e.type == MessageEntity.BOT_COMMAND and e.offset == 0), None)
    if first is None:
        return None
    # Commands are ASCII, so Telegram's UTF-16 lengths are Python's.
    name, _, at = text[1 : first.length].lower().partition("@")
    return Command(name, at, text[first.length :].strip())


def command_for(message: Message, username: str) -> Command | None:
    """Read the command in `message` unless it names another bot than `username`."""
    command = command_in(message)
    return command if command and command.at in {"", username.lower()} else None


class OnCommand(BaseHandler[Update, Context, None]):
    """Calls `callback` for new messages with one of `names` (any, if there are none), with `context.typed` set.

    PTB's own CommandHandler does not see captions.
    """

    def __init__(self, callback: Callable[[Update, Context], Awaitable[None]], *names: str) -> None:
        super().__init__(callback)  # type: ignore[arg-type]  # PTB asks for a Coroutine where any Awaitable does
        self.names = frozenset(names)

    def check_update(self, update: object) -> Command | None:
        """Give the command this handler is for. Edited messages and channel posts are not for any."""
        if not isinstance(update, Update) or update.message is None:
            return None
        command = command_for(update.message, update.message.get_bot().username)
        return command if command and (not self.names or command.name in self.names) else None

    def collect_additional_context(
        self,
        context: Context,
        update: Update,  # noqa: ARG002  PTB's signature, as the next two
        application: App,  # noqa: ARG002
        check_result: Any,  # noqa: ANN401
    ) -> None:
        """Hand the words behind the command to the callback."""
        context.typed = check_result.rest


def is_private(message: Message) -> bool:
    """Tell whether a message is between one person and the bot."""
    return message.chat.type == ChatType.PRIVATE


def speaker_of(message: Message) -> int:
    """Give the id of who wrote it: a person, the channel somebody writes for, or for an anonymous admin the group."""
    # All channels share one `from_user`, and so do the anonymous admins of all groups.
    speaker = message.sender_chat or message.from_user or message.chat
    return speaker.id


def is_admin(update: Update, context: Context) -> bool:
    """Tell whether the update comes from one of those who run the bot."""
    return update.effective_user is not None and update.effective_user.id in context.house.admin_ids


async def door(update: Update, context: Context) -> None:
    """Turn away chats that are not allowed; remember what the others look like, and learn what they prefer.

    Comes before everything else.
    """
    chat, allowed = update.effective_chat, context.house.allowed_chats
    if chat is None:
        return
    if update.message and (update.message.successful_payment or update.message.refunded_payment):
        return  # whoever paid gets what was paid for, whatever has become of them since
    met = await context.house.db.look(lambda conn: preferences.meet(conn, chat.id, _acting(update)))
    if not is_admin(update, context):
        if met.chat_blocked and chat.type != ChatType.PRIVATE:
            await leave(context, chat)
            raise ApplicationHandlerStop
        if met.blocked:
            await _turn_away(update, context, "refused_blocked", still=("id", "paysupport"))
        if allowed is not None and chat.id not in allowed:
            await _turn_away(update, context, "refused_chat_not_allowed", still=("id",))
            return
    if update.message and update.message.migrate_to_chat_id:
        return  # the old group's last words: remembering it anew would overwrite what the supergroup took along
    context.prefer(met.preferences)
    if met.looks != (chat.type, chat.effective_name, chat.username and chat.username.lower()):
        name, username = chat.effective_name, chat.username
        await context.house.db.transact(
            lambda conn: chats.remember(conn, chat.id, kind=chat.type, title=name, username=username)
        )


def _acting(update: Update) -> tuple[int, int]:
    """Give the ids of who acts: the person, and what they speak for; 0 for nobody."""
    person, sender = update.effective_user, update.effective_sender
    return person.id if person else 0, sender.id if sender else 0


async def _turn_away(update: Update, context: Context, key: str, still: Collection[str]) -> None:
    """Let `still` through, which anyone may ask; say no to whoever speaks to the bot; else keep silent."""
    message = update.message
    if update.callback_query:
        await update.callback_query.answer()
    if message is not None:
        command = command_for(message, context.bot.username)
        if command and command.name in still:
            return
        if command or is_private(message):
            await context.reply(message, context.say(key, chat=str(message.chat_id)))
    raise ApplicationHandlerStop
