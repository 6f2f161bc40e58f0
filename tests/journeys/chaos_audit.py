"""The reckoning after chaos: what people hold, and what the jobs, the ledger and the vendor say of it.

Nothing of the bot is asked; its database is read by plain SQL, so that a mistake in storage/ cannot hide itself.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sandbox.client import Message
from tests.journeys.chaos_house import House, Row
from tests.journeys.chaos_wishes import Wish

PAST_KILLS = "duplicates past their kills"
Chats = Mapping[str, Sequence[Message]]


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
    house: House, wishes: Sequence[Wish], kills: Kills | None = None, allowed: Allowed | None = None
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
        sums.expect("two jobs for one wish", len(mine) > 1, f"{wish} has {len(mine)}")
        if mine:
            _the_end(sums, wish, mine[0], entries[mine[0]["id"]], seen, kills)
            _the_tasks(sums, mine[0], pictures.get(wish.sha, {}).get("tasks", 0), kills, allowed)
            await _the_picture(sums, wish, {wish.sha, *strangers}, seen, mine[0])
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


def _the_end(sums: Reckoning, wish: Wish, job: Row, entries: Counter[str], seen: Chats, kills: Kills) -> None:
    """Exactly one of: delivered and charged once, or refused in words and nothing charged."""
    results, words = _replies(wish, job["reply_to"], seen)
    who, state = f"job {job['id']} ({job['operation']}, {wish.way})", job["state"]
    sums.counts[state] += 1
    if state == "delivered":
        sums.expect("lost", not results, f"{who} says delivered, and nothing came")
        sums.expect("not charged exactly once", dict(entries) != {"hold": 1, "settle": 1}, f"{who}: {dict(entries)}")
        refusals = [one.words for one in words if not one.buttons]  # those with buttons are questions
        sums.expect("refused and delivered", bool(refusals), f"{who}: {refusals}")
        again, excused = len(results) - 1, kills.count(job["id"], "delivering")
        sums.counts["duplicate deliveries"] += max(again, 0)
        sums.counts[PAST_KILLS] += max(again - excused, 0)
    elif state == "failed":
        deaf = job["error"] == "chat_gone" and wish.blocks
        sums.expect("refused without a word", not words and not deaf, f"{who}: {job['error']}")
        sums.expect("charged for nothing", dict(entries) != {"hold": 1, "release": 1}, f"{who}: {dict(entries)}")
        sums.expect("refused and delivered", bool(results), f"{who}: {job['error']}")
        sums.counts[f"refused: {job['error']}"] += 1
    else:
        sums.expect("lost", 1, f"{who} is still {state}")


def _no_job(sums: Reckoning, wish: Wish, seen: Chats) -> None:
    """See that a wish that never became a job was refused in words; else it is lost."""
    refused = bool(_replies(wish, wish.last, seen)[1])  # in words, or it was asked for once more
    sums.counts["refused at the door"] += refused
    sums.expect("lost", not refused, f"{wish} has no job")


def _the_tasks(sums: Reckoning, job: Row, tasks: int, kills: Kills, allowed: Allowed) -> None:
    """Excuse a second paid task by a kill between the intent and the task_id, whose outcome nobody knows."""
    unknown = kills.count(job["id"], "submitting")
    sums.counts["outcome unknown"] += unknown
    sums.counts["further tasks"] += max(tasks - 1, 0)
    sums.counts["most tasks for one photo"] = max(tasks, sums.counts["most tasks for one photo"])
    excess = max(tasks - 1 - unknown - allowed.tasks, 0)
    sums.expect("submitted twice for no reason", excess, f"job {job['id']}: {tasks} tasks, {unknown} unknown")
    if job["state"] == "delivered":
        sums.expect("delivered without a task", not tasks, f"job {job['id']}")


async def _the_picture(sums: Reckoning, wish: Wish, known: set[str], seen: Chats, job: Row) -> None:
    """Files keep their bytes, and the vendor wrote into each whose picture it was."""
    for result in _replies(wish, job["reply_to"], seen)[0]:
        if "document" in result:
            whole = await wish.person.tg.file(result.file["file_unique_id"])
            sums.expect("somebody else's picture", whole[-64:].decode("latin-1") not in known, f"job {job['id']}")


def _the_books(sums: Reckoning, house: House) -> None:
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
