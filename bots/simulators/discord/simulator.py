"""A Discord for tests and demos: REST API and gateway, its users, and what they would see.

Follows docs.discord.com/developers; each part names its own page. `<api_url>` is what DISCORD_API_URL takes,
`<gateway_url>` what DISCORD_GATEWAY_URL takes. What the real platform does not publish (bucket sizes, how
long a nonce or a lost session is kept) may be set here.
"""

from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from bots.simulators.clock import TurnableClock
from bots.simulators.control import ChatType, Saying, control_routes
from bots.simulators.discord.actions import Actions
from bots.simulators.discord.calls import House
from bots.simulators.discord.commands import CommandBook
from bots.simulators.discord.connection import Connection, Door
from bots.simulators.discord.desk import Desk, Interaction
from bots.simulators.discord.gateway import STARTS_A_DAY, Gateway
from bots.simulators.discord.intents import PRIVILEGED
from bots.simulators.discord.limits import Limits
from bots.simulators.discord.people import Channel
from bots.simulators.discord.rest import RecordedCall, Rest
from bots.simulators.discord.routes import ROOT
from bots.simulators.discord.strikes import FAULTS, WatchedFaults, page
from bots.simulators.discord.world import World
from bots.simulators.faults import Fault
from bots.simulators.ledger import Seen
from bots.simulators.server import LoopbackServer

LONGEST_FRAME = 4096


class DiscordSimulator:
    """The platform with one bot; `async with DiscordSimulator() as sim` serves it at `sim.url`.

    `token` fixes the one token that is let in (others get 401 and 4004); without it any token is. `intents`
    are the privileged intents switched on for the application, `limits` makes buckets, the 50 a second and
    the spacing of IDENTIFY count, `nonce_seconds` and `resume_seconds` are the platform's patience.
    """

    def __init__(
        self,
        *,
        token: str | None = None,
        port: int = 0,
        username: str = "parley_bot",
        intents: int = PRIVILEGED,
        limits: bool = False,
        starts_a_day: int = STARTS_A_DAY,
        ban_after: int = 10_000,
        heartbeat_seconds: float = 41.25,
        nonce_seconds: float = 180,
        resume_seconds: float = 180,
    ) -> None:
        self.clock = TurnableClock()
        self.faults = WatchedFaults(FAULTS)
        self.world = World(self.clock, username)
        self.gateway = Gateway(
            self.world, self.faults, allowed=intents, limits=limits, resume_seconds=resume_seconds,
            starts=starts_a_day,
        )  # fmt: skip
        bot = self.world.bot
        self.desk = Desk(self.clock)
        house = House(
            world=self.world, gateway=self.gateway, commands=CommandBook(bot.id, bot.id + 1),
            desk=self.desk, nonce_seconds=nonce_seconds,
        )  # fmt: skip
        self.limits = Limits(self.clock.now, enforced=limits, ban_after=ban_after)
        self._token = token
        self._actions = Actions(house)
        self._server = LoopbackServer(port=port)
        self._rest = Rest(house, self.limits, self._admits, self._server)
        self._door = Door(
            gateway=self.gateway, heartbeat_seconds=heartbeat_seconds, admits=self._admits,
            note=self._rest.note, pause=self._server.pause,
        )  # fmt: skip
        self._connections: set[Connection] = set()
        self._server.add_routes(control_routes(self))
        self._server.add_routes(
            [web.get("/", self._connect), web.route("*", "/{path:.*}", self._rest.answer)]
        )

    @property
    def url(self) -> str:
        """Where the simulator and its `/_sim/*` routes are."""
        return self._server.url

    @property
    def api_url(self) -> str:
        return f"{self.url}{ROOT}"

    @property
    def gateway_url(self) -> str:
        return f"ws{self.url.removeprefix('http')}"

    @property
    def bot_id(self) -> str:
        """The bot's id, which is its application's too."""
        return str(self.world.bot.id)

    @property
    def calls(self) -> list[RecordedCall]:
        return self._rest.calls

    @property
    def unknown_routes(self) -> list[str]:
        return self._rest.unknown_routes

    @property
    def connected(self) -> int:
        """How many sessions have a connection now; what is said while there is none, only history tells."""
        return sum(session.left_at is None for session in self.gateway.sessions.values())

    @property
    def interactions(self) -> list[Interaction]:
        return self.desk.interactions

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        await self._server.start()
        self.gateway.url = self.gateway_url

    async def stop(self) -> None:
        """End every gateway connection and every waiting call, and free the port."""
        for connection in list(self._connections):
            await connection.close(1001)
        await self._server.stop()

    def say(
        self,
        chat: str | int,
        user: str | int,
        text: str,
        *,
        thread: str | int | None = None,
        reply_to: str | int | None = None,
        chat_type: ChatType | None = None,
        user_id: str | int | None = None,
        bot: str | int | None = None,
        by_bot: bool = False,
    ) -> str:
        """Let a user, or with `by_bot` another bot, say something; returns the message's id. Raises Refusal.

        `@name` mentions whoever has that name, the bot included. `/name ...` calls a registered command.
        """
        saying = Saying(
            chat=str(chat), user=str(user), text=text, thread=None if thread is None else str(thread),
            reply_to=None if reply_to is None else str(reply_to), chat_type=chat_type,
            user_id=None if user_id is None else str(user_id), bot=None if bot is None else str(bot),
        )  # fmt: skip
        return self._actions.say(saying, by_bot=by_bot)

    def put(self, saying: Saying) -> str:
        """Let a user say something; returns the message's id, or the interaction's. Raises Refusal."""
        return self._actions.say(saying)

    def slash(
        self,
        chat: str | int,
        user: str,
        name: str,
        options: Mapping[str, Any] | None = None,
        *,
        thread: str | None = None,
    ) -> Interaction:
        """Let a user call a command that the bot registered. Raises Refusal."""
        saying = Saying(chat=str(chat), user=user, text=f"/{name}", thread=thread)
        return self._actions.slash(saying, name, options or {})

    def edit(self, chat: str | int, message_id: str | int, text: str) -> None:
        """Let a user change an own message."""
        self._actions.edit(self._channel(chat), str(message_id), text)

    def delete(self, chat: str | int, message_id: str | int) -> None:
        """Let a user delete an own message."""
        self._actions.delete(self._channel(chat), str(message_id))

    def purge(self, chat: str | int, message_ids: Sequence[str]) -> None:
        """Let a moderator delete several messages at once."""
        self._actions.purge(self._channel(chat), message_ids)

    def unfurl(self, chat: str | int, message_id: str) -> None:
        """Let the platform add a link's preview to a message."""
        self._actions.unfurl(self._channel(chat), message_id)

    def type(self, chat: str | int, user: str) -> None:
        """Let a user begin to type."""
        self._actions.type(self._channel(chat), user)

    def shut(self, chat: str | int, *, shut: bool = True) -> None:
        """Take a channel from the bot (50001), or block it in direct messages (50007); or undo that."""
        self._channel(chat).shut = shut

    def chat_id(self, chat: str | int) -> str:
        """Return the id behind a chat's name; raises KeyError before anybody spoke there."""
        return str(self._channel(chat).id)

    def seen(self, chat: str | int | None = None) -> list[Seen]:
        """Return what readers see now, in the order it appeared, of one channel with its threads, of one
        thread by its id, or of all."""
        messages = self.world.ledger.messages(None if chat is None else [self._name(chat)])
        thread = self._thread(chat)
        return [each for each in messages if thread is None or each.extra["thread"] == thread]

    def fault(self, kind: str, **fields: Any) -> Fault:
        """Queue a fault (the kinds are in `strikes`, the fields in `faults.Fault`); raises Refusal."""
        return self.faults.add({"kind": kind, **fields})

    async def wait_for(
        self, predicate: Callable[[list[Seen]], Any], timeout: float = 10, *, chat: str | int | None = None
    ) -> Any:
        """Return the first true value of `predicate(messages)`, tried after every message and call."""
        return await self.world.ledger.wait_until(lambda: predicate(self.seen(chat)), timeout)

    async def next_answer(
        self,
        chat: str | int | None = None,
        *,
        where: Callable[[Seen], object] | None = None,
        timeout: float = 10,
    ) -> Seen:
        """Return the bot's next message not returned before; with `where`, once that holds for it."""
        thread = self._thread(chat)

        def fits(seen: Seen) -> bool:
            return (thread is None or seen.extra["thread"] == thread) and (where is None or bool(where(seen)))

        return await self.world.ledger.next_answer(None if chat is None else self._name(chat), fits, timeout)

    def _name(self, chat: str | int) -> str:
        known = self.world.find(str(chat))
        return known.root.name if known else str(chat)

    def _thread(self, chat: str | int | None) -> str | None:
        known = None if chat is None else self.world.find(str(chat))
        return str(known.id) if known is not None and known.parent is not None else None

    def _channel(self, chat: str | int) -> Channel:
        if (known := self.world.find(str(chat))) is None:
            raise KeyError(chat)
        return known

    def _admits(self, token: str) -> bool:
        return bool(token) and self._token in (None, token)

    async def _connect(self, request: web.Request) -> web.StreamResponse:
        """Take a gateway client in; anything that is no websocket gets 400."""
        if (struck := self.faults.take(["refuse_connection"])) is not None:
            return page(struck.fault.status, "gateway")
        socket = web.WebSocketResponse(max_msg_size=LONGEST_FRAME, compress=False)
        await socket.prepare(request)
        connection = Connection(self._door, request, socket)
        self._connections.add(connection)
        try:
            await connection.serve()
        finally:
            self._connections.discard(connection)
        return socket
