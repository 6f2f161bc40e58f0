"""Who gets to see a message: privacy mode, as TELEGRAM's bot features page describes it."""

from typing import Any

from sandbox.entities import command_of
from sandbox.world import Bot, Chat

Json = dict[str, Any]
SERVICE = {
    "new_chat_members",
    "left_chat_member",
    "new_chat_title",
    "new_chat_photo",
    "delete_chat_photo",
    "group_chat_created",
    "supergroup_chat_created",
    "migrate_to_chat_id",
    "migrate_from_chat_id",
    "pinned_message",
    "successful_payment",
    "refunded_payment",
    "forum_topic_created",
    "forum_topic_closed",
    "forum_topic_reopened",
    "forum_topic_edited",
}


def sees(bot: Bot, chat: Chat, message: Json) -> bool:
    """Say whether *bot*, a member of *chat*, receives *message*.

    Nobody receives a bot's messages. In private, and as an admin or with privacy mode off, a bot receives the
    rest. With privacy mode on: service messages, replies to itself, commands addressed to it (in captions
    too), and plain commands when it was the last bot to speak, or none has spoken yet.
    """
    if message.get("from", {}).get("is_bot") and "sender_chat" not in message:
        return bool(SERVICE & message.keys()) and message["from"]["id"] != bot.id
    if chat.private or not bot.privacy or is_admin(chat, bot.id) or SERVICE & message.keys():
        return True
    replied = message.get("reply_to_message", {})
    if "forum_topic_created" not in replied and replied.get("from", {}).get("is_bot"):
        return bool(replied["from"]["id"] == bot.id)
    command = command_of(message.get("text") or message.get("caption") or "")
    if command is None:
        return False
    username = command[1]
    if username is not None:
        return bool(username.lower() == bot.user["username"].lower())
    return chat.last_bot in {None, bot.id}


def is_admin(chat: Chat, user_id: int) -> bool:
    """Say whether the user is an administrator of the group."""
    return chat.members.get(user_id, {}).get("status") in {"administrator", "creator"}
