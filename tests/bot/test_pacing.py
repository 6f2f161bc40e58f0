"""Pacing of calls to Telegram, in a loop whose time jumps instead of passing."""

from __future__ import annotations

import asyncio
import datetime as dt
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from telegram.error import RetryAfter, TimedOut

from bot.pacing import TRIES, Pacer, priority_of
from bot.windows import AT_ONCE, RESULT, Window

if TYPE_CHECKING:
    from collections.abc import Coroutine

ALICE, BOB, GROUP = 1, 2, -100


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that goes to the next timer at once."""

    def __init__(self) -> None:
        super().__init__()
        self._now = 1000.0

    def time(self) -> float:
        """Return the time that was jumped to."""
        return self._now

    def _run_once(self) -> None:
        if not self._ready and self._scheduled:  # type: ignore[attr-defined]
            self._now = max(self._now, self._scheduled[0]._when)  # type: ignore[attr-defined]
        super()._run_once()  # type: ignore[misc]


def run(story: Coroutine[Any, Any, None]) -> None:
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        runner.run(asyncio.wait_for(story, 100_000))


class Telegram:
    """Notes when which call was made; may answer 429."""

    def __init__(self, rate: float = 30) -> None:
        self.pacer = Pacer(rate)
        self.start = asyncio.get_running_loop().time()
        self.made: list[tuple[float, int, str, object]] = []
        self.flooded: dict[int, list[float]] = defaultdict(list)  # chat → delays still to be answered
        self.takes = 0.0  # seconds, to answer

    async def call(self, endpoint: str, chat: int, note: object = None, lift: int | None = None, **data: Any) -> Any:
        """Make a call through the pacer; a dropped one returns True, a made one False."""

        async def callback() -> bool:
            self.made.append((asyncio.get_running_loop().time() - self.start, chat, endpoint, note))
            await asyncio.sleep(self.takes)
            if self.flooded[chat]:
                raise RetryAfter(dt.timedelta(seconds=self.flooded[chat].pop(0)))
            return False  # so that a dropped call's True is told apart

        return await self.pacer.process_request(callback, (), {}, endpoint, {"chat_id": chat, **data}, lift)

    def send(self, endpoint: str, chat: int, note: object = None, **data: Any) -> asyncio.Task[Any]:
        """Begin a call."""
        return asyncio.create_task(self.call(endpoint, chat, note, **data))

    def times(self, chat: int, endpoint: str = "") -> list[float]:
        """Return when calls reached this chat, in seconds since the start."""
        return [round(at, 3) for at, to, name, _ in self.made if to == chat and endpoint in {"", name}]


def most_in(times: list[float], seconds: float) -> int:
    return max((sum(at <= other < at + seconds - 1e-6 for other in times) for at in times), default=0)


def test_one_chat_gets_a_burst_and_then_one_a_second() -> None:
    """Three at once, then on average one a second, in the order they were asked for."""

    async def story() -> None:
        telegram = Telegram()
        await asyncio.gather(*(telegram.send("sendMessage", ALICE, n) for n in range(9)))
        assert telegram.times(ALICE) == [0, 0, 0, 3, 3, 3, 6, 6, 6]
        assert [note for *_, note in telegram.made] == list(range(9))

    run(story())


def test_a_group_gets_twenty_a_minute_albums_counted_in_full() -> None:
    """No minute holds more than 20 messages, and an album of five is five of them."""

    async def story() -> None:
        telegram = Telegram()
        album = [telegram.send("sendMediaGroup", GROUP, media=[0] * 5) for _ in range(3)]
        await asyncio.gather(*album, *(telegram.send("sendDocument", GROUP) for _ in range(30)))
        counted = telegram.times(GROUP, "sendDocument") + telegram.times(GROUP, "sendMediaGroup") * 5
        assert most_in(counted, 60) == 20
        assert max(counted) < 180

    run(story())


def test_no_second_holds_more_than_the_rate_over_all() -> None:
    """A hundred chats at once go out at the rate; nobody is left behind."""

    async def story() -> None:
        telegram = Telegram(rate=10)
        await asyncio.gather(*(telegram.send("sendMessage", chat) for chat in range(1, 101)))
        times = [at for at, *_ in telegram.made]
        assert most_in(times, 1) == 10
        assert max(times) == pytest.approx(9)

    run(story())


def test_a_rate_below_one_a_second() -> None:
    """Half a call a second means one every two seconds, small calls included."""

    async def story() -> None:
        telegram = Telegram(rate=0.5)
        await asyncio.gather(*(telegram.send("editMessageText", chat) for chat in (ALICE, BOB, 3)))
        assert sorted(at for at, *_ in telegram.made) == [0, 2, 4]

    run(story())


def test_one_chats_429_stops_that_chat_only() -> None:
    """Alice's calls wait for as long as Telegram asked and are made again; Bob's go on."""

    async def story() -> None:
        telegram = Telegram()
        telegram.flooded[ALICE] = [40.0]
        first = telegram.send("sendPhoto", ALICE, "first")
        await asyncio.sleep(1)
        later = [telegram.send("sendMessage", ALICE, "second"), telegram.send("sendMessage", BOB)]
        await asyncio.gather(first, *later)
        assert telegram.times(BOB) == [1]
        assert telegram.times(ALICE) == [0, 40, 40]
        assert [note for _, chat, _, note in telegram.made if chat == ALICE] == ["first", "first", "second"]

    run(story())


def test_the_longest_429_counts() -> None:
    """Of two calls under way one is told to wait for long, then the other for a moment: the chat waits for long."""

    async def story() -> None:
        telegram = Telegram()
        telegram.flooded[ALICE], telegram.takes = [40.0, 5.0], 0.1
        flooded = [telegram.send("sendMessage", ALICE) for _ in range(2)]
        await asyncio.sleep(1)
        await asyncio.gather(*flooded, telegram.send("sendPhoto", ALICE))
        assert telegram.times(ALICE) == [0, 0, 40.1, 40.1, 40.1]

    run(story())


def test_a_chat_that_only_floods_ends_in_the_error() -> None:
    """After a few attempts the caller gets RetryAfter, and other errors at once."""

    async def story() -> None:
        telegram = Telegram()
        telegram.flooded[ALICE] = [5.0] * 9
        with pytest.raises(RetryAfter):
            await telegram.call("sendPhoto", ALICE)
        assert telegram.times(ALICE) == [0, 5, 10, 15, 20][:TRIES]

        async def broken() -> bool:
            raise TimedOut

        with pytest.raises(TimedOut):
            await telegram.pacer.process_request(broken, (), {}, "sendPhoto", {"chat_id": BOB}, None)

    run(story())


def test_what_a_finger_paces_goes_at_once() -> None:
    """A screen that a press changes is not kept waiting, and takes nothing from the others."""

    async def story() -> None:
        telegram, began = Telegram(), asyncio.get_running_loop().time()

        async def edited() -> bool:
            return True

        for _ in range(50):
            data = {"chat_id": ALICE}
            assert await telegram.pacer.process_request(edited, (), {}, "editMessageText", data, AT_ONCE)
        assert asyncio.get_running_loop().time() == began
        await telegram.call("sendMessage", ALICE)
        assert telegram.times(ALICE, "sendMessage") == [0]

    run(story())


def test_what_a_finger_paces_obeys_a_429() -> None:
    """While Telegram asks for patience a screen is left as it is, whichever call it refused."""

    async def story() -> None:
        telegram = Telegram()
        for refused, lift in (("sendPhoto", None), ("editMessageText", AT_ONCE)):
            telegram.made.clear()
            telegram.flooded[ALICE] = [30.0]
            first = asyncio.create_task(telegram.call(refused, ALICE, lift=lift))
            await asyncio.sleep(1)
            assert await telegram.call("editMessageText", ALICE, lift=AT_ONCE) is True
            assert len(telegram.made) == 1
            await asyncio.gather(first, asyncio.sleep(30))
            assert await telegram.call("editMessageText", ALICE, lift=AT_ONCE) is False

    run(story())


def test_edits_never_starve_a_result() -> None:
    """With edits queued without end, a result goes at once: edits leave it a slot and never pass it."""

    async def story() -> None:
        telegram = Telegram()
        edits = [telegram.send("editMessageText", GROUP) for _ in range(60)]
        await asyncio.sleep(4.5)
        await telegram.call("sendDocument", GROUP)
        assert telegram.times(GROUP, "sendDocument") == [4.5]
        results = [telegram.send("sendDocument", GROUP) for _ in range(19)]
        await asyncio.gather(*results)
        assert max(telegram.times(GROUP, "sendDocument")) < 30  # the edits used none of the group's 20 a minute
        assert len(telegram.times(GROUP, "editMessageText")) < 20
        await asyncio.gather(*edits)
        assert most_in(telegram.times(GROUP, "editMessageText"), 60) == 20  # of their own

    run(story())


def test_results_overtake_words_and_a_call_can_be_lifted() -> None:
    """In a full chat a picture goes before waiting texts, and a text lifted to RESULT goes with it."""

    async def story() -> None:
        telegram = Telegram()
        calls = [telegram.send("sendMessage", ALICE, n) for n in range(6)]
        await asyncio.sleep(0.5)
        calls += [telegram.send("sendPhoto", ALICE, "picture")]
        calls += [telegram.send("sendMessage", ALICE, "paid", lift=RESULT)]
        await asyncio.gather(*calls)
        assert [note for *_, note in telegram.made] == [0, 1, 2, "picture", "paid", 3, 4, 5]

    run(story())


@pytest.mark.parametrize("courtesy", ["sendChatAction", "setMessageReaction"])
def test_courtesies_are_dropped_when_it_is_tight(courtesy: str) -> None:
    """An action or a glance goes to an idle chat, costs the chat nothing, and is dropped in a busy or flooded one."""

    async def story() -> None:
        telegram = Telegram()
        assert await telegram.call(courtesy, GROUP) is False
        await asyncio.gather(*(telegram.send("sendMessage", GROUP) for _ in range(3)))
        assert telegram.times(GROUP, "sendMessage") == [0, 0, 0]
        assert await telegram.call(courtesy, GROUP) is True
        telegram.flooded[BOB] = [30.0]
        assert await telegram.call(courtesy, BOB) is True  # its 429 is no error, but it is obeyed
        await telegram.call("sendPhoto", BOB)
        assert telegram.times(BOB) == [0, 30]
        busy = Telegram(rate=1)
        await busy.call("sendMessage", ALICE)
        assert await busy.call(courtesy, BOB) is True

    run(story())


def test_answers_and_questions_are_not_paced() -> None:
    """Answers with a deadline, reads and calls to no chat at all go straight through."""
    assert priority_of("answerPreCheckoutQuery", {"pre_checkout_query_id": "1"}) is None
    assert priority_of("answerCallbackQuery", {"chat_id": 1}) is None
    assert priority_of("getChatMember", {"chat_id": 1}) is None
    assert priority_of("setMyCommands", {}) is None

    async def story() -> None:
        telegram = Telegram(rate=1)
        await asyncio.gather(*(telegram.send("getChat", ALICE) for _ in range(50)))
        assert telegram.times(ALICE) == [0] * 50

    run(story())


def test_a_cancelled_call_gives_up_its_place() -> None:
    """Those behind it do not wait for it, and it is never made."""

    async def story() -> None:
        telegram = Telegram()
        calls = [telegram.send("sendMessage", ALICE, n) for n in range(8)]
        await asyncio.sleep(1)
        for n in (3, 4, 7):
            calls[n].cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert [note for *_, note in telegram.made] == [0, 1, 2, 5, 6]
        assert telegram.times(ALICE) == [0, 0, 0, 3, 3]

    run(story())


def test_a_call_cancelled_while_all_chats_wait() -> None:
    """Cancelling the call at the head of the queue over all chats lets the next go."""

    async def story() -> None:
        telegram = Telegram(rate=1)
        calls = [telegram.send("sendMessage", chat) for chat in (ALICE, BOB, 3)]
        await asyncio.sleep(0.5)
        calls[1].cancel()
        await asyncio.gather(*calls, return_exceptions=True)
        assert [(at, chat) for at, chat, *_ in telegram.made] == [(0, ALICE), (1, 3)]

    run(story())


def test_quiet_chats_are_forgotten_and_flooded_ones_are_not() -> None:
    """Memory follows the chats of the last minute, not all chats ever seen."""

    async def story() -> None:
        telegram = Telegram(rate=1000)
        telegram.flooded[ALICE] = [500_000.0]
        flooded = telegram.send("sendMessage", ALICE)
        for chat in range(10, 2010):
            await telegram.call("sendMessage", chat)
            await asyncio.sleep(0.1)
        assert len(telegram.pacer._chats) < 100
        assert str(ALICE) in telegram.pacer._chats
        flooded.cancel()

    run(story())


def test_the_end_cancels_what_waits() -> None:
    """Shutting down leaves no timer and no task hanging."""

    async def story() -> None:
        telegram = Telegram()
        await telegram.pacer.initialize()
        calls = [telegram.send("sendMessage", ALICE) for _ in range(5)]
        await asyncio.sleep(0)
        await telegram.pacer.shutdown()
        outcomes = await asyncio.gather(*calls, return_exceptions=True)
        assert [isinstance(outcome, asyncio.CancelledError) for outcome in outcomes] == [False] * 3 + [True] * 2
        await Pacer(1).shutdown()

    run(story())


@given(size=st.integers(1, 5), asks=st.lists(st.tuples(st.floats(0, 4), st.integers(1, 7)), max_size=40))
def test_a_window_never_holds_more_than_its_size(size: int, asks: list[tuple[float, int]]) -> None:
    """Whoever waits until `free_at` never makes any stretch of the window's length overfull."""
    window, now, taken = Window(size, 2.0), 0.0, []
    for pause, slots in asks:
        now = window.free_at(now + pause, slots)
        assert window.free_at(now, slots) == now
        window.take(now, slots)
        taken += [now] * min(slots, size)
    assert most_in(taken, 2.0) <= size


CALLS = st.tuples(
    st.sampled_from(["sendMessage", "sendPhoto", "editMessageText", "sendChatAction", "sendMediaGroup"]),
    st.sampled_from([ALICE, BOB, GROUP]),
    st.floats(0, 3),
    st.booleans(),
)


@settings(max_examples=60, deadline=None)
@given(calls=st.lists(CALLS, max_size=40), rate=st.sampled_from([0.7, 2, 30]))
def test_any_traffic_keeps_every_limit_and_loses_nothing(
    calls: list[tuple[str, int, float, bool]], rate: float
) -> None:
    """Whatever is asked, cancelled or flooded: limits hold, and every call that was not cancelled is made."""

    async def story() -> None:
        telegram, tasks = Telegram(rate), []
        telegram.flooded[BOB] = [3.0]
        for note, (endpoint, chat, pause, cancelled) in enumerate(calls):
            task = telegram.send(endpoint, chat, note, media=[0, 0])
            await asyncio.sleep(pause)
            if cancelled:
                task.cancel()
            tasks.append(task)
        await asyncio.gather(*tasks, return_exceptions=True)
        made = {note for *_, note in telegram.made}
        for note, (endpoint, _, _, cancelled) in enumerate(calls):
            assert note in made or cancelled or endpoint == "sendChatAction"
        real = [entry for entry in telegram.made if entry[2] != "sendChatAction"]
        for chat in (ALICE, BOB, GROUP):
            assert most_in([at for at, to, *_ in real if to == chat], 3) <= 3
        assert most_in([at for at, *_ in telegram.made], telegram.pacer._all.seconds) <= telegram.pacer._all.size

    run(story())
