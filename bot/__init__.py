"""The program itself: settings, command line, wiring, web side, logs and pacing."""
