"""Who is in a group: joining, leaving, being made an admin, migrating; and blocking a bot in private."""

from typing import Any

from sandbox.members import change
from sandbox.people import Act
from sandbox.posting import post
from sandbox.updates import push

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
    bot = act.world.bots_by_id[act.asked["bot"]]
    blocked = act.asked["blocked"]
    (act.person.blocked.add if blocked else act.person.blocked.discard)(bot.id)
    chat = act.world.private_chat(act.person, bot)
    was, now = ("member", "kicked") if blocked else ("kicked", "member")
    shape = {"user": bot.user}
    before, after = (
        {**shape, "status": status, **({"until_date": 0} if status == "kicked" else {})} for status in (was, now)
    )
    update = {"chat": chat.shape, "from": act.person.user, "date": act.world.now()}
    push(act.world, bot, "my_chat_member", update | {"old_chat_member": before, "new_chat_member": after})
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
