"""The benchmark works: a tiny run of each part; how long anything takes is not looked at."""

from __future__ import annotations

import io
import sys
from typing import TYPE_CHECKING

import pytest
from rich.console import Console

from benchmarks import speed
from benchmarks.__main__ import Row, command_line, rows, show
from benchmarks.growth import growth
from benchmarks.programs import program, stand_ins
from imaging import codec

if TYPE_CHECKING:
    from pathlib import Path

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="CPU and memory are read from /proc")
FIGURES = {
    "race": {
        "median": {name: {"cpu_ms": 5.0, "jobs_per_second": 140.0} for name in ("bare", "naive", "darkroom")},
        "ratio": {"to_bare": 2.0, "to_naive": 0.9},
    },
    "added": {"p50_ms": 10.0, "p95_ms": 20.0},
    "starts": {"new": {"seconds": 1.0, "mebibytes": 80.0}},
    "memory": {"files": 50, "before": 90.0, "peak": 100.0},
}


def test_all_or_one() -> None:
    """`make bench` names nothing and measures everything; one part may be named."""
    assert command_line().parse_args([]).only is None
    assert command_line().parse_args(["replicas"]).only == "replicas"


@linux_only
async def test_the_bot_is_measured(tmp_path: Path) -> None:
    """The stand-ins are Telegram and provider enough for the bot, and CPU and memory can be read."""
    async with stand_ins(tmp_path) as standins, program("darkroom", standins, tmp_path) as (running, seconds):
        before = running.cpu()
        served = await standins.load(8, at_once=4, chats=4)
        assert len(served["waits"]) == 8
        assert all(0 < wait < served["seconds"] for wait in served["waits"])
        assert running.cpu() >= before > 0
        assert seconds > 0
        running.forget_peak()
        assert min(running.memory("VmHWM"), running.memory()) > 0  # two looks at what grows and shrinks meanwhile


@linux_only
@pytest.mark.parametrize("name", ["bare", "naive"])
async def test_the_others_are_measured(tmp_path: Path, name: str) -> None:
    """What the bot is compared with does the same jobs."""
    async with stand_ins(tmp_path) as standins, program(name, standins, tmp_path):
        assert len((await standins.load(5, at_once=2))["waits"]) == 5


@linux_only
async def test_a_program_that_dies_is_no_long_wait(tmp_path: Path) -> None:
    """A bot that cannot start ends the benchmark with what it said."""
    async with stand_ins(tmp_path) as standins:
        with pytest.raises(RuntimeError, match="CONCURRENCY"):
            async with program("darkroom", standins, tmp_path, concurrency="none"):
                pass


async def test_growth_is_measured(tmp_path: Path) -> None:
    """Both databases are filled and asked; the table shows what came of it."""
    found = await growth(tmp_path, chats=50, entries=100, samples=16, say=lambda _: None)
    assert set(found["ratio"]) == {"quota", "glance", "insert"}
    listed = rows({**FIGURES, "growth": found})
    reached = {row.what: row.reached for row in listed}
    assert reached["CPU, darkroom to bare"] is True
    assert reached["CPU, darkroom to naive"] is False
    assert reached["jobs a second, darkroom"] is False
    assert reached["jobs a second, bare"] is None
    out = io.StringIO()
    show(listed, Console(file=out, width=120))
    assert "at least 150" in out.getvalue()
    assert "50 chats and 100 entries" in out.getvalue()


def test_goals() -> None:
    """A goal below zero is a least, one above a most."""
    assert Row("jobs a second", 150, "", -150).reached
    assert not Row("memory", 91, "MiB", 90).reached


@pytest.mark.parametrize("size", [100_000, speed.BIG])
def test_pictures_are_whole_and_of_their_size(size: int) -> None:
    """A photo of the stand-ins needs no conversion, however large, and is as large as asked for."""
    from benchmarks.standins import picture  # noqa: PLC0415  a program; nothing else imports it

    data = picture(size)
    assert len(data) == size
    assert codec.look(io.BytesIO(data), size) is not None
