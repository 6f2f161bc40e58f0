"""What a database and a Telegram remember of chaos: who took which job over from whom, and how fast calls came.

The database's triggers write it down, in the transaction that does it: nothing of the bot is asked.
"""

import json
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.journeys.chaos_audit import Kills
from tests.journeys.chaos_house import Row

WITNESSES = """
CREATE TABLE chaos_lives (process bigint, life text);
CREATE TABLE chaos_takes (n bigserial, job bigint, state text, owner bigint, epoch int);

CREATE FUNCTION chaos_join() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO chaos_lives VALUES (NEW.id, current_setting('darkroom.life', true));
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_join AFTER INSERT ON processes FOR EACH ROW EXECUTE FUNCTION chaos_join();

CREATE FUNCTION chaos_take() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO chaos_takes (job, state, owner, epoch) VALUES (NEW.id, NEW.state, NEW.owner, NEW.epoch);
    RETURN NULL;
END $$;
CREATE TRIGGER chaos_taken AFTER UPDATE ON jobs FOR EACH ROW
    WHEN (NEW.owner > 0 AND (NEW.owner IS DISTINCT FROM OLD.owner OR NEW.epoch IS DISTINCT FROM OLD.epoch))
    EXECUTE FUNCTION chaos_take();
CREATE TRIGGER chaos_begun AFTER INSERT ON jobs FOR EACH ROW WHEN (NEW.owner > 0) EXECUTE FUNCTION chaos_take();
"""
"""Needs the bot's tables. A life is what its process calls itself in PGOPTIONS."""

LATE = 1.0
"""Seconds that one call may be longer on its way than another: what was granted apart may arrive together."""

CHAT, GROUP = (3, 3.0), (20, 60.0)
"""Messages to one chat, and to one group: (most, in so many seconds)."""


@dataclass(frozen=True, slots=True)
class Takeover:
    """A job's second or later owner, by the job's state, and how the life of the one before had ended."""

    job: int
    state: str
    end: str


def takeovers(
    takes: Iterable[Row], lives: Iterable[Row], ends: Mapping[str, str], frozen: Collection[int]
) -> list[Takeover]:
    """Read what the triggers wrote; who neither died nor froze and yet lost a job is "alive".

    `frozen` are those processes, by number, that were; they go on under another one.
    """
    life_of = {row["process"]: row["life"] for row in lives}
    last: dict[int, int] = {}
    found = []
    for row in sorted(takes, key=lambda row: row["n"]):
        before = last.get(row["job"])
        last[row["job"]] = row["owner"]
        if before is not None:
            end = "alive" if before == row["owner"] else ends.get(life_of.get(before, ""), "alive")
            found.append(Takeover(row["job"], row["state"], "SIGSTOP" if before in frozen else end))
    return found


def excuses(found: Iterable[Takeover]) -> Kills:
    """Give what may have been done twice: the work of who was killed or frozen, not of who was asked to end."""
    return Kills([{one.job: one.state} for one in found if one.end in {"SIGKILL", "SIGSTOP"}])


def messages(calls: Iterable[Mapping[str, Any]]) -> Iterator[tuple[str, float, int]]:
    """Give chat, moment and slots of each message sent, of the calls that the sandbox wrote down."""
    for call in calls:
        method, params = call["method"], call["params"]
        if method.startswith(("send", "copy", "forward")) and method != "sendChatAction" and "chat_id" in params:
            media = params.get("media", "[0]")
            yield str(params["chat_id"]), call["time"], len(json.loads(media) if isinstance(media, str) else media)


@dataclass(frozen=True, slots=True)
class Pace:
    """At most `size` in any `seconds` seconds, looked at over `times` such spans at once."""

    size: int
    seconds: float
    times: int = 1

    def broken(self, sent: Sequence[tuple[float, int]], pardons: Sequence[tuple[float, float]]) -> tuple[int, str]:
        """Give the most slots of (moment, slots) at once, in any span without a pardon; and a sentence if too many."""
        sent, span = sorted(sent), self.times * self.seconds - LATE
        moments = [at for at, _ in sent]
        best, since = 0, 0.0
        for number, begin in enumerate(moments):
            if not any(low < begin + span and high >= begin for low, high in pardons):
                count = sum(slots for _, slots in sent[number : bisect_left(moments, begin + span)])
                best, since = max((best, since), (count, begin))
        if best <= self.size * self.times:
            return best, ""
        return best, f"{best} in {span:g} s from {since:.1f}, where {self.size} in {self.seconds:g} s may be"


def too_fast(
    calls: Sequence[Mapping[str, Any]], rate: int, pardons: Sequence[tuple[float, float]]
) -> tuple[Counter[str], list[str]]:
    """Hold the messages against the pace; give the most seen at once, and a sentence for each excess.

    `pardons`: from when to when a frozen process lets go what it was granted long ago, or the server has forgotten
    what it granted.
    """
    sent: defaultdict[str, list[tuple[float, int]]] = defaultdict(list)
    for chat, at, slots in messages(calls):
        sent["all"].append((at, 1))
        sent[f"chat {chat}"].append((at, 1))
        if chat.startswith("-"):
            sent[f"group {chat}"].append((at, slots))
    paces = {"all": Pace(rate, 1.0, 10), "chat": Pace(*CHAT), "group": Pace(*GROUP)}
    most: Counter[str] = Counter()
    wrong = []
    for name, its in sent.items():
        kind = name.split(" ")[0]
        count, sentence = paces[kind].broken(its, pardons)
        most[kind] = max(most[kind], count)
        wrong += [f"{name}: {sentence}"] if sentence else []
    return most, wrong
