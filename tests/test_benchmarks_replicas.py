"""The benchmark of several processes works: a tiny run; how long anything takes is not looked at."""

import os
import sys
from pathlib import Path

import pytest

from benchmarks import replicas
from benchmarks.__main__ import rows
from benchmarks.programs import stand_ins
from benchmarks.replicas import Tree
from tests import postgres

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="CPU is read from /proc")


async def test_web_and_worker_are_measured(tmp_path: Path) -> None:
    """Photos go from the one that polls to the one that works; the CPU of both and of PostgreSQL can be read."""
    async with (
        stand_ins(tmp_path) as standins,
        postgres.cluster() as server,
        replicas.fleet(standins, server, tmp_path / "fleet", workers=1) as programs,
    ):
        load = await replicas.measured(standins, programs, 8, at_once=1)
    figures = load.figures(0)
    assert set(figures["share"]) == {"web", "worker 1", "postgresql", "stand-ins"}
    assert len(load.served["firsts"]) == 8
    assert all(0 < first < wait for first, wait in zip(load.served["firsts"], load.served["waits"], strict=True))


def test_the_table_shows_medians_and_the_best() -> None:
    """Of several rounds the middle counts, of several loads the one with most jobs a second."""

    def point(rate: float) -> dict[str, object]:
        one = {"run": rate}
        return {"jobs_per_second": rate, "cpu_ms": one, "share": one, "cores": 1.5, "busy": 1.9, "at_once": int(rate)}

    found = replicas.summary(
        {
            "race": {"sqlite": [point(1), point(2), point(30)]},
            "first": {"sqlite": [0.001, 0.002, 0.003]},
            "slow": {"web + 1": [point(64), point(50)]},
        }
    )
    shown = {row.what: row.value for row in rows({"replicas": found})}
    assert shown["CPU a job, run on sqlite: run"] == 2
    assert shown["first step, sqlite: median"] == pytest.approx(2)
    assert shown["jobs a second, provider of 1 s, 64 at once: web + 1"] == 64


def test_a_tree_counts_its_children() -> None:
    """A program's CPU is that of its processes, too."""
    assert Tree(os.getpid()).cpu() > 0
