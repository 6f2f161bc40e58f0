"""How fast and how small the bot is, beside a bare pipeline and a naive bot; see docs/performance.md."""
