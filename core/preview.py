"""The droppable picture of an answer while it grows.

Where a channel edits, the first thing sent is a placeholder, which edits then fill; where it has drafts, they
leave nothing behind. Edits keep the channel's pace; one that fails is dropped, for the final text is owed by
the outbox, not by a preview.
"""

import asyncio
import contextlib
from collections.abc import Callable

import structlog

from core.errors import ChannelError, NotSent, ParleyError
from core.messages import Place
from core.observe import Metrics
from core.placeholder import Placeholder
from core.points import reach
from core.ports import CanDraft, CanEdit, CanShowTyping, ChannelAdapter

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
        placeholder: Placeholder | None,
        receipt: str | None,
        metrics: Metrics,
        sure: Callable[[], bool] = lambda: True,
    ) -> None:
        """`receipt` is of a placeholder that stands there already. While we are not `sure` that the
        conversation is ours nothing is painted: the next one's final may stand there."""
        self._adapter = adapter
        self._place = place
        self._placeholder = placeholder
        self._metrics = metrics
        self._sure = sure
        self.receipt = receipt
        self.rests_until = 0.0
        self.late_edits = False
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
        if self._placeholder is None:
            return
        placing = asyncio.create_task(self._put_up(self._placeholder), name="placeholder")
        closing = asyncio.create_task(self._closing.wait(), name="closing")
        try:
            await asyncio.wait({placing, closing}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({placing}, timeout=IN_LINE)
            if placing.done() or self._placeholder.on_its_way:
                await placing
        finally:
            placing.cancel()
            closing.cancel()
            await asyncio.gather(placing, closing, return_exceptions=True)

    async def _put_up(self, placeholder: Placeholder) -> None:
        try:
            self.receipt = await placeholder.place()
        except ChannelError as error:
            self._drop(error)
        except ParleyError:
            raise
        except Exception:
            log.exception("channel broke", op="preview")
            self._drop()

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
            self.late_edits |= not error.certain
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
