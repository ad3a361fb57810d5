"""The gateway's sessions: who identified, what each is told, how often one may begin anew.

docs.discord.com/developers/events/gateway. Several sessions may share a shard; each gets every event. The
wire of one connection is in `connection`.
"""

from collections import deque
from itertools import count
from typing import Any

from bots.simulators.clock import TurnableClock
from bots.simulators.discord.events import Event, guild_joined
from bots.simulators.discord.intents import GUILD_MEMBERS, KNOWN, PRIVILEGED, application_flags
from bots.simulators.discord.limits import forget
from bots.simulators.discord.people import Guild
from bots.simulators.discord.session import Session
from bots.simulators.discord.strikes import WatchedFaults
from bots.simulators.discord.world import World

STARTS_A_DAY = 1000
DAY = 86_400.0
# At most one IDENTIFY in this many seconds (max_concurrency 1).
START_SPACING = 5.0


class Gateway:
    """All sessions of the bot; `allowed` are the privileged intents switched on for its application."""

    def __init__(
        self, world: World, faults: WatchedFaults, *, allowed: int, limits: bool, resume_seconds: float,
        starts: int = STARTS_A_DAY,
    ) -> None:  # fmt: skip
        self.world = world
        self.faults = faults
        self.allowed = allowed & PRIVILEGED
        self.url = ""
        self.sessions: dict[str, Session] = {}
        self.resume_seconds = resume_seconds
        self._limits = limits
        self._starts_a_day = starts
        self._starts: deque[float] = deque()
        self._ids = count(1)
        faults.on_added = self.wake

    @property
    def clock(self) -> TurnableClock:
        return self.world.clock

    @property
    def flags(self) -> int:
        return application_flags(self.allowed)

    def publish(self, event: Event) -> None:
        """Tell all sessions that asked for it and are not forgotten yet."""
        self._forget_old()
        for session in self.sessions.values():
            if session.wants(event):
                session.tell(event)

    def join(self, guild: Guild) -> None:
        self.publish(guild_joined(guild, self.world.bot))

    def wake(self) -> None:
        for session in self.sessions.values():
            session.wake()

    def begin(self, intents: int, shard: tuple[int, int]) -> Session | None:
        """Begin a session with READY and the servers as its first events; None when it is too early for one.

        docs.discord.com/developers/events/gateway-events#ready: servers come unavailable first, then whole.
        """
        if not self._admit():
            return None
        session = Session(f"{next(self._ids):032x}", intents, shard)
        guilds = [guild_joined(guild, self.world.bot) for guild in self.world.guilds.values()]
        mine = [event for event in guilds if session.wants(event)]
        session.add("READY", self._ready(session, mine))
        for event in mine:
            session.add(event.name, self._whole(event, intents), event.chats)
        self.sessions[session.id] = session
        return session

    def find(self, id: str) -> Session | None:
        """Return a session that can still be resumed."""
        self._forget_old()
        return self.sessions.get(id)

    def forget(self, session: Session) -> None:
        self.sessions.pop(session.id, None)

    def start_limit(self) -> dict[str, int]:
        """docs.discord.com/developers/events/gateway#session-start-limit-object"""
        now = self.clock.now()
        forget(self._starts, now - DAY)
        resets = (self._starts[0] + DAY - now) if self._starts else 0.0
        return {
            "total": self._starts_a_day,
            "remaining": self._starts_a_day - len(self._starts),
            "reset_after": int(resets * 1000),
            "max_concurrency": 1,
        }

    def refusal(self, intents: int) -> int | None:
        """Return the close code for intents that are not to be had."""
        if intents & ~KNOWN:
            return 4013
        return 4014 if intents & PRIVILEGED & ~self.allowed else None

    def _admit(self) -> bool:
        now = self.clock.now()
        if self.start_limit()["remaining"] <= 0:
            return False
        if self._limits and self._starts and now - self._starts[-1] < START_SPACING:
            return False
        self._starts.append(now)
        return True

    def _ready(self, session: Session, guilds: list[Event]) -> dict[str, Any]:
        bot = self.world.bot
        return {
            "v": 10, "user": {**bot.as_json(), "verified": True, "email": None, "mfa_enabled": True},
            "guilds": [{"id": str(event.guild_id), "unavailable": True} for event in guilds],
            "session_id": session.id, "resume_gateway_url": self.url, "session_type": "normal",
            "shard": list(session.shard), "application": {"id": str(bot.id), "flags": self.flags},
            "private_channels": [], "relationships": [], "presences": [], "user_settings": {}, "_trace": [],
        }  # fmt: skip

    def _whole(self, event: Event, intents: int) -> dict[str, Any]:
        guild = self.world.guilds[event.guild_id]
        everybody = intents & GUILD_MEMBERS
        members = list(guild.members.values()) if everybody else [self.world.bot]
        # A server that the bot joins later comes without this.
        return {**guild.as_created(members=members), "unavailable": False}

    def _forget_old(self) -> None:
        oldest = self.clock.now() - self.resume_seconds
        for session in list(self.sessions.values()):
            if session.left_at is not None and session.left_at < oldest:
                self.forget(session)
