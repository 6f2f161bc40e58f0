"""What somebody is in a chat, and telling bots when that changes."""

from typing import Any

from sandbox.privacy import is_admin
from sandbox.updates import push
from sandbox.world import Bot, Chat, Person, World

Json = dict[str, Any]
ADMIN_RIGHTS = (
    "can_be_edited", "is_anonymous", "can_manage_chat", "can_delete_messages", "can_manage_video_chats",
    "can_restrict_members", "can_promote_members", "can_change_info", "can_invite_users",
    "can_post_stories", "can_edit_stories", "can_delete_stories",
)  # fmt: skip


def member_shape(world: World, chat: Chat, user_id: int) -> Json:
    """Return Telegram's ChatMember for a user, in the chat or not."""
    status = chat.members.get(user_id, {}).get("status") or chat.gone.get(user_id, "left")
    shape: Json = {"user": world.user(user_id), "status": status}
    if status == "creator":
        shape["is_anonymous"] = False
    elif status == "administrator":
        shape |= dict.fromkeys(ADMIN_RIGHTS, True) | {"is_anonymous": False}
    elif status == "kicked":
        shape["until_date"] = 0
    return shape


def change(world: World, chat: Chat, user_id: int, status: str, by: Json) -> None:
    """Give a user a new status (member, administrator, creator, left, kicked) and tell the bots concerned."""
    old = member_shape(world, chat, user_id)
    if status in {"left", "kicked"}:
        chat.members.pop(user_id, None)
        chat.gone[user_id] = status
    else:
        chat.members[user_id] = {"status": status}
    new = member_shape(world, chat, user_id)
    if old["status"] == status:
        return
    update = {"chat": chat.shape, "from": by, "date": world.now(), "old_chat_member": old, "new_chat_member": new}
    if user_id in world.bots_by_id:
        push(world, world.bots_by_id[user_id], "my_chat_member", update)
    for bot in world.bots_in(chat):
        if is_admin(chat, bot.id) and bot.id != user_id:
            push(world, bot, "chat_member", update)


def set_blocked(world: World, person: Person, bot: Bot, *, blocked: bool) -> None:
    """Let a person block a bot or unblock it, and tell the bot."""
    (person.blocked.add if blocked else person.blocked.discard)(bot.id)
    member: Json = {"user": bot.user, "status": "member"}
    kicked: Json = {"user": bot.user, "status": "kicked", "until_date": 0}
    old, new = (member, kicked) if blocked else (kicked, member)
    update = {"chat": world.private_chat(person, bot).shape, "from": person.user, "date": world.now()}
    push(world, bot, "my_chat_member", update | {"old_chat_member": old, "new_chat_member": new})
