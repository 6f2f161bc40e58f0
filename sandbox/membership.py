"""Who is in a group: joining, leaving, being made an admin, migrating; what a group permits, and blocking a bot."""

from typing import Any

from sandbox.members import change, set_blocked
from sandbox.people import Act
from sandbox.posting import post

Json = dict[str, Any]


async def member(act: Act) -> bool:
    """Set the status of a person or bot (``user``) in a group, with the service message people see."""
    world, chat, user_id, status = act.world, act.chat, act.asked["user"], act.asked["status"]
    was_in = user_id in chat.members
    by, user = act.person.user, world.user(user_id)
    leaves = status in {"left", "kicked"}
    if was_in and leaves:
        post(world, chat, {"from": by}, {"left_chat_member": user})
    change(world, chat, user_id, status, by)
    if not was_in and not leaves:
        post(world, chat, {"from": by}, {"new_chat_members": [user], "new_chat_member": user})
    return True


async def block(act: Act) -> bool:
    """Block a bot in private, or unblock it."""
    set_blocked(act.world, act.person, act.world.bots_by_id[act.asked["bot"]], blocked=act.asked["blocked"])
    return True


async def permit(act: Act) -> bool:
    """Set what members that are no admins may do in a group (fields of ChatPermissions)."""
    act.chat.permissions.update(act.asked["permissions"])
    return True


async def migrate(act: Act) -> Json:
    """Turn a basic group into a supergroup with a new id; its bots get both service messages."""
    world, old = act.world, act.chat
    new = world.add_group(old.shape["title"], supergroup=True)
    new.members = {user_id: dict(status) for user_id, status in old.members.items()}
    sender = {"from": act.person.user}
    post(world, old, sender, {"migrate_to_chat_id": new.id})
    post(world, new, sender, {"migrate_from_chat_id": old.id})
    old.migrated_to = new.id
    return {"key": new.key, **new.shape}


async def new_topic(act: Act) -> int:
    """Open a forum topic and return its message_thread_id."""
    name = act.asked["name"]
    created = post(
        act.world, act.chat, {"from": act.person.user}, {"forum_topic_created": {"name": name, "icon_color": 7322096}}
    )
    thread = int(created["message_id"])
    act.chat.topics[thread] = name
    created |= {"message_thread_id": thread, "is_topic_message": True}
    return thread
