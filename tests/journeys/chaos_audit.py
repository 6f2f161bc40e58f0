"""The reckoning after chaos: what people hold, and what the jobs, the ledger and the vendor say of it.

Nothing of the bot is asked; its database is read by plain SQL, so that a mistake in storage/ cannot hide itself.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sandbox.client import Message
from tests.journeys.chaos_house import Row
from tests.journeys.chaos_wishes import Wish

PAST_KILLS = "duplicates past their kills"
Chats = Mapping[str, Sequence[Message]]


class Played(Protocol):
    """What was befallen: it tells what its database and the vendor have, and how the bot ended when told to."""

    @property
    def exit_code(self) -> int | None:
        """0 is fine."""

    def rows(self, query: str) -> list[Row]:
        """Ask the database."""

    async def report(self) -> dict[str, Any]:
        """Ask the vendor."""


@dataclass
class Kills:
    """In which state each unfinished job was when the bot was killed, one entry per kill."""

    states: list[dict[int, str]] = field(default_factory=list)

    def count(self, job_id: int, state: str) -> int:
        """Say how many kills met the job in this state."""
        return sum(states.get(job_id) == state for states in self.states)

    def totals(self) -> Counter[str]:
        """Count the jobs met, by state."""
        return Counter(state for states in self.states for state in states.values())


@dataclass
class Allowed:
    """What trouble excuses in one scene: further tasks a job, duplicates and shrunk pictures in all."""

    tasks: int = 0
    duplicates: int = 0
    shrunk: int = 0


@dataclass
class Reckoning:
    """Counts for the table, how often what must never be was, and a sentence for each time."""

    counts: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)

    def expect(self, what: str, excess: int, detail: str) -> None:
        """Count what must not be; 0 is fine."""
        self.faults[what] += excess
        if excess:
            self.wrong.append(f"{what}: {detail}")


async def reckon(
    house: Played, wishes: Sequence[Wish], kills: Kills | None = None, allowed: Allowed | None = None
) -> Reckoning:
    """Hold everything against everything, when all is quiet."""
    kills, allowed, sums = kills or Kills(), allowed or Allowed(), Reckoning()
    jobs: defaultdict[str, list[Row]] = defaultdict(list)
    for row in house.rows("SELECT * FROM jobs"):
        jobs[row["file_unique_id"]].append(row)
    entries: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for row in house.rows("SELECT job_id, kind FROM ledger"):
        entries[row["job_id"]][row["kind"]] += 1
    seen = {wish.chat.key: await wish.chat.messages() for wish in wishes}
    pictures = (await house.report())["pictures"]
    strangers = set(pictures) - {wish.sha for wish in wishes}
    sums.expect("pictures nobody sent", max(0, len(strangers) - allowed.shrunk), str(strangers))
    for wish in wishes:
        sums.counts["photos"] += 1
        mine = jobs[wish.unique]
        sums.expect("more jobs than wishes", len(mine) > wish.jobs, f"{wish} has {len(mine)}")
        if mine:
            results = await _results(wish, mine, seen)
            for job in mine:
                _the_end(sums, wish, job, entries[job["id"]], seen, results=len(results))
            _the_copies(sums, mine, len(results), kills)
            _the_tasks(sums, mine, pictures.get(wish.sha, {}).get("tasks", 0), kills, allowed)
            known = {wish.sha, *strangers}
            sums.expect("somebody else's picture", len(set(results) - known - {""}), f"{wish}")
        else:
            _no_job(sums, wish, seen)
    excess = max(0, sums.counts[PAST_KILLS] - allowed.duplicates)
    sums.expect("unexplained duplicates", excess, f"{excess} more than the answers that were lost")
    _the_books(sums, house)
    unhandled = len(house.rows("SELECT 1 FROM inbox WHERE done_at IS NULL"))
    sums.expect("updates never handled", unhandled, f"{unhandled} stand in the inbox")
    sums.expect("did not end when told to", house.exit_code != 0, f"exit code {house.exit_code}")
    return sums


def _replies(wish: Wish, to: int, seen: Chats) -> tuple[list[Message], list[Message]]:
    """Give the results and the words that answer a message."""
    replies = [one for one in seen[wish.chat.key] if one.by_bot and one.replies_to == to]
    return [one for one in replies if one.has_file], [one for one in replies if not one.has_file]


async def _results(wish: Wish, mine: Sequence[Row], seen: Chats) -> list[str]:
    """Give of each result of a wish whose picture it is (files keep their bytes, and the vendor wrote it into each).

    Blank: a photo, whose bytes Telegram made anew.
    """
    asked = {job["reply_to"] for job in mine} | {job["album"] for job in mine}
    sent = [one for one in seen[wish.chat.key] if one.by_bot and one.has_file and one.replies_to in asked]
    shas = []
    for one in sent:
        whole = await wish.person.tg.file(one.file["file_unique_id"]) if "document" in one else b""
        shas.append(whole[-64:].decode("latin-1"))
    if any(job["album"] is not None for job in mine):  # its results answer the same message as the others'
        return [sha for sha in shas if sha == wish.sha]
    return shas


def _the_end(sums: Reckoning, wish: Wish, job: Row, entries: Counter[str], seen: Chats, *, results: int) -> None:
    """Exactly one of: delivered and charged once, or given up or refused in words and nothing charged."""
    words = _replies(wish, job["reply_to"], seen)[1]
    who, state = f"job {job['id']} ({job['operation']}, {wish.way})", job["state"]
    sums.counts[state] += 1
    if state == "delivered":
        sums.expect("not charged exactly once", dict(entries) != {"hold": 1, "settle": 1}, f"{who}: {dict(entries)}")
        refusals = [one.words for one in words if not one.buttons]  # those with buttons are questions
        sums.expect("refused and delivered", bool(refusals), f"{who}: {refusals}")
    elif state == "failed":
        deaf = job["error"] == "chat_gone" and wish.blocks
        sums.expect("refused without a word", not words and not deaf, f"{who}: {job['error']}")
        sums.expect("charged for nothing", dict(entries) != {"hold": 1, "release": 1}, f"{who}: {dict(entries)}")
        sums.expect("refused and delivered", bool(results), f"{who}: {job['error']}")
        sums.counts[f"refused: {job['error']}"] += 1
    elif state == "cancelled" and wish.way in {"cancel", "stop"}:
        sums.expect("charged for nothing", dict(entries) != {"hold": 1, "release": 1}, f"{who}: {dict(entries)}")
        sums.expect("given up and delivered", bool(results), who)
    else:
        sums.expect("lost", 1, f"{who} is still {state}" if state != "cancelled" else f"{who} was given up by nobody")


def _the_copies(sums: Reckoning, mine: Sequence[Row], results: int, kills: Kills) -> None:
    """Excuse a second copy of a result by a kill while the first was on its way."""
    done = [job for job in mine if job["state"] == "delivered"]
    again, excused = max(results - len(done), 0), sum(kills.count(job["id"], "delivering") for job in done)
    lost = max(len(done) - results, 0)
    sums.expect("lost", lost, f"{mine}: {lost} say delivered, and nothing came")
    sums.counts["duplicate deliveries"] += again if done else 0
    sums.counts[PAST_KILLS] += max(again - excused, 0) if done else 0


def _no_job(sums: Reckoning, wish: Wish, seen: Chats) -> None:
    """See that a wish that never became a job was refused in words; else it is lost."""
    refused = bool(_replies(wish, wish.last, seen)[1])  # in words, or it was asked for once more
    sums.counts["refused at the door"] += refused
    sums.expect("lost", not refused, f"{wish} has no job")


def _the_tasks(sums: Reckoning, mine: Sequence[Row], tasks: int, kills: Kills, allowed: Allowed) -> None:
    """Excuse a second paid task by a kill between the intent and the task_id, whose outcome nobody knows."""
    unknown = sum(kills.count(job["id"], "submitting") for job in mine)
    sums.counts["outcome unknown"] += unknown
    sums.counts["further tasks"] += max(tasks - len(mine), 0)
    sums.counts["most tasks for one photo"] = max(tasks - len(mine) + 1, sums.counts["most tasks for one photo"])
    excess = max(tasks - len(mine) - unknown - allowed.tasks, 0)
    who = f"job {mine[0]['id']}"
    sums.expect("submitted twice for no reason", excess, f"{who}: {tasks} tasks, {unknown} unknown")
    if mine[0]["state"] == "delivered":
        sums.expect("delivered without a task", not tasks, who)


def _the_books(sums: Reckoning, house: Played) -> None:
    """Recompute balances and the day's spending from the ledger."""
    entries = house.rows("SELECT * FROM ledger")
    for row in house.rows("SELECT * FROM balances"):
        own = [one for one in entries if one["chat_id"] == row["chat_id"]]
        should = {"used": -sum(one["allowance"] for one in own if one["period"] == row["period"])}
        should |= {kind: sum(one[kind] for one in own) for kind in ("granted", "bought") if kind in row}
        sums.expect("wrong balances", any(row[name] != value for name, value in should.items()), f"{row}: {should}")
    spent = sum(one["credits"] for one in house.rows("SELECT credits FROM spending"))
    charged = sum(one["credits"] for one in entries if one["kind"] == "settle")
    delivered = len(house.rows("SELECT 1 FROM jobs WHERE state = 'delivered'"))
    sums.counts["credits charged"] += charged
    sums.expect("wrong sums", len({spent, charged, delivered}) > 1, f"spent {spent}, {charged=}, {delivered=}")
