"""Accept a message: durably, and once. Only what returns from here may be acknowledged to a platform.

Where this instance runs turns, has room and nobody holds the conversation, the same commit takes its
lease, and the work goes straight to the turns.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence

import structlog
from uuid_utils.compat import uuid7

from core.commands import Command, kind_of
from core.errors import RowRefused
from core.messages import Account, Change, InboundMessage
from core.observe import Metrics, Step
from core.points import reach
from core.ports import Journal
from core.rows import Accepted, Arrival, Work

log = structlog.get_logger(__name__)


class Inbox:
    """The first commit. `offer` gives the instance that may run the turn now, or None; of each that it gave
    `answered` is called once it is known what came of it."""

    def __init__(
        self,
        *,
        journal: Journal,
        commands: Mapping[str, Command],
        offer: Callable[[], str | None],
        answered: Callable[[], None],
        lease_seconds: float,
        start: Callable[[Work], None],
        metrics: Metrics,
    ) -> None:
        self._journal = journal
        self._commands = commands
        self._offer = offer
        self._answered = answered
        self._lease_seconds = lease_seconds
        self._start = start
        self._metrics = metrics

    async def accept(self, account: Account, messages: Sequence[InboundMessage]) -> None:
        """Returns when all are committed. Raises `StoreUnavailable` when one could not be; those that
        were are known by their dedupe keys when they come again."""
        if len(messages) == 1:
            await self._accept(account, messages[0])
        else:
            await asyncio.gather(*(self._accept(account, message) for message in messages))

    async def _accept(self, account: Account, message: InboundMessage) -> None:
        reach("I1")
        arrival = Arrival(
            inbox_id=uuid7(),
            user_id=uuid7(),
            conversation_id=uuid7(),
            tenant_id=account.tenant_id,
            kind=kind_of(message.text, self._commands),
            message=message,
            owner=self._offer(),
            lease_seconds=self._lease_seconds,
        )
        try:
            with self._metrics.turn_seconds.labels(step=Step.ACCEPT).time():
                accepted = await self._commit(arrival)
        except RowRefused as error:
            # It would be refused for ever: one impossible message must not hold up its platform.
            log.error("message impossible", channel=message.place.channel, error=str(error))
            return
        reach("I3")
        self._tell(message, accepted)

    async def _commit(self, arrival: Arrival) -> Accepted:
        """Who is cancelled here takes neither its row back nor the lease that may come with it: the work is
        begun all the same, or nobody would before the lease has run out."""

        def begin(done: "asyncio.Future[Accepted]") -> None:
            if arrival.owner is not None:
                self._answered()
            if not done.cancelled() and done.exception() is None and (work := done.result().work):
                self._start(work)

        committing = asyncio.ensure_future(self._journal.accept(arrival))
        committing.add_done_callback(begin)
        return await asyncio.shield(committing)

    def _tell(self, message: InboundMessage, accepted: Accepted) -> None:
        if message.change is not None:
            self._tell_change(message, message.change, accepted)
            return
        fresh = "yes" if accepted.fresh else "no"
        self._metrics.messages_accepted.labels(channel=message.place.channel, fresh=fresh).inc()
        say, event = (
            (log.debug, "message accepted") if accepted.fresh else (log.info, "message known already")
        )
        say(
            event,
            channel=message.place.channel,
            conversation=accepted.conversation_id,
            message=accepted.inbox_id,
        )

    def _tell_change(self, message: InboundMessage, change: Change, accepted: Accepted) -> None:
        channel, in_time = message.place.channel, "yes" if accepted.changed else "no"
        self._metrics.messages_changed.labels(channel=channel, change=change, in_time=in_time).inc()
        log.info(f"message {change}", channel=channel, message=accepted.inbox_id, in_time=in_time)
