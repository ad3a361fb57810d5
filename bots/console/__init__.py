"""The terminal as a channel: one person, the account of the operating system, and one conversation."""
