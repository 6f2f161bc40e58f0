"""Hosts for processes, on one machine: network namespaces that can be cut off as by a switch that died.

Needs root and iproute2. What listens on this machine's loopback is found by every host at the same addresses, over a
wire for each: NEAR for everything, DATABASE for PostgreSQL, so that either can be cut by itself. Nothing is refused
then, nothing is reset: what is sent is not heard, in both directions.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

NEAR, DATABASE = "127.0.0.1", "127.0.0.3"
NETWORK = "10.77.0.0/16"
_NOBODY = "02:00:00:00:00:ff"


@dataclass(frozen=True, slots=True)
class Host:
    """A namespace with a cable to this machine; `number` is 1 to 250."""

    number: int

    @property
    def name(self) -> str:
        """What iproute2 calls it."""
        return f"darkroom-{self.number}"

    @property
    def command(self) -> tuple[str, ...]:
        """What a command there begins with."""
        return ("ip", "netns", "exec", self.name)

    def address(self, wire: str) -> str:
        """Give the address that this machine knows it by on a wire."""
        return f"10.77.{self.number}.{int(wire[-1]) + 1}"

    def cut(self, *wires: str) -> None:
        """Let nothing through on these wires: each end sends to a card that is nobody's."""
        for wire in wires:
            self._meet(wire, here=_NOBODY, there=_NOBODY)

    def join(self) -> None:
        """Let everything through."""
        for wire in (NEAR, DATABASE):
            self._meet(wire, here=self._card("01"), there=self._card("02"))

    def plug(self) -> None:
        """Lay the cable."""
        here, there = self._ends
        _ip(f"netns add {self.name}")
        ends = f"{here} address {self._card('01')} type veth peer name {there} address {self._card('02')}"
        _ip(f"link add {ends} netns {self.name}")
        _ip(f"link set {here} up")
        _ip(f"-n {self.name} link set {there} up")
        # Loopback's addresses lead over the cable, to this machine's: the host has none of its own.
        localnet = "/proc/sys/net/ipv4/conf/{}/route_localnet"
        Path(localnet.format(here)).write_text("1")
        subprocess.run([*self.command, "tee", localnet.format(there)], input=b"1", check=True, capture_output=True)
        for wire in (NEAR, DATABASE):
            _ip(f"addr add {self._gate(wire)}/24 dev {here}")
            _ip(f"-n {self.name} addr add {self.address(wire)}/24 dev {there}")
            _ip(f"-n {self.name} route add {wire} via {self._gate(wire)} src {self.address(wire)}")
        self.join()

    def unplug(self) -> None:
        """Take it away, with its cable."""
        _ip(f"netns del {self.name}")

    def _meet(self, wire: str, *, here: str, there: str) -> None:
        near, far = self._ends
        _ip(f"neigh replace {self.address(wire)} lladdr {there} dev {near} nud permanent")
        _ip(f"-n {self.name} neigh replace {self._gate(wire)} lladdr {here} dev {far} nud permanent")

    @property
    def _ends(self) -> tuple[str, str]:
        return f"dr-here{self.number}", f"dr-there{self.number}"

    def _card(self, end: str) -> str:
        return f"02:00:00:00:{self.number:02x}:{end}"

    def _gate(self, wire: str) -> str:
        return f"10.77.{self.number}.{wire[-1]}"


@contextmanager
def hosts(count: int) -> Iterator[list[Host]]:
    """Have so many hosts for as long as the context lasts. Raises RuntimeError where there can be none."""
    if os.geteuid() or not shutil.which("ip"):
        message = "hosts of their own need root and iproute2 (apt install iproute2)"
        raise RuntimeError(message)
    made = [Host(number) for number in range(1, count + 1)]
    with ExitStack() as stack:
        for host in made:
            stack.callback(host.unplug)
            host.plug()
        yield made


def _ip(words: str) -> None:
    subprocess.run(["ip", *words.split()], check=True)  # noqa: S607  wherever it is installed
