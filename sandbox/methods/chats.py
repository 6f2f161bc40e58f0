"""Methods about chats and their members."""

from typing import Any

from sandbox.errors import bad_request
from sandbox.members import change, member_shape
from sandbox.posting import chat_for_bot, post
from sandbox.privacy import is_admin
from sandbox.registry import Call, method

Json = dict[str, Any]
PERMISSIONS = ("can_send_messages", "can_send_photos", "can_send_documents", "can_send_other_messages")
GIFTS = ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels")


@method
async def getChat(call: Call) -> Json:  # noqa: N802  Telegram's name
    """Describe a chat in full."""
    chat = chat_for_bot(call.world, call.bot, call["chat_id"])
    full = {"accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": dict.fromkeys(GIFTS, False)}
    if not chat.private:
        full["permissions"] = dict.fromkeys(PERMISSIONS, True) | chat.permissions
    return chat.shape | full


@method
async def getChatMember(call: Call) -> Json:  # noqa: N802  Telegram's name
    """Tell what a user is in a chat."""
    chat = chat_for_bot(call.world, call.bot, call["chat_id"])
    shape = member_shape(call.world, chat, call["user_id"])
    return shape | {"status": "member"} if chat.private else shape


@method
async def getChatAdministrators(call: Call) -> list[Json]:  # noqa: N802  Telegram's name
    """Return the group's admins that are people, and the bot itself if it is one."""
    chat = chat_for_bot(call.world, call.bot, call["chat_id"])
    if chat.private:
        raise bad_request("there are no administrators in the private chat")
    admins = [user_id for user_id in chat.members if is_admin(chat, user_id)]
    shapes = [member_shape(call.world, chat, user_id) for user_id in admins]
    return [shape for shape in shapes if not shape["user"]["is_bot"] or shape["user"]["id"] == call.bot.id]


@method
async def getChatMemberCount(call: Call) -> int:  # noqa: N802  Telegram's name
    """Count the members of a chat."""
    return len(chat_for_bot(call.world, call.bot, call["chat_id"]).members)


@method
async def leaveChat(call: Call) -> bool:  # noqa: N802  Telegram's name
    """Leave a group."""
    chat = chat_for_bot(call.world, call.bot, call["chat_id"])
    if chat.private:
        raise bad_request("chat member status can't be changed in private chats")
    post(call.world, chat, {"from": call.bot.user}, {"left_chat_member": call.bot.user})
    change(call.world, chat, call.bot.id, "left", call.bot.user)
    return True
