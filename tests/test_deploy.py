"""compose.yaml and the files of deploy/ agree with the program and with each other."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import SecretStr
from starlette.routing import Route

from bot.alerts import NO_FAULT
from bot.app import LAST_SECONDS
from bot.cli import WRONG_SETTINGS, app
from bot.metrics import Metrics
from bot.settings import PREFIX, Settings
from bot.web import make_app
from storage.inbox import RawUpdate

HOUSE = Path(__file__).parent.parent
DEPLOY = HOUSE / "deploy"
COMPOSE = (HOUSE / "compose.yaml").read_text(encoding="utf-8")
SERVICES: dict[str, dict[str, Any]] = yaml.safe_load(COMPOSE)["services"]
UNIT = (DEPLOY / "darkroom.service").read_text(encoding="utf-8")
CADDY = (DEPLOY / "Caddyfile").read_text(encoding="utf-8")
DOCKERFILE = (HOUSE / "Dockerfile").read_text(encoding="utf-8")
GUIDE = (HOUSE / "docs/deploy.md").read_text(encoding="utf-8")
PROMETHEUS = yaml.safe_load((DEPLOY / "prometheus.yml").read_text(encoding="utf-8"))
COMMANDS = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}


def with_command(command: str) -> dict[str, dict[str, Any]]:
    return {name: service for name, service in SERVICES.items() if service.get("command") == command}


def web_paths() -> set[str]:
    async def accept(_update: RawUpdate) -> bool:
        return True

    async def on_callback(_token: str, _body: bytes) -> bool:
        return True

    web = make_app(metrics=Metrics(), checks={}, accept=accept, secret=SecretStr("s"), on_callback=on_callback)
    return {route.path for route in web.routes if isinstance(route, Route)}


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


@pytest.mark.parametrize("path", [HOUSE / "compose.yaml", *sorted(DEPLOY.iterdir())], ids=lambda path: path.name)
def test_every_setting_named_is_one(path: Path) -> None:
    """A renamed setting leaves no trace; the bot would not start with one it does not know."""
    for name in re.findall(rf"\b{PREFIX}([A-Z_]+)\b", path.read_text(encoding="utf-8")):
        assert name.lower() in Settings.model_fields, name


def test_every_command_exists() -> None:
    """What compose.yaml, the unit and the guide start is a command of the program."""
    started = {str(service["command"]) for service in SERVICES.values() if service.get("image") == "darkroom"}
    roles = set(re.findall(r"ROLE=(\w+)", UNIT + GUIDE))
    typed = set(re.findall(r"^(?!#).*\bdarkroom (run|check|audit|web|worker)\b", GUIDE, re.MULTILINE))
    assert started == {"web", "worker"}
    assert roles | typed >= {"run", "worker", "check"}
    assert started | roles | typed <= COMMANDS


def test_there_are_two_of_each_role() -> None:
    """Two webs and two workers, each pair alike, with more grace than a stop takes and a database to wait for."""
    for role in ("web", "worker"):
        replicas = with_command(role)
        assert set(replicas) == {f"{role}1", f"{role}2"}
        assert replicas[f"{role}1"] == replicas[f"{role}2"]
        service = replicas[f"{role}1"]
        assert seconds(service["stop_grace_period"]) > LAST_SECONDS
        assert service["depends_on"]["database"]["condition"] == "service_healthy"
        assert service["env_file"] == ".env"
    assert {service["restart"] for service in SERVICES.values()} == {"unless-stopped"}


def test_images_are_pinned_and_ours_are_built() -> None:
    """A version stands behind every image that comes from elsewhere; what is built is a target of the Dockerfile."""
    for name, service in SERVICES.items():
        if build := service.get("build"):
            assert f" AS {build['target']}\n" in DOCKERFILE, name
        else:
            assert re.fullmatch(r"([a-z]+/)?[a-z]+:v?\d+(\.\d+)*", service["image"]), name


def test_no_secret_is_written_down() -> None:
    """Every password and key comes from the environment, and has no default there."""
    secrets = re.findall(r"(?:PASSWORD|KEYS|TOKEN): (.+)|://\w+:(.+?)@", COMPOSE)
    assert len(secrets) >= 3
    for secret in map("".join, secrets):
        assert re.match(r"\$\{[A-Z_]+:\?[^}]+\}", secret), secret


def test_only_two_doors_are_open() -> None:
    """Caddy lets /telegram and /callback/ through, which exist, and nothing else; it asks /healthz, which exists."""
    doors = re.findall(r"@doors path (.+)", CADDY)
    assert doors == ["/telegram /callback/*"]
    assert {"/telegram", "/callback/{token}", "/healthz", "/metrics"} <= web_paths()
    assert re.findall(r"health_uri (\S+)", CADDY) == ["/healthz"]
    assert CADDY.rstrip().endswith("respond 404\n}")
    assert CADDY.count("reverse_proxy") == 1
    assert DOCKERFILE.count("/healthz") == 2
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert set(published) == {"caddy", "prometheus"}
    assert all(port.startswith("127.0.0.1:") for port in published["prometheus"])


def test_caddy_and_prometheus_know_every_replica() -> None:
    """Caddy's upstreams are the webs; Prometheus asks the names that webs and workers share; all on the one port."""
    port = SERVICES["web1"]["environment"]["DARKROOM_HTTP_PORT"]
    upstreams = re.findall(r"reverse_proxy (.+) \{", CADDY)
    assert upstreams == [" ".join(f"{name}:{port}" for name in with_command("web"))]
    asked = PROMETHEUS["scrape_configs"][0]["dns_sd_configs"][0]
    assert asked["port"] == port
    assert asked["names"] == ["web", "worker"]
    for role in asked["names"]:
        for service in with_command(role).values():
            assert role in service["networks"]["back"]["aliases"]


def test_alerts_ask_for_metrics_there_are() -> None:
    """Every darkroom_ name in an alert, and in the guide, is one the program counts."""
    families = list(Metrics().registry.collect())
    names = {family.name + ("_total" if family.type == "counter" else "") for family in families}
    alerts = yaml.safe_load((DEPLOY / "alerts.yml").read_text(encoding="utf-8"))
    expressions = "\n".join(rule["expr"] for group in alerts["groups"] for rule in group["rules"])
    named = set(re.findall(r"\bdarkroom_\w+", expressions + GUIDE))
    assert len(named) >= 5
    assert named - {"darkroom_"} <= names


def test_alerts_know_how_a_job_may_end() -> None:
    """What counts as a failure to Prometheus is what does to the bot's own alert: any end but these."""
    (excused,) = re.findall(r'outcome!~"([\w|]+)"', (DEPLOY / "alerts.yml").read_text(encoding="utf-8"))
    assert set(excused.split("|")) == NO_FAULT


def test_what_is_mounted_is_there() -> None:
    """Every file that a container is given exists, and none of them can be changed from inside."""
    given = [volume for service in SERVICES.values() for volume in service.get("volumes", ()) if volume[0] == "."]
    assert len(given) == 3
    for volume in given:
        source, _, mode = volume.split(":")
        assert (HOUSE / source).is_file()
        assert mode == "ro"


def test_the_unit_waits_long_enough_and_gives_up_on_wrong_settings() -> None:
    """Systemd kills no bot that is still stopping, and starts none again that cannot start."""
    values = dict(re.findall(r"^(\w+)=(.*)$", UNIT, re.MULTILINE))
    assert seconds(values["TimeoutStopSec"]) > LAST_SECONDS
    assert int(values["RestartPreventExitStatus"]) == WRONG_SETTINGS
    assert values["Restart"] == "always"
