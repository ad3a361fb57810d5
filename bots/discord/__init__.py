"""Discord as a channel: `bots.discord.adapter.DiscordChannel`."""
