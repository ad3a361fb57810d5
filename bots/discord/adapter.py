"""Discord as a channel of the house: one application's bot, received over the gateway.

It only joins the parts: `receive` and `translate` bring messages in, `markup` and `send` take answers out.
"""

from collections.abc import Sequence

from bots.discord import commands, send
from bots.discord.gaps import Fetched
from bots.discord.markup import MAX_TEXT, split
from bots.discord.receive import Patience, Receiver
from bots.discord.wire import Line, Pace
from core.errors import NotSent, Unauthorized
from core.messages import Account, CommandOffer, Identity, OutboundMessage, Place, Traits
from core.ports import Accept, Cursors

NONCE_SECONDS = 120.0
"""Discord keeps a nonce for "the past few minutes"; within these we rely on it."""


class DiscordChannel:
    """A `ChannelAdapter` that can edit, show typing, react, offer commands, read back and catch up."""

    def __init__(
        self,
        token: str,
        api_url: str = "https://discord.com/api/v10",
        gateway_url: str | None = None,
        *,
        message_content: bool = False,
        stream: bool = True,
        edit_seconds: tuple[float, float] = (1.3, 1.5),
        pace: Pace | None = None,
        patience: Patience | None = None,
    ) -> None:
        """`api_url` ends with `/api/v10`; `gateway_url`, where given, wins over what Discord names;
        `message_content` asks for the privileged intent; `edit_seconds` are the least times between two edits
        in direct messages and in a server. Nothing is sent before `connect`."""
        self._line = Line(token, api_url, gateway_url, message_content=message_content, pace=pace or Pace())
        self._patience = patience or Patience()
        self._me: Identity | None = None
        self._names: frozenset[str] = frozenset()
        self._cursors: Cursors | None = None
        self._fetched: Fetched = lambda _: None
        self._traits = Traits(
            max_text=MAX_TEXT,
            streaming="edit" if stream else "none",
            after_ambiguous="repeat",
            key_seconds=NONCE_SECONDS,
            edit_seconds=edit_seconds,
            typing_seconds=8.0,
        )

    @property
    def name(self) -> str:
        return "discord"

    @property
    def traits(self) -> Traits:
        return self._traits

    async def connect(self) -> Identity:
        try:
            user = await self._line.log_in()
            self._me = Identity(name=str(user["id"]), handle=str(user.get("username") or ""))
        except (Unauthorized, NotSent):
            raise
        except Exception as error:
            raise NotSent(f"GET /users/@me: {error}") from error
        return self._me

    async def run(self, account: Account, accept: Accept) -> None:
        me = self._me or await self.connect()
        receiver = Receiver(
            self._line,
            me,
            account,
            accept,
            stored=self._cursors,
            names=self._names,
            patience=self._patience,
            fetched=self._fetched,
        )
        await receiver.run()

    async def close(self) -> None:
        """Close the connections. `connect` opens them again."""
        await self._line.close()

    def remember_with(self, cursors: Cursors) -> None:
        self._cursors = cursors

    def count_fetched_with(self, count: Fetched) -> None:
        """`count` is told how many messages a history had that the gateway had not told."""
        self._fetched = count

    def split(self, text: str) -> tuple[str, ...]:
        return split(text)

    async def send(self, message: OutboundMessage) -> str:
        return await send.send(self._line, message)

    async def edit(self, place: Place, receipt: str, text: str) -> None:
        await send.edit(self._line, place, receipt, text)

    async def read_back(self, message: OutboundMessage) -> str | None:
        me = self._me or await self.connect()
        return await send.read_back(self._line, message, me.name)

    async def show_typing(self, place: Place) -> None:
        await send.show_typing(self._line, place)

    async def react(self, place: Place, message_id: str, sign: str) -> None:
        await send.react(self._line, place, message_id, sign)

    async def offer_commands(self, offers: Sequence[CommandOffer]) -> None:
        self._names = frozenset(offer.name for offer in offers)
        me = self._me or await self.connect()
        await commands.offer_commands(self._line, me, offers)
