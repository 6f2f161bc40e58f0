"""`python -m bot run` is `darkroom run`."""

from bot.cli import main

main()
