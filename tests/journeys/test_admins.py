"""What those who run the bot do in it, and what everyone else is told who tries."""

import asyncio
import csv
import io

from pydantic import SecretStr

from handlers.words import Words
from sandbox.client import Chat, Message, Person
from tests.journeys.conftest import House, answer
from tests.journeys.pictures import jpeg

PHOTO = jpeg("coffee", longest=120)
WORDS = Words()
ADMINS = (
    *("/setquota here 5", "/grant here 5", "/chat here", "/chats", "/unblock here", "/block 4242", "/jobs all"),
    *("/providers", "/export", "/log", "/payments", "/refund nothing", "/stats 24h"),
)
GROUP_ADMINS = ("/membercap 5", "/timezone Europe/Madrid")
EVERYONE = ("/start", "/help", "/quota", "/cancel", "/buy", "/enhance", "/colorize", "/cutout", "/idphoto")
ALWAYS = ("/id", "/paysupport")
NOT_YOURS, ASK_AN_ADMIN = WORDS.say("en", "admin_only"), WORDS.say("en", "group_admin_only")
BLOCKED = WORDS.say("en", "refused_blocked")


async def says(person: Person, text: str, chat: Chat | None = None, **more: object) -> str:
    """Write something and give the words of the bot's reply, or what kind of file it is."""
    where = chat or person.chat
    command, _, rest = text.partition(" ")
    asked = await person.send(where, text=f"{command}@darkroom_bot {rest}" if chat else text, **more)  # type: ignore[arg-type]  # as send has them

    def is_answer(message: Message) -> bool:
        return message.by_bot and (message.replies_to == asked.id or message.has_file)

    return (await where.wait_for(is_answer, after=asked)).words


async def test_each_command_for_each_kind_of_person(closed_house: House) -> None:
    """Strangers, members, group admins, admins and blocked people each get exactly what is theirs."""
    ada = await closed_house.tg.person("Ada")
    async with closed_house.bot(admin_ids=(ada.id,), packs=((20, 25),)):
        ben, cleo, dan = [await closed_house.tg.person(name) for name in ("Ben", "Cleo", "Dan")]
        assert "blocked" in await says(ada, f"/block {dan.id}")

        async def tried(text: str, *, allowed: str) -> None:
            # A group and a stranger for each command, as one chat is not written to often.
            group = await closed_house.tg.group("Family", [cleo, ben, dan, ada])
            ann = await closed_house.tg.person("Ann")
            heard = {
                "admin": await says(ada, text, group),
                "group admin": await says(cleo, text, group),
                "anonymous": await says(cleo, text, group, anonymous=True),
                "member": await says(ben, text, group),
                "stranger": await says(ann, text),
                "blocked": await says(dan, text, group),
            }
            no = {who for who, words in heard.items() if words in {NOT_YOURS, ASK_AN_ADMIN, BLOCKED}}
            assert set(heard) - no == set(allowed.split(", ")), (text, heard)

        private = "admin, group admin, anonymous, stranger"
        everyone = "admin, group admin, anonymous, member, stranger"
        await asyncio.gather(
            *(tried(text, allowed="admin") for text in ADMINS),
            *(tried(text, allowed=private) for text in GROUP_ADMINS),
            *(tried(text, allowed=everyone) for text in EVERYONE),
            *(tried(text, allowed=f"{everyone}, blocked") for text in ALWAYS),
        )
        assert await closed_house.books_balance()


async def test_quotas_are_set_in_every_way(closed_house: House) -> None:
    """By here, id, @username and in reply; a number, unlimited or default; for a week or month; a cap for members."""
    ada = await closed_house.tg.person("Ada")
    async with closed_house.bot(admin_ids=(ada.id,)):
        ben = await closed_house.person("Ben", username="Benny")
        group = await closed_house.tg.group("Family", [ada, ben])
        said = await ben.send(group, text="/quota@darkroom_bot")
        await answer(group, said)
        assert str(ben.id) in await says(ada, "/setquota @benny 3 week")
        assert "This week: 0 of 3" in await says(ben, "/quota")
        assert "monthly allowance of 7" in await says(ada, "/setquota 7 month", group, reply_to=said)
        assert "This month: 0 of 7" in await says(ben, "/quota")
        assert "unlimited" in await says(ada, f"/setquota {ben.id} unlimited")
        assert "follows the default: 10" in await says(ada, f"/setquota {ben.id} default")
        assert "spend 2" in await says(ada, "/setquota here 9 day member 2", group)
        assert "spend 2" in await says(ben, "/quota", group)
        assert "5 extra credits" in await says(ada, "/grant 5 for the party", group, reply_to=said)
        assert "2 extra credits" in await says(ada, f"/grant {ben.id} -3")
        assert "For example" in await says(ada, "/setquota here 5 year")
        seen = await says(ada, f"/chat {ben.id}")
        assert "given: 5" in seen
        assert "taken back: 3" in seen
        log = await says(ada, "/log")
        assert log.index("/grant") < log.index("/setquota @benny")
        assert await closed_house.books_balance()


async def test_members_share_a_groups_quota(closed_house: House) -> None:
    """A group's admin caps what each member may spend; the others still can; a person's free credits have a cap too."""
    async with closed_house.bot(person_daily_cap=2):
        cleo, ben = await closed_house.person("Cleo"), await closed_house.person("Ben")
        group = await closed_house.tg.group("Family", [cleo, ben])
        assert "spend 1" in await says(cleo, "/membercap 1", group)

        async def enhances(person: Person, chat: Chat) -> Message:
            # Another picture each time, as the same one again would be free.
            photo = jpeg("coffee", longest=100 + len(await chat.messages()))
            return await answer(chat, await person.send_photo(chat, photo=photo, caption="/enhance@darkroom_bot 1"))

        assert (await enhances(ben, group)).has_file
        assert "Your own share" in (await enhances(ben, group)).words
        assert (await enhances(cleo, group)).has_file
        assert "not capped" in await says(cleo, "/membercap none", group)
        assert (await enhances(ben, group)).has_file
        assert "over all chats" in (await enhances(ben, group)).words
        assert "over all chats" in (await enhances(ben, ben.chat)).words
        assert await closed_house.books_balance()


async def test_looking_around(closed_house: House) -> None:
    """/jobs all, /chats by pages, /export as CSV and /stats as a picture show what happened."""
    ada = await closed_house.tg.person("Ada")
    async with closed_house.bot(admin_ids=(ada.id,)):
        ben = await closed_house.person("Ben")
        done = await ben.send_photo(photo=PHOTO, caption="/enhance 1")
        assert await closed_house.result(ben.chat, done)
        await asyncio.gather(*(closed_house.person(f"Guest {number}") for number in range(11)))
        assert f"Enhance · delivered · gptge · {ben.id}" in await says(ada, "/jobs all")
        asked = await ada.send(text="/chats top")
        first = await answer(ada.chat, asked)
        assert "spent 1" in first.words.splitlines()[1]
        assert first.buttons == ["▶"]
        await ada.press(first, "▶")
        turned = await ada.chat.wait_for(lambda m: m.id == first.id and m.buttons == ["◀"], after=asked)
        assert len(turned.words.splitlines()) == 4
        asked = await ada.send(text="/export")
        file = await ada.chat.wait_for(lambda m: m.has_file, after=asked)
        rows = list(csv.DictReader(io.StringIO((await closed_house.tg.download(file)).decode())))
        assert [(row["kind"], row["chat_id"], row["allowance"]) for row in rows] == [
            ("hold", str(ben.id), "-1"),
            ("settle", str(ben.id), "0"),
        ]
        asked = await ada.send(text="/stats 7d")
        picture = await ada.chat.wait_for(lambda m: m.has_file, after=asked)
        assert "photos 1 (delivered 1, failed 0, cancelled 0)" in picture.words
        assert (picture.file["width"], picture.file["height"]) == (1024, 1280)
        for text in ("/export yesterday", "/stats 5y", "/timezone Mars"):
            assert text.split()[0] in await says(ada, text)
        assert await closed_house.books_balance()


async def test_a_paused_provider_stays_paused(closed_house: House) -> None:
    """A button pauses a provider over restarts, and lets it go on; nobody else's press does."""
    ada = await closed_house.tg.person("Ada")
    async with closed_house.bot(admin_ids=(ada.id,)):
        ben = await closed_house.person("Ben")
        group = await closed_house.tg.group("Office", [ada, ben])
        asked = await ada.send(group, text="/providers@darkroom_bot")
        shown = await answer(group, asked)
        assert "gptge: works" in shown.words
        await ben.press(shown, "Pause gptge", group)
        assert "people who run this bot" in (await group.wait_for_event("answer"))["text"]
        await ada.press(shown, "Pause gptge", group)
        await group.wait_for(lambda m: m.id == shown.id and "paused" in m.words, after=asked)
    async with closed_house.bot(admin_ids=(ada.id,)):
        refused = await ben.send_photo(photo=PHOTO, caption="/enhance 1")
        assert not (await answer(ben.chat, refused)).has_file
        await ada.press(shown, "Resume gptge", group)
        await group.wait_for(lambda m: m.id == shown.id and "gptge: works" in m.words, after=asked)
        done = await ben.send_photo(photo=PHOTO, caption="/enhance 1")
        assert (await answer(ben.chat, done)).has_file
        assert await closed_house.books_balance()


async def test_admins_hear_of_a_refused_key_once(closed_house: House) -> None:
    """When the provider refuses the key, each admin is told, once an hour, and people are not charged."""
    ada = await closed_house.tg.person("Ada")
    async with closed_house.bot(admin_ids=(ada.id, 987654), gptge_token=SecretStr("sk-wrong")):
        await ada.chat.wait_for(after=await ada.start())
        ben = await closed_house.person("Ben")
        for caption in ("/enhance 1", "/cutout"):
            refused = await ben.send_photo(photo=PHOTO, caption=caption)
            assert "nothing was charged" in (await answer(ben.chat, refused)).words
        await ada.chat.wait_for(lambda m: "refuses our key" in m.words)
        assert sum("refuses our key" in m.words for m in await ada.chat.messages()) == 1
        assert await closed_house.books_balance()


async def test_admins_hear_when_the_cap_is_near(closed_house: House) -> None:
    """At four fifths of the daily cap the admins are told."""
    ada = await closed_house.tg.person("Ada")
    async with closed_house.bot(admin_ids=(ada.id,), daily_spend_cap=2):
        await ada.chat.wait_for(after=await ada.start())
        ben = await closed_house.person("Ben")
        for caption in ("/enhance 1", "/cutout"):
            done = await ben.send_photo(photo=PHOTO, caption=caption)
            await answer(ben.chat, done)
        told = await ada.chat.wait_for(lambda m: "daily cap is near" in m.words)
        assert "2 of 2" in told.words


async def test_silence_where_nobody_asked(house: House) -> None:
    """Without packs /buy is no command at all, and a group admin's word counts only in the group."""
    ann = await house.person()
    assert await says(ann, "/buy") == WORDS.say("en", "unknown_command")
    assert "/buy" not in await says(ann, "/help")
    await house.tg.calls("setMyDescription", least=1)  # which comes after the commands
    listed = [command["command"] for entry in await house.tg.commands() for command in entry["commands"]]
    assert "quota" in listed
    assert "buy" not in listed
    group = await house.tg.group("Family", [ann])
    asked = await ann.send(group, text="/buy@darkroom_bot")
    assert str(group.id) in await says(ann, "/id", group)
    assert not any(message.replies_to == asked.id for message in await group.messages())
