"""What journeys stand on."""

import socket

import pytest

from tests.journeys.stage import free_port


def test_a_free_port_stays_free() -> None:
    """The kernel gives a port to nobody else once a test has it; the program that is told its number listens there."""
    address = ("127.0.0.1", free_port())
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(address)  # as the kernel would choose one
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address)
    with socket.create_server(address), socket.create_connection(address):
        pass
