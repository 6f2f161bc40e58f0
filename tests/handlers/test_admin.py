"""What admins may do, what everyone may ask, and who is turned away."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from telegram import Bot
from telegram.error import BadRequest

from handlers.commands import ADMINS, EVERYONE, GROUP_ADMINS, publish_commands
from handlers.guards import MOST, number
from handlers.presses import Press
from imaging.operations import OPERATIONS
from storage.ledger import Terms, quota
from tests.handlers.conftest import WORDS, Stage, open_stage
from tests.handlers.telegram_wire import ADMIN, ANNA, GROUP, PHOTO, PRIVATE, Wire, message, press, receive

ADMINS_CHAT = {"id": 1, "type": "private", "first_name": "Ada"}


@pytest.mark.parametrize("text", ["/setquota here 5", "/grant here 5", "/grant", "/SetQuota@darkroombot 7 unlimited"])
@pytest.mark.parametrize("chat", [PRIVATE, GROUP])
async def test_not_an_admin(stage: Stage, text: str, chat: dict[str, object]) -> None:
    """Everyone else is told that the command isn't theirs, whatever they wrote, and nothing changes."""
    assert await stage.say(message(chat, ANNA, text)) == WORDS.say("en", "admin_only")
    async with stage.db.read() as conn:
        standing = await quota(conn, -100, Terms(10))
    assert (standing.allowance, standing.bought) == (10, 0)


async def test_a_forwarded_order_is_somebody_elses(stage: Stage) -> None:
    """Whoever gets an admin to forward "/grant …" to the bot gets nothing."""
    origin = {"type": "user", "date": 1, "sender_user": ANNA}
    order = message(ADMINS_CHAT, ADMIN, "/grant 7 1000", forward_origin=origin)
    assert await stage.say(order) == WORDS.say("en", "admin_only")
    async with stage.db.read() as conn:
        assert (await quota(conn, 7, Terms(10))).granted == 0


@pytest.mark.parametrize(
    ("text", "allowance"),
    [("here 3", 3), ("-100 0", 0), ("@FAMILY unlimited", None), ("here default", 10), ("here ۲۵", 25)],
)
async def test_setquota(stage: Stage, text: str, allowance: int | None) -> None:
    """An admin names a chat by here, id or @username, and its allowance by number, unlimited or default."""
    chat = GROUP | {"username": "family"}
    await stage.say(message(chat, ADMIN, "/setquota here 77"))
    answer = await stage.say(message(chat, ADMIN, f"/setquota {text}"))
    assert "-100" in answer
    async with stage.db.read() as conn:
        assert (await quota(conn, -100, Terms(10))).allowance == allowance


async def test_setquota_default_of_an_open_house(tmp_path: Path) -> None:
    """Where everyone is unlimited, the default says so."""
    stage = await open_stage(tmp_path / "open.db", allowance=-1)
    answer = await stage.say(message(ADMINS_CHAT, ADMIN, "/setquota here default"))
    assert answer == WORDS.say("en", "setquota_default_unlimited", chat="1")
    await stage.app.shutdown()
    await stage.db.close()


@pytest.mark.parametrize(
    "text",
    [
        "/setquota",
        "/setquota here",
        "/setquota here -1",
        "/setquota here 1000001",
        "/setquota here many",
        "/setquota here 1 2",
        "/setquota 5",
    ],
)
async def test_setquota_usage(stage: Stage, text: str) -> None:
    """Anything else is answered with how to write it."""
    assert await stage.say(message(ADMINS_CHAT, ADMIN, text)) == WORDS.say("en", "setquota_usage", most=MOST)


@pytest.mark.parametrize("text", ["/grant", "/grant here", "/grant here 0", "/grant here 1.5", "/grant here 1000001"])
async def test_grant_usage(stage: Stage, text: str) -> None:
    """Anything else is answered with how to write it."""
    assert await stage.say(message(ADMINS_CHAT, ADMIN, text)) == WORDS.say("en", "grant_usage", most=MOST)


@pytest.mark.parametrize("who", ["@stranger", "nowhere", "--5", "9" * 30, str(2**63), f"-{2**63}"])
async def test_unknown_chat(stage: Stage, who: str) -> None:
    """A name the bot has not met is quoted back, for every command."""
    for command in ("setquota", "grant", "block", "unblock", "chat"):
        answer = await stage.say(message(ADMINS_CHAT, ADMIN, f"/{command} {who} 5"))
        assert answer == WORDS.say("en", "chat_unknown", chat=who)


async def test_grant(stage: Stage) -> None:
    """Credits are given and taken, never below none, and a repeated update gives once."""
    given_ = message(GROUP, ADMIN, "/grant here 5")
    assert "5" in await stage.say(given_)
    await stage.say(given_)
    assert "3" in await stage.say(message(GROUP, ADMIN, "/grant -100 -2"))
    assert "only 3" in await stage.say(message(GROUP, ADMIN, "/grant -100 \N{MINUS SIGN}4"))
    async with stage.db.read() as conn:
        assert (await quota(conn, -100, Terms(10))).granted == 3


@given(st.text(max_size=20) | st.integers().map(str) | st.integers().map("{:+d}".format))
def test_number(word: str) -> None:
    """No word is read as more credits than there may be, and every whole number within is read as itself."""
    read = number(word)
    assert read is None or (int(word.replace("\N{MINUS SIGN}", "-")) == read and abs(read) <= MOST)
    if word.lstrip("+-").isascii() and word.lstrip("+-").isdigit() and len(word) <= 6 and word.count("-") < 2:
        assert read is not None or "+-" in word or "-+" in word or "++" in word


async def test_quota(stage: Stage) -> None:
    """/quota tells what is left, what was used, what does not expire and what each operation costs."""
    await stage.say(message(PRIVATE, ANNA, "/colorize", **PHOTO))
    answer = await stage.say(message(PRIVATE, ANNA, "/quota"))
    assert answer.splitlines()[0] == "This chat has 9 credits left."
    assert "1 of 10 used" in answer
    assert "Cut out: 1 credit" in answer
    await stage.say(message(PRIVATE, ADMIN, "/grant here 4"))
    assert "4 extra credits" in await stage.say(message(PRIVATE, ANNA, "/quota"))
    await stage.say(message(PRIVATE, ADMIN, "/setquota here 0"))
    assert " of " not in (await stage.say(message(PRIVATE, ANNA, "/quota"))).splitlines()[1]
    await stage.say(message(PRIVATE, ADMIN, "/setquota here unlimited"))
    assert (await stage.say(message(PRIVATE, ANNA, "/quota"))).startswith(WORDS.say("en", "quota_unlimited"))


async def test_no_credits(stage: Stage) -> None:
    """Used up says when credits come back; a chat that was given none is not told to wait."""
    await stage.say(message(PRIVATE, ADMIN, "/setquota here 1"))
    photo = [message(PRIVATE, ANNA, "/colorize", **PHOTO) for _ in range(3)]
    assert await stage.say(photo[0]) == ""
    assert "come back in" in await stage.say(photo[1])
    await stage.say(message(PRIVATE, ADMIN, "/setquota here 0"))
    assert await stage.say(photo[2]) == WORDS.say("en", "refused_quota_none")
    assert len(await stage.jobs()) == 1


async def test_too_many_waiting(tmp_path: Path) -> None:
    """A chat with too many photos waiting is told how many, and asked to come back."""
    stage = await open_stage(tmp_path / "narrow.db", chat_unfinished=1)
    await stage.say(message(PRIVATE, ANNA, "/colorize", **PHOTO))
    answer = await stage.say(message(PRIVATE, ANNA, "/colorize", **PHOTO))
    assert answer == WORDS.say("en", "refused_too_many_jobs", n=1)
    await stage.app.shutdown()
    await stage.db.close()


async def test_hello_and_help(stage: Stage) -> None:
    """/start and /help name the four operations; admins see their commands, but never in a group."""
    for command in ("/start", "/help"):
        answer = await stage.say(message(PRIVATE, ANNA, command))
        assert all(f"/{name}" in answer for name in OPERATIONS)
        assert "/grant" not in answer
    assert "/grant" in await stage.say(message(ADMINS_CHAT, ADMIN, "/help"))
    assert "/grant" not in await stage.say(message(GROUP, ADMIN, "/help"))


async def test_admin_says_hello(stage: Stage) -> None:
    """An admin's first hello brings the admins' commands into their chat; others' hello does not."""
    await stage.say(message(PRIVATE, ANNA, "/start"))
    assert stage.wire.calls[-1][0] == "sendMediaGroup"
    await stage.say(message(ADMINS_CHAT, ADMIN, "/start"))
    assert (stage.wire.calls[-1][0], stage.wire.calls[-1][1]["scope"]["chat_id"]) == ("setMyCommands", 1)


async def test_ids(stage: Stage) -> None:
    """/id tells one's own id, and in a group the group's, as plain digits to copy."""
    assert await stage.say(message(PRIVATE, ANNA, "/id")) == "Your id: 7"
    assert "-100" in await stage.say(message(GROUP, ANNA, "/id"))


async def test_anything_else(stage: Stage) -> None:
    """In a private chat an unknown command and plain words each get one helpful sentence; service messages none."""
    assert await stage.say(message(PRIVATE, ANNA, "/dance")) == WORDS.say("en", "unknown_command")
    assert await stage.say(message(PRIVATE, ANNA, "hello")) == WORDS.say("en", "send_a_photo")
    timer = {"message_auto_delete_time": 9}
    assert await stage.say(message(PRIVATE, ANNA, message_auto_delete_timer_changed=timer)) == ""


async def test_door(tmp_path: Path) -> None:
    """Where only some chats may come in, others are told once they speak to the bot; /id and admins pass."""
    stage = await open_stage(tmp_path / "closed.db", allowed_chats=frozenset({-100}))
    no = WORDS.say("en", "refused_chat_not_allowed", chat="7")
    assert await stage.say(message(PRIVATE, ANNA, "/colorize", **PHOTO)) == no
    assert await stage.say(message(PRIVATE, ANNA, "hello")) == no
    assert await stage.say(message(PRIVATE, ANNA, "/id")) == "Your id: 7"
    other = {"id": -200, "type": "supergroup", "title": "Strangers"}
    assert await stage.say(message(other, ANNA, "hello all")) == ""
    assert "-200" in await stage.say(message(other, ANNA, "/colorize"))
    buttons = message(PRIVATE, None, reply_to_message=message(PRIVATE, ANNA, **PHOTO))
    await receive(stage.app, callback_query=press(ANNA, Press("do", 7, ("colorize", "")).pack(), buttons))
    assert stage.wire.calls[-1][0] == "answerCallbackQuery"
    assert await stage.jobs() == []
    await stage.say(message(GROUP, ANNA, "/colorize", **PHOTO))
    await stage.say(message(ADMINS_CHAT, ADMIN, "/colorize", **PHOTO))
    assert [job["chat_id"] for job in await stage.jobs()] == [-100, 1]
    await stage.app.shutdown()
    await stage.db.close()


async def test_commands_published() -> None:
    """Every language gets the list; an admin who never started the bot is passed over."""
    wire = Wire()
    bot = Bot("99:token", request=wire, get_updates_request=wire)
    await publish_commands(bot, WORDS, [1])
    assert len(wire.calls) == 3 * len(WORDS.languages)
    common, groups = (
        {call.get("language_code"): call["commands"] for _, call in wire.calls if call["scope"]["type"] == scope}
        for scope in ("default", "all_chat_administrators")
    )
    assert [item["command"] for item in groups[None]] == [*EVERYONE, *GROUP_ADMINS]
    assert set(common) == {None, *WORDS.languages} - {"en"}
    assert [item["command"] for item in common[None]] == list(EVERYONE)
    assert [item["command"] for item in wire.calls[-1][1]["commands"]] == [*EVERYONE, *ADMINS]


class Shy(Wire):
    """Telegram, to a bot whose admin has never written to it."""

    def _result(self, name: str, parameters: dict[str, Any]) -> object:
        if parameters["scope"]["type"] == "chat":
            raise BadRequest("Chat not found")
        return super()._result(name, parameters)


async def test_admin_never_came() -> None:
    """An admin who never started the bot does not break the start; the others still get their commands."""
    wire = Shy()
    await publish_commands(Bot("99:token", request=wire, get_updates_request=wire), WORDS, [1, 2])
    assert [call["scope"].get("chat_id") for _, call in wire.calls[-2:]] == [1, 2]


@pytest.mark.parametrize("language", WORDS.languages)
async def test_charge_ids_of_full_length(stage: Stage, language: str) -> None:
    """Telegram's charge ids have well over a hundred characters: a receipt holds all of one, /payments many."""
    for number_ in range(22):
        charge = f"stx{number_:0>140}"
        paid = {
            "currency": "XTR",
            "total_amount": 1000,
            "invoice_payload": "1:7:1000:1000",
            "telegram_payment_charge_id": charge,
            "provider_payment_charge_id": "p",
        }
        assert charge in await stage.say(message(PRIVATE, ANNA, successful_payment=paid))
    listed = await stage.say(message(ADMINS_CHAT, ADMIN | {"language_code": language}, "/payments"))
    assert charge in listed
    assert len(listed) <= 4096
