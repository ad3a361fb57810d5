"""Telegram as a channel of the house: one bot token, received by long polling.

It only joins the parts: `receive` and `translate` bring messages in, `markup` and `send` take answers out.
"""

from collections.abc import Sequence

from bots.telegram import commands, send
from bots.telegram.errors import translate_error
from bots.telegram.markup import MAX_TEXT, split
from bots.telegram.receive import Patience, Receiver
from bots.telegram.wire import Line, Refused
from core.errors import NotSent, Unauthorized
from core.messages import Account, CommandOffer, Identity, OutboundMessage, Place, Traits
from core.ports import Accept


class TelegramChannel:
    """A `ChannelAdapter` that can edit, show typing, react and offer commands."""

    def __init__(
        self,
        token: str,
        api_url: str = "https://api.telegram.org",
        *,
        poll_seconds: int = 30,
        stream: bool = True,
        edit_seconds: tuple[float, float] = (1.5, 4.0),
        answer_seconds: float = 20.0,
        patience: Patience | None = None,
    ) -> None:
        """`api_url` is what stands before `/bot<token>`; `edit_seconds` the least times between two edits
        in a private chat and in a group; a call without an answer ends after `answer_seconds`. Nothing
        is sent before `connect`."""
        self._line = Line(token, api_url, answer_seconds=answer_seconds)
        self._poll_seconds = poll_seconds
        self._patience = patience or Patience()
        self._me: Identity | None = None
        self._known: frozenset[str] = frozenset()
        self._traits = Traits(
            max_text=MAX_TEXT,
            streaming="edit" if stream else "none",
            after_ambiguous="stop",
            edit_seconds=edit_seconds,
            typing_seconds=4.5,
            single_receiver=True,
        )

    @property
    def name(self) -> str:
        return "telegram"

    @property
    def traits(self) -> Traits:
        return self._traits

    async def connect(self) -> Identity:
        """One `getMe`. The library's own start is not used: it puts the token into its error."""
        await self._line.open_clients()
        try:
            user = await self._line.get_me()
        except Exception as error:
            failed = translate_error("getMe", error)
            if isinstance(error, Refused) and error.status in (401, 404):
                raise Unauthorized(str(failed)) from error
            raise NotSent(str(failed), retry_after=failed.retry_after) from error
        self._me = Identity(name=str(user.id), handle=user.username or "")
        return self._me

    async def run(self, account: Account, accept: Accept) -> None:
        me = self._me or await self.connect()
        async with self._line.listening():
            receiver = Receiver(
                self._line,
                me,
                account,
                known=self._known,
                poll_seconds=self._poll_seconds,
                patience=self._patience,
            )
            await receiver.run(accept)

    async def close(self) -> None:
        """Close the connections. `connect` opens them again."""
        await self._line.close_clients()

    def split(self, text: str) -> tuple[str, ...]:
        return split(text)

    async def send(self, message: OutboundMessage) -> str:
        return await send.send(self._line, message)

    async def edit(self, place: Place, receipt: str, text: str) -> None:
        await send.edit(self._line, place, receipt, text)

    async def show_typing(self, place: Place) -> None:
        await send.show_typing(self._line, place)

    async def react(self, place: Place, message_id: str, sign: str) -> None:
        await send.react(self._line, place, message_id, sign)

    async def offer_commands(self, offers: Sequence[CommandOffer]) -> None:
        self._known = frozenset(offer.name for offer in offers)
        await commands.offer_commands(self._line, offers)
