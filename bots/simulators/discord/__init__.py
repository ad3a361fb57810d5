"""A stand-in for Discord's REST API and gateway; `simulator` is the door, the other files are its parts."""

from bots.simulators.discord.simulator import DiscordSimulator

__all__ = ["DiscordSimulator"]
