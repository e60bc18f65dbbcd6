"""The playground: a small local workspace that speaks the part of Slack that the bot uses.

Its own process, its own state file; it knows nothing of the bot, which reaches it by base URL alone.
Run it with `python -m bot.playground`.
"""
