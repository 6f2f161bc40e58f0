"""Tests of the room jobs: real storage, fakes only where Telegram and the providers would be."""
