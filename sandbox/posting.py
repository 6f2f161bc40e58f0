"""Puts messages into chats, whoever sends them: ids, replies, topics, and who is told."""

import copy
from typing import Any

from sandbox.errors import Refused, bad_request, forbidden
from sandbox.privacy import is_admin
from sandbox.updates import deliver
from sandbox.world import Bot, Chat, World

Json = dict[str, Any]
CALLBACK_DATA_BYTES = 64
RIGHTS = {
    "text": ("can_send_messages", "text messages"),
    "photo": ("can_send_photos", "photos"),
    "document": ("can_send_documents", "documents"),
}


def chat_for_bot(world: World, bot: Bot, chat_id: int | str) -> Chat:
    """Return the chat a bot means, or refuse as Telegram would: unknown, left, migrated, blocked, never started."""
    if isinstance(chat_id, str):
        chat_id = _by_username(world, chat_id)
    if chat_id > 0:
        return _private_chat(world, bot, chat_id)
    chat = world.chats.get(str(chat_id))
    if chat is None:
        raise bad_request("chat not found")
    if chat.migrated_to:
        words = "group chat was upgraded to a supergroup chat"
        raise bad_request(words, migrate_to_chat_id=chat.migrated_to)
    if bot.id not in chat.members:
        how = "was kicked from" if chat.gone.get(bot.id) == "kicked" else "is not a member of"
        raise forbidden(f"bot {how} the {chat.shape['type']} chat")
    return chat


def _by_username(world: World, name: str) -> int:
    for chat in world.chats.values():
        if name.startswith("@") and chat.shape.get("username", "").lower() == name[1:].lower() and not chat.private:
            return chat.id
    raise bad_request("chat not found")


def _private_chat(world: World, bot: Bot, user_id: int) -> Chat:
    person = world.persons.get(user_id)
    if person is None:
        if user_id in world.bots_by_id:
            raise forbidden("bot can't send messages to bots")
        raise bad_request("chat not found")
    if bot.id in person.blocked:
        raise forbidden("bot was blocked by the user")
    if bot.id not in person.started:
        raise forbidden("bot can't initiate conversation with a user")
    return world.private_chat(person, bot)


def post(
    world: World, chat: Chat, sender: Json, content: Json, *, reply: Json | None = None, thread: int | None = None
) -> Json:
    """Put a message into the chat, tell everyone in it, and return it.

    *sender* holds ``from`` (and ``sender_chat``), *content* what the message says, *reply* the message it
    replies to, *thread* the topic it stands in.
    """
    chat.last_id += 1
    message: Json = {"message_id": chat.last_id, **sender, "chat": chat.shape, "date": world.now(), **content}
    if thread:
        message |= {"message_thread_id": thread, "is_topic_message": True}
        reply = reply or chat.messages.get(thread)  # as Telegram shows it: the topic's first message
    if reply:
        message["reply_to_message"] = {name: value for name, value in reply.items() if name != "reply_to_message"}
    chat.messages[chat.last_id] = message
    if message["from"]["is_bot"] and "sender_chat" not in message:
        chat.last_bot = message["from"]["id"]
    chat.note("message", message=copy.copy(message))
    deliver(world, chat, message)
    return message


def reply_target(chat: Chat, parameters: Json | None) -> Json | None:
    """Return the message that ``reply_parameters`` names; 400 when it is gone and must not be."""
    if parameters is None:
        return None
    if parameters.get("chat_id", chat.id) != chat.id:
        raise Refused(501, "Not Implemented: the sandbox has no replies to other chats")
    found = chat.messages.get(parameters["message_id"])
    if found is None and not parameters.get("allow_sending_without_reply"):
        raise bad_request("message to be replied not found")
    return found


def topic(chat: Chat, thread: int | None) -> int | None:
    """Return the topic a message goes to, None for the general one; 400 for an unknown one."""
    if thread is not None and thread not in chat.topics:
        raise bad_request("message thread not found")
    return thread


def markup(chat: Chat, reply_markup: Json | None) -> Json:
    """Return the part of a message that a keyboard makes, checked; only inline keyboards stay on messages."""
    for row in (reply_markup or {}).get("inline_keyboard", []):
        for button in row:
            if not button["text"]:
                raise bad_request("inline keyboard button text must be non-empty")
            if len(button) == 1:
                raise bad_request("text buttons are unallowed in the inline keyboard")
            if not 1 <= len(button.get("callback_data", "-").encode()) <= CALLBACK_DATA_BYTES:
                raise bad_request("BUTTON_DATA_INVALID")
            if chat.private is False and "web_app" in button:
                raise bad_request("BUTTON_TYPE_INVALID")
    if not reply_markup:
        return {}
    if "inline_keyboard" in reply_markup:
        return {"reply_markup": reply_markup} if reply_markup["inline_keyboard"] else {}
    return {"_markup": reply_markup}  # people see it, other bots and the answer do not


def permitted(bot: Bot, chat: Chat, content: Json) -> None:
    """Refuse what members may not send in this group, unless the bot is an admin."""
    for kind, (right, words) in RIGHTS.items():
        if kind in content and not chat.permissions.get(right, True) and not is_admin(chat, bot.id):
            raise bad_request(f"not enough rights to send {words} to the chat")


def may_delete(bot: Bot, chat: Chat, message: Json) -> bool:
    """Say whether a bot may delete a message: its own, any in private, any in a group where it is an admin."""
    return chat.private or message["from"]["id"] == bot.id or is_admin(chat, bot.id)
