"""A Telegram for tests and demos: the Bot API over HTTP, its users, and what they would see.

Follows core.telegram.org/bots/api; each method and rule names its own section. Clients reach it at
`<url>/bot<token>/<method>`, so `<url>` is what TELEGRAM_API_URL takes. What the real platform does not
publish (burst sizes, spacing of webhook retries) is simpler here and said so where it is.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from types import TracebackType
from typing import Any, Self

from aiohttp import web

from bots.simulators.clock import TurnableClock
from bots.simulators.control import ChatType, Saying, control_routes
from bots.simulators.faults import Fault, FaultQueue
from bots.simulators.ledger import Seen
from bots.simulators.refusal import Refusal
from bots.simulators.server import LoopbackServer, json_response, reset
from bots.simulators.telegram.bot import SimulatedBot, bot_id
from bots.simulators.telegram.entities import detect, settle, utf16_length
from bots.simulators.telegram.messages import LONGEST_TEXT, methods
from bots.simulators.telegram.methods import Call, chat_of, not_found
from bots.simulators.telegram.params import ApiError, Params, read_params
from bots.simulators.telegram.strikes import AFTER, BEFORE, FAULTS, strike
from bots.simulators.telegram.updates import UpdateQueue
from bots.simulators.telegram.world import Message, User, World, user_of

SENDS = frozenset({"sendMessage", "editMessageText"})


@dataclass(slots=True, kw_only=True)
class RecordedCall:
    """A call that came in: who, what, when (the simulator's clock), whether it was done, and the HTTP status
    it got."""

    bot_id: int
    method: str
    params: dict[str, Any] = field(repr=False)
    at: float
    status: int = 0
    done: bool = False


class TelegramSimulator:
    """The platform; `async with TelegramSimulator() as sim` serves it at `sim.url`.

    `token` fixes the one token that is let in (others get 401); without it any token is a bot of its own.
    `privacy`, `limits` and `strict_chats` switch on the groups' privacy mode, flood control, and `chat not
    found` for chats nobody has spoken in.
    """

    def __init__(
        self,
        *,
        token: str | None = None,
        port: int = 0,
        username: str = "parley_bot",
        privacy: bool = True,
        limits: bool = False,
        strict_chats: bool = False,
    ) -> None:
        self.privacy = privacy
        self.limits = limits
        self.strict_chats = strict_chats
        self.clock = TurnableClock()
        self.faults = FaultQueue(FAULTS)
        self.world = World(self.clock)
        self.calls: list[RecordedCall] = []
        self.unknown_methods: list[str] = []
        self._token = token
        self._username = username
        self._bots: dict[int, SimulatedBot] = {}
        self._unclaimed: list[tuple[Message, str | None]] = []
        self._query_ids = count(4_000_000_000)
        self._methods = {name.lower(): (name, method) for name, method in methods().items()}
        self._server = LoopbackServer(port=port)
        self._server.add_routes(control_routes(self))
        self._server.add_routes([web.route("*", "/bot{token}/{method}", self._answer)])
        if token is not None:
            self._bot(token)

    @property
    def url(self) -> str:
        """What stands before `/bot<token>`."""
        return self._server.url

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
        """End every waiting call and every webhook, and free the port."""
        for bot in self._bots.values():
            await bot.close()
        await self._server.stop()

    def say(
        self,
        chat: str | int,
        user: str | int,
        text: str,
        *,
        thread: str | int | None = None,
        reply_to: int | None = None,
        chat_type: ChatType | None = None,
        user_id: int | None = None,
        bot: int | None = None,
    ) -> int:
        """Let a user say something, to all bots or one by id; returns the message's id. Raises Refusal."""
        saying = Saying(
            chat=str(chat), user=str(user), text=text, thread=None if thread is None else str(thread),
            reply_to=None if reply_to is None else str(reply_to), chat_type=chat_type,
            user_id=None if user_id is None else str(user_id), bot=None if bot is None else str(bot),
        )  # fmt: skip
        return self.put(saying)

    def put(self, saying: Saying) -> int:
        """Let a user say something; returns the message's id. Raises Refusal."""
        user = user_of(saying)
        chat = self.world.chat_of(saying, user)
        formatted = settle(saying.text, detect(saying.text))
        if not 1 <= (units := utf16_length(formatted.text)) <= LONGEST_TEXT:
            raise Refusal(f"text: {units} UTF-16 units; allowed: 1 to {LONGEST_TEXT}")
        target = None
        if saying.reply_to is not None:
            target = chat.messages.get(int(saying.reply_to)) if saying.reply_to.isdigit() else None
            if target is None:
                raise Refusal(f"reply_to: no message {saying.reply_to!r} in chat {saying.chat!r}")
        thread = next((key for key, name in chat.topics.items() if name == saying.thread), None)
        if thread is None and target is not None and chat.type == "supergroup":
            # Answers outside topics carry a thread id too: that of the message everything began with.
            thread = target.thread or target.id
        message = self.world.add_message(
            chat, user, formatted, thread=thread, reply_to=target.id if target else None
        )
        self._deliver(message, saying.bot)
        return message.id

    def edit(self, chat: str | int, message_id: int | str, text: str) -> None:
        """Let a user change an own message; bots get `edited_message`."""
        message = self._message(chat, message_id)
        self.world.ledger.edit(message.seen, self.world.version(settle(text, detect(text))))
        for bot in self._bots.values():
            if bot.receives(message):
                bot.queue.put("edited_message", message.as_json())

    def delete(self, chat: str | int, message_id: int | str) -> None:
        """Let a user delete an own message, of which no bot is told."""
        self.world.ledger.delete(self._message(chat, message_id).seen, self.clock.now())

    def press(self, chat: str | int, user: str, message_id: int, data: str) -> str:
        """Let a user press a button under a bot's message; returns the callback query's id."""
        message = self._message(chat, message_id)
        presser = user_of(Saying(chat=str(chat), user=user, text=data))
        query = str(next(self._query_ids))
        bot = self._bots[message.sender.id]
        bot.callbacks.add(query)
        body = {"id": query, "from": presser.as_json(), "message": message.as_json(), "data": data}
        bot.queue.put("callback_query", {**body, "chat_instance": str(message.chat.id)})
        return query

    def chat_id(self, chat: str | int) -> int:
        """Return the number behind a chat's name; raises KeyError before anybody spoke there."""
        if (known := self.world.find(str(chat))) is None:
            raise KeyError(chat)
        return known.id

    def seen(self, chat: str | int | None = None) -> list[Seen]:
        """Return what readers see now, in the order it appeared, of one chat (name or id) or of all."""
        return self.world.ledger.messages(None if chat is None else [self._name(chat)])

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
        return await self.world.ledger.next_answer(None if chat is None else self._name(chat), where, timeout)

    def _name(self, chat: str | int) -> str:
        known = self.world.find(str(chat))
        return known.name if known else str(chat)

    def _message(self, chat: str | int, message_id: int | str) -> Message:
        known, number = self.world.find(str(chat)), str(message_id)
        found = known.messages.get(int(number)) if known is not None and number.isdigit() else None
        if found is None:
            raise KeyError(f"no message {message_id} in chat {chat}")
        return found

    def _deliver(self, message: Message, only: str | None) -> None:
        """Queue a user's message for its bots; it waits for a bot that has not made a call yet."""
        bots = [bot for bot in self._bots.values() if only in (None, str(bot.user.id))]
        if not bots:
            self._unclaimed.append((message, only))
        for bot in bots:
            if bot.receives(message):
                bot.queue.put("message", message.as_json())

    def _bot(self, token: str) -> SimulatedBot:
        number = bot_id(token)
        if (bot := self._bots.get(number)) is None:
            user = User(id=number, name=self._username, is_bot=True)
            queue = UpdateQueue(self.clock, self.faults)
            bot = self._bots[number] = SimulatedBot(user, queue, self.world, privacy=self.privacy)
            unclaimed, self._unclaimed = self._unclaimed, []
            for message, only in unclaimed:
                self._deliver(message, only)
        return bot

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        """Answer `/bot<token>/<method>` (core.telegram.org/bots/api#making-requests); names ignore case."""
        token, asked = request.match_info["token"], request.match_info["method"]
        name, method = self._methods.get(asked.lower(), (asked, None))
        record = RecordedCall(bot_id=bot_id(token), method=name, params={}, at=self.clock.now())
        self.calls.append(record)
        self.world.ledger.announce()
        response: web.StreamResponse
        try:
            if self._token is not None and token != self._token:
                raise ApiError(401, "Unauthorized")
            if method is None:
                self.unknown_methods.append(asked)
                raise not_found()
            params = await read_params(request)
            record.params = params.values
            chats = self._chats_of(params)
            if (pending := self.faults.take(BEFORE, method=name, chats=chats)) is not None:
                response = strike(pending.fault, request)
            else:
                done = await self._perform(
                    Call(self.world, self._bot(token), params, self.strict_chats), name
                )
                record.done = True
                response = await self._spoil(done, request, name, chats)
        except ApiError as error:
            headers = {"Retry-After": str(error.retry_after)} if error.retry_after else None
            response = json_response(error.as_json(), status=error.code, headers=headers)
        record.status = response.status
        self.world.ledger.announce()
        return response

    async def _perform(self, call: Call, name: str) -> web.Response:
        if self.limits and name in SENDS:
            refusal = call.bot.flood.check(chat_of(call).id)
            if refusal is not None:
                raise refusal
        _, method = self._methods[name.lower()]
        return json_response({"ok": True, "result": await method(call)})

    async def _spoil(
        self, response: web.Response, request: web.Request, name: str, chats: set[str]
    ) -> web.StreamResponse:
        """Lose or delay the answer to a call that was done."""
        pending = self.faults.take(AFTER, method=name, chats=chats)
        if pending is None:
            return response
        if pending.fault.kind == "slow":
            await self._server.pause(pending.fault.seconds)
            return response
        if pending.fault.kind == "trickle":
            return await self._server.trickle(request, response, pending.fault.seconds)
        return reset(request)

    def _chats_of(self, params: Params) -> set[str]:
        given = params.text("chat_id")
        known = self.world.find(given) if given else None
        return {given} | ({known.name, str(known.id)} if known else set())
