"""A Slack for tests and demos: the Web API, Socket Mode and HTTP events, its users, and what they would see.

Follows docs.slack.dev; each method and rule names its own page. Clients reach it at `<url>/api/<method>`, so
`api_url` is what SLACK_API_URL takes. Payloads travel by Socket Mode until `use_http` gives a request URL.
What the real platform does not publish (burst sizes, which socket gets an envelope) is simpler here and said
so where it is.
"""

from collections.abc import Callable, Collection, Sequence
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from bots.simulators.control import ChatType, Saying, control_routes
from bots.simulators.faults import Fault, FaultQueue
from bots.simulators.ledger import Seen
from bots.simulators.refusal import Refusal
from bots.simulators.server import LoopbackServer
from bots.simulators.slack.alarm import AlarmClock
from bots.simulators.slack.api import SCOPES, RecordedCall, WebApi
from bots.simulators.slack.dispatch import RETRY_DELAYS, Attempt, Dispatch
from bots.simulators.slack.events import Delivery, Events
from bots.simulators.slack.limits import RateLimits
from bots.simulators.slack.outcome import Outcome
from bots.simulators.slack.people import People
from bots.simulators.slack.posts import Poster
from bots.simulators.slack.probes import Probes
from bots.simulators.slack.responses import Responses
from bots.simulators.slack.sockets import Sockets
from bots.simulators.slack.strikes import FAULTS
from bots.simulators.slack.world import App, Message, User, World

SIGNING_SECRET = "simulated"
LISTENS = frozenset(
    {"message.im", "message.channel", "message.group", "app_mention", "assistant_thread_started"}
)  # fmt: skip


class SlackSimulator:
    """The platform; `async with SlackSimulator() as sim` serves it at `sim.api_url`.

    `token` and `app_token` fix the ones that are let in (others get `invalid_auth`); without them every
    `xoxb-` and `xapp-` token is the app's. `scopes` are the bot token's, `listens` the events the
    app subscribed to, with its own messages among them unless `echo` is off; `limits` switches on the rate
    limits, `retry_delays` are the seconds before an event is tried again. `/name` is a command only when
    named in `commands`.
    """

    def __init__(
        self,
        *,
        token: str | None = None,
        app_token: str | None = None,
        signing_secret: str = SIGNING_SECRET,
        port: int = 0,
        name: str = "parley",
        commands: Collection[str] = ("/parley",),
        request_url: str = "",
        scopes: Collection[str] = SCOPES,
        listens: Collection[str] = LISTENS,
        echo: bool = True,
        limits: bool = False,
        retry_delays: Sequence[float] = RETRY_DELAYS,
    ) -> None:
        self.clock = AlarmClock()
        self.faults = FaultQueue(FAULTS)
        self.app = App(bot=User(id="U0SIMBOT0", name=name, is_bot=True))
        self.world = World(self.clock, self.app)
        self.listens = listens
        self.commands = tuple(commands)
        self.front = ""
        """Where clients are sent for their sockets, when not to `url`: the address of a proxy before it."""
        self._echo_own = echo
        self._server = LoopbackServer(port=port)
        events = Events(self.world)
        self._events = events
        self._people = People(self.world, events)
        self.sockets = Sockets(self.app.id, self.clock, self.faults)
        self._poster = Poster(signing_secret, self.clock, self.faults)
        self.probes = Probes(self.world, events, self._people, self._poster)
        self._dispatch = Dispatch(
            self.sockets, self._poster, self.clock, self.faults, self.world.ledger.announce, self._settled
        )
        self._dispatch.delays = tuple(retry_delays)
        self._responses = Responses(self.world, events, self._echo)
        self._api = WebApi(self.world, events, self.faults, self._server, self._echo, self._socket_url)
        given = {"xoxb": token, "xapp": app_token}
        self._api.tokens = {kind: fixed for kind, fixed in given.items() if fixed is not None}
        self._api.scopes = scopes
        self._api.limits = RateLimits(self.clock.now) if limits else None
        self._server.add_routes([*control_routes(self), *self._api.routes()])
        self._server.add_routes([web.get("/link/", self.sockets.serve)])
        self._server.add_routes([web.post("/responses/{team}/{number}/{secret}", self._responses.serve)])
        self.use_http(request_url)

    @property
    def url(self) -> str:
        """What stands before `/api` and `/_sim`."""
        return self._server.url

    @property
    def api_url(self) -> str:
        """What stands before `/<method>`."""
        return f"{self._server.url}/api"

    @property
    def calls(self) -> list[RecordedCall]:
        return self._api.calls

    @property
    def unknown_methods(self) -> list[str]:
        return self._api.unknown_methods

    @property
    def attempts(self) -> list[Attempt]:
        """Every try to deliver a payload, oldest first."""
        return self._dispatch.attempts

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop()

    async def start(self) -> None:
        await self._server.start()

    async def stop(self) -> None:
        """Give up every delivery, close every connection and free the port."""
        await self._dispatch.close()
        await self._poster.close()
        await self.sockets.close()
        await self._server.stop()

    def use_http(self, request_url: str) -> None:
        """Post payloads to this address from now on."""
        self._poster.url = request_url

    def use_socket(self) -> None:
        """Send payloads over the app's sockets from now on."""
        self._poster.url = ""

    def say(
        self,
        chat: str,
        user: str,
        text: str,
        *,
        thread: str | None = None,
        reply_to: str | None = None,
        mention: bool = False,
        chat_type: ChatType | None = None,
        user_id: str | None = None,
        bot: str | None = None,
    ) -> str:
        """Let a user say something, with `mention` to the bot by name; returns its `ts`. Raises Refusal."""
        text = f"@{self.app.bot.name} {text}" if mention else text
        saying = Saying(
            chat=chat, user=user, text=text, thread=thread, reply_to=reply_to, chat_type=chat_type,
            user_id=user_id, bot=bot,
        )  # fmt: skip
        return self.put(saying)

    def put(self, saying: Saying) -> str:
        """Let a user say or command something; returns the message's `ts` or the command's trigger id."""
        command, _, text = saying.text.partition(" ")
        if command.startswith("/") and len(command) > 1:
            return self._command(saying, command, text)
        message, deliveries = self._people.say(saying)
        self._tell(deliveries)
        return message.ts

    def slash(self, chat: str, user: str, command: str, text: str = "") -> str:
        """Let a user type a command; returns its trigger id. Raises Refusal."""
        return self._command(Saying(chat=chat, user=user, text=f"{command} {text}".rstrip()), command, text)

    def say_as_bot(self, chat: str, name: str, text: str) -> str:
        """Let another app's bot say something in a channel; returns its `ts`."""
        message, deliveries = self._people.say_as_bot(chat, name, text)
        self._tell(deliveries)
        return message.ts

    def edit(self, chat: str, ts: str, text: str) -> None:
        """Let a user change an own message; the app gets `message_changed`, for its name `app_mention`."""
        self._tell(self._people.edit(self.message(chat, ts), text))

    def unfurl(self, chat: str, ts: str) -> None:
        """Let the platform add a link's preview to a message; the app gets `message_changed`."""
        self._tell(self._people.unfurl(self.message(chat, ts)))

    def delete(self, chat: str, ts: str) -> None:
        """Let a user delete an own message; the app gets `message_deleted`, or with a thread a tombstone."""
        self._tell(self._people.delete(self.message(chat, ts)))

    def press(self, chat: str, user: str, ts: str, action_id: str, value: str = "") -> None:
        """Let a user press a button under a message; the app gets `block_actions`."""
        message, presser = self.message(chat, ts), self.world.person(user)
        action = {"type": "button", "action_id": action_id, "block_id": "b", "value": value}
        path = self._responses.new(message.channel, presser, message)
        self._dispatch.put(self._events.press(message, presser, action, self.url + path))

    def open_assistant(self, user: str) -> str:
        """Let a user open the app's assistant; returns the `ts` of the thread that begins."""
        root, deliveries = self._people.open_assistant(user)
        self._tell(deliveries)
        return root.ts

    def message(self, chat: str, ts: str) -> Message:
        """Return a message that stands; raises KeyError."""
        channel = self.world.find(chat)
        if channel is None or (found := channel.message(ts)) is None:
            raise KeyError(f"no message {ts} in chat {chat}")
        return found

    def chat_id(self, chat: str) -> str:
        """Return the id behind a chat's name; raises KeyError before anybody spoke there."""
        if (known := self.world.find(chat)) is None:
            raise KeyError(chat)
        return known.id

    def status(self, chat: str, ts: str) -> str:
        """Return the status that stands under a thread, "" for none."""
        channel = self.world.find(chat)
        return "" if channel is None else self.world.status(channel, ts)

    def seen(self, chat: str | None = None) -> list[Seen]:
        """Return what readers see now, in the order it appeared, of one chat (name or id) or of all."""
        return self.world.ledger.messages(None if chat is None else [self._name(chat)])

    def fault(self, kind: str, **fields: Any) -> Fault:
        """Queue a fault (the kinds are in `strikes`, the fields in `faults.Fault`); raises Refusal."""
        return self.faults.add({"kind": kind, **fields})

    async def wait_for(
        self, predicate: Callable[[list[Seen]], Any], timeout: float = 10, *, chat: str | None = None
    ) -> Any:
        """Return the first true value of `predicate(messages)`, tried after every change."""
        return await self.world.ledger.wait_until(lambda: predicate(self.seen(chat)), timeout)

    async def next_answer(
        self,
        chat: str | None = None,
        *,
        where: Callable[[Seen], object] | None = None,
        timeout: float = 10,
    ) -> Seen:
        """Return the bot's next message not returned before; with `where`, once that holds for it."""
        return await self.world.ledger.next_answer(None if chat is None else self._name(chat), where, timeout)

    async def delivered(self) -> None:
        """Return once every delivery is over; those that wait for a retry need the clock turned."""
        await self._dispatch.idle()

    def _name(self, chat: str) -> str:
        known = self.world.find(chat)
        return known.name if known else chat

    def _socket_url(self) -> str:
        return f"{(self.front or self.url).replace('http', 'ws', 1)}/link/?{self.sockets.ticket()}"

    def _command(self, saying: Saying, command: str, text: str) -> str:
        if command not in self.commands:
            raise Refusal(f"text: {command} is not a valid command; allowed: {', '.join(self.commands)}")
        if saying.thread is not None or saying.reply_to is not None:
            raise Refusal(f"thread: {command} given; allowed: commands outside of threads")
        channel, user = self._people.place(saying)
        path = self._responses.new(channel, user)
        delivery = self._events.command(channel, user, command, text, self.url + path)
        self._dispatch.put(delivery)
        return str(delivery.payload["trigger_id"])

    def _echo(self, delivery: Delivery) -> None:
        """Tell the app of what it did itself, as the platform does."""
        if self._echo_own:
            self._tell([delivery])

    def _tell(self, deliveries: Sequence[Delivery]) -> None:
        for delivery in deliveries:
            kind = delivery.event_type
            kind = f"message.{delivery.channel.type}" if kind == "message" else kind
            if kind in self.listens and delivery.channel.is_member:
                self._dispatch.put(delivery)

    def _settled(self, delivery: Delivery, outcome: Outcome) -> None:
        self.world.ledger.announce()
        if delivery.kind == "events_api":
            return
        path = delivery.payload["response_url"].removeprefix(self.url)
        if outcome.reason is None and outcome.reply:
            self._responses.acknowledge(path, delivery.event_type, outcome.reply)
        elif outcome.reason is not None and delivery.kind == "slash_commands":
            timed_out = outcome.reason in ("timeout", "http_timeout") and not outcome.nobody
            code = "operation_timeout" if timed_out else "dispatch_failed"
            self._responses.fail(path, delivery.event_type, code)
