"""The droppable picture of an answer while it grows.

Where a channel edits, the first thing sent is a placeholder without answer text, and its receipt is
committed before any edit puts text into it: a lost response can then repeat nothing but a placeholder.
Where a channel has drafts, they leave nothing behind. Edits keep the channel's pace; one that fails is
dropped, for the final text is owed by the outbox, not by a preview. Where a lost one cannot be found again,
one placeholder of an instance is on its way at a time: a kill leaves one at most that nobody knows of.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import structlog

from core.errors import Ambiguous, ChannelError, NotSent
from core.messages import OutboundMessage, Place
from core.observe import Metrics
from core.points import reach
from core.ports import CanDraft, CanEdit, CanReadBack, CanShowTyping, ChannelAdapter
from core.rows import Part

log = structlog.get_logger(__name__)

CALM = 0.2
"""Least seconds between two drafts, which cost no call to a platform."""

IN_LINE = 2.0
"""Seconds that a finished answer waits for its placeholder: an edit may be repeated later, a send not."""


class Preview:
    """Shows `text so far` at the channel's pace. Open it, `show` as often as you like, and close it."""

    def __init__(
        self,
        adapter: ChannelAdapter,
        place: Place,
        placeholder: OutboundMessage | None,
        part: Part | None,
        record: Callable[[Part, str], Awaitable[None]],
        lane: asyncio.Lock,
        metrics: Metrics,
        sure: Callable[[], bool] = lambda: True,
    ) -> None:
        """`lane` is held by the one placeholder of this account that is on its way from here. While we are
        not `sure` that the conversation is ours nothing is painted: the next one's final may stand there."""
        self._adapter = adapter
        self._place = place
        self._placeholder = placeholder
        self._part = part
        self._record = record
        self._lane = lane
        self._metrics = metrics
        self._sure = sure
        self._on_its_way = False
        self.receipt = part.receipt if part else None
        self.rests_until = 0.0
        self._text = ""
        self._changed = asyncio.Event()
        self._closing = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def open(self) -> None:
        """Begin; nothing is awaited, so the model can be called meanwhile."""
        self._task = asyncio.create_task(self._run(), name="preview")

    def show(self, text: str) -> None:
        """The whole text so far."""
        self._text = text
        self._changed.set()

    async def close(self) -> str | None:
        """Stop, and give the receipt of the message to edit into the final. A placeholder that is on
        its way is waited for. Raises `LeaseLost` when the receipt could not be recorded."""
        self._closing.set()
        self._changed.set()
        if self._task is not None:
            await self._task
        return self.receipt

    async def _run(self) -> None:
        typing = asyncio.create_task(self._type(), name="typing")
        try:
            await self._place_holder()
            await self._grow()
        finally:
            typing.cancel()
            await asyncio.gather(typing, return_exceptions=True)

    async def _place_holder(self) -> None:
        """An answer that is ready waits in line a little, then it is sent without a placeholder."""
        if self._placeholder is None or self._part is None or self.receipt is not None:
            return
        placing = asyncio.create_task(self._send(self._placeholder, self._part), name="placeholder")
        closing = asyncio.create_task(self._closing.wait(), name="closing")
        try:
            await asyncio.wait({placing, closing}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({placing}, timeout=IN_LINE)
            if self._on_its_way:
                await placing
        finally:
            placing.cancel()
            closing.cancel()
            await asyncio.gather(placing, closing, return_exceptions=True)

    async def _send(self, placeholder: OutboundMessage, part: Part) -> None:
        """A lost response means a second placeholder at most: it says nothing that could be doubled."""
        alone = self._adapter.traits.after_ambiguous == "stop"  # elsewhere the next holder finds it again
        async with self._lane if alone else contextlib.nullcontext():
            self._on_its_way = True
            doubtful = part.attempts > 0  # an earlier holder wrote it down and may have sent it
            for _ in range(2):
                try:
                    receipt = await self._look_back(placeholder) if doubtful else None
                    receipt = receipt or await self._adapter.send(placeholder)
                except Ambiguous:
                    doubtful = True
                    continue
                except ChannelError as error:
                    return self._drop(error)
                except Exception:
                    log.exception("channel broke", op="preview")
                    return self._drop()
                await self._record(part, receipt)
                self.receipt = receipt
                return

    async def _look_back(self, placeholder: OutboundMessage) -> str | None:
        """The receipt of a placeholder that may be there already, where the channel can look."""
        if self._adapter.traits.after_ambiguous == "read_back" and isinstance(self._adapter, CanReadBack):
            return await self._adapter.read_back(placeholder)
        return None

    async def _grow(self) -> None:
        shown = ""
        while not self._closing.is_set():
            await self._changed.wait()
            self._changed.clear()
            if self._text.strip() and self._text != shown and not self._closing.is_set():
                shown = self._text
                wait = await self._paint(shown)
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(self._pace(), wait)):
                        await self._closing.wait()

    async def _paint(self, text: str) -> float:
        """Show one state of the text; gives the seconds that the platform wants us to wait."""
        reach("D5")
        if not self._sure():
            self._drop()
            return 0.0
        try:
            if isinstance(self._adapter, CanDraft):
                await self._adapter.draft(self._place, text)
            elif isinstance(self._adapter, CanEdit) and self.receipt is not None:
                await self._adapter.edit(self._place, self.receipt, self._beginning(text))
        except ChannelError as error:
            self._drop(error)
            return error.retry_after or (4 * self._pace() if isinstance(error, NotSent) else 0.0)
        except Exception:  # no picture is worth an answer
            log.exception("channel broke", op="preview")
            self._drop()
        return 0.0

    def _beginning(self, text: str) -> str:
        """What fits the first message. Cutting is dear, so it is given no more than it needs."""
        return self._adapter.split(text[: 2 * self._adapter.traits.max_text])[0]

    def _drop(self, error: ChannelError | None = None) -> None:
        """A platform that asked us to wait is left alone for that long, by the final too."""
        if error is not None and error.retry_after:
            self.rests_until = asyncio.get_running_loop().time() + error.retry_after
        self._metrics.previews_dropped.labels(channel=self._place.channel).inc()

    def _pace(self) -> float:
        if isinstance(self._adapter, CanDraft):
            return CALM
        direct, group = self._adapter.traits.edit_seconds
        return direct if self._place.direct else group

    async def _type(self) -> None:
        """The sign that somebody writes, until there is text to see."""
        if not isinstance(self._adapter, CanShowTyping):
            return
        while not self._text.strip():
            with contextlib.suppress(ChannelError):
                await self._adapter.show_typing(self._place)
            await asyncio.sleep(self._adapter.traits.typing_seconds)
