"""Tests of the sandbox: python-telegram-bot over real sockets on one side, people on the other."""
