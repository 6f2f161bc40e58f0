"""What is installed is whole and light: package data, the images' steps, each without the rest of the house."""

from __future__ import annotations

import fnmatch
import re
import shutil
import subprocess
import sys
import tomllib
from importlib import import_module
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HOUSE = Path(__file__).parent.parent
PROJECT = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))
DOCKERFILE = (HOUSE / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ")
# The lines of each stage, by its name.
STAGES = {lines.partition(" AS ")[2].partition("\n")[0]: lines for lines in DOCKERFILE.split("\nFROM ")}
ROOMS = ["bot", "handlers", "jobs", "imaging", "storage", "engine", "sandbox"]
# Run in a bare directory that holds what an image holds: it loads all it needs, and nothing of the other's.
BOT = """
import bot.app, bot.check, bot.cli
foreign = {"numpy", "cv2", "matplotlib", "skimage", "scipy", "engine", "sandbox", "pytest"}
foreign |= {"psycopg", "psycopg_pool", "procrastinate"}  # loaded with a PostgreSQL URL only
own = bot.cli.__file__
"""
ENGINE = """
import engine.__main__, engine.app, engine.worker, importlib, pathlib, pillow_heif
for path in pathlib.Path("engine/operators").glob("*.py"):
    importlib.import_module(f"engine.operators.{path.stem}")
foreign = {"bot", "telegram", "sqlalchemy", "httpx", "alembic", "psycopg", "sandbox", "pytest"}
own = engine.app.__file__
"""
PROBE = """
import sys
assert not foreign & set(sys.modules), foreign & set(sys.modules)
assert own.startswith(sys.argv[1]), own
print(*{name.partition(".")[0] for name in sys.modules})
"""


def copied(stage: str) -> list[str]:
    """Give what a build stage copies from the house, with what it was begun from."""
    lines = STAGES["build"] + STAGES[stage]
    return [path for line in re.findall(r"^COPY (?!--)(.+) \S+$", lines, re.MULTILINE) for path in line.split()]


def test_wheels_carry_all_the_program_reads() -> None:
    """Every file in a room that is no Python matches a package-data pattern."""
    patterns = PROJECT["tool"]["setuptools"]["package-data"]["*"]
    files = [path for room in ROOMS for path in (HOUSE / room).rglob("*") if path.is_file()]
    # Another process may be writing what Python makes for itself, under whatever name.
    data = [path for path in files if path.suffix != ".py" and path.parent.name != "__pycache__"]
    assert any(path.suffix == ".po" for path in data)
    for path in data:
        assert any(fnmatch.fnmatch(path.name, pattern) for pattern in patterns), path


def test_every_room_is_packaged_and_typed() -> None:
    """Each room is found by setuptools and ships its types."""
    assert PROJECT["tool"]["setuptools"]["packages"]["find"]["include"] == [f"{room}*" for room in ROOMS]
    for room in ROOMS:
        assert (HOUSE / room / "py.typed").exists()


def test_the_images_copy_what_is_there() -> None:
    """Each COPY names a file that exists and that .dockerignore lets in."""
    let_in = {line[1:] for line in (HOUSE / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    for path in let_in:
        assert (HOUSE / path).exists(), path
    assert set(copied("build-bot")) | set(copied("build-engine")) == let_in


def test_the_images_start_their_programs() -> None:
    """The bot's entry point is the script of pyproject.toml, which leads to a function; both run as nobody special."""
    scripts = PROJECT["project"]["scripts"]
    assert list(STAGES)[-1] == "bot"  # what `docker build .` makes
    assert f'ENTRYPOINT ["{next(iter(scripts))}"]' in STAGES["bot"]
    module, _, function = scripts["darkroom"].partition(":")
    assert callable(getattr(import_module(module), function))
    assert "USER darkroom" in STAGES["base"]
    for line in ("base AS bot", "VOLUME /data", "HEALTHCHECK", 'CMD ["run"]'):
        assert line in STAGES["bot"]
    for line in ("base AS engine", "HEALTHCHECK", 'ENTRYPOINT ["python", "-m", "engine"'):
        assert line in STAGES["engine"]
    assert not re.search(r"^FROM \S*/", DOCKERFILE, re.MULTILINE)


@pytest.mark.parametrize(("stage", "loads"), [("build-bot", BOT), ("build-engine", ENGINE)])
def test_an_image_needs_nothing_else(tmp_path: Path, stage: str, loads: str) -> None:
    """In a bare directory with the copied files alone it loads, without the other's libraries."""
    probe(tmp_path, stage, loads)


def test_the_engine_image_has_the_libraries_the_engine_loads(tmp_path: Path) -> None:
    """Everything it loads belongs to a library that the Dockerfile names, or to what such a library needs."""
    command = re.search(r"-c constraints.txt ([^-.][^\n]*)", STAGES["build-engine"])
    assert command
    given: set[str] = set()
    wanted = command[1].split()
    while wanted:
        name = canonicalize_name(wanted.pop())
        if name not in given:
            given.add(name)
            needs = [Requirement(need) for need in distribution(name).requires or ()]
            wanted += [need.name for need in needs if not need.marker or need.marker.evaluate({"extra": ""})]
    makers = packages_distributions()
    loaded = {
        canonicalize_name(dist) for top in probe(tmp_path, "build-engine", ENGINE) for dist in makers.get(top, ())
    }
    assert {"numpy", "opencv-python-headless", "aiohttp", "starlette"} < loaded
    assert loaded - {"darkroom", "setuptools"} <= given


def probe(folder: Path, stage: str, loads: str) -> list[str]:
    """Load the program of a stage where only its files are; give the names of all top modules it loaded."""
    for path in copied(stage):
        source = HOUSE / path
        if source.is_dir():
            shutil.copytree(source, folder / path, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / path)
    script = folder / "probe.py"
    script.write_text(loads + PROBE, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, script, str(folder)], cwd=folder, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()
