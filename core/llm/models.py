"""Every model by its name: `scripted` is our own, all others are asked at the one OpenAI-compatible address.

The only place that knows when a vendor's library is needed. It is imported, and its client built, in a
thread: on the first call, or before it by `warm`. Which model to fall back on is the engine's business.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from core.errors import ModelRefused
from core.llm.patience import Timeouts
from core.llm.scripted_model import NAME, ScriptedModel
from core.messages import Delta, Finish
from core.ports import ModelRequest, Tokens

if TYPE_CHECKING:
    from core.llm.openai_model import OpenAIModel


class Models:
    """The port `ModelProvider` over all models. Without key and address only `scripted` can be asked."""

    def __init__(
        self,
        *,
        tokens: Tokens,
        api_key: str = "",
        base_url: str = "",
        timeouts: Timeouts | None = None,
        word_seconds: float = 0.0,
    ) -> None:
        self._tokens = tokens
        self._api_key = api_key
        self._base_url = base_url
        self._timeouts = timeouts
        self._scripted = ScriptedModel(tokens=tokens, word_seconds=word_seconds)
        self._openai: OpenAIModel | None = None
        self._building = asyncio.Lock()

    @property
    def connected(self) -> bool:
        """Is there an address to ask for a real model?"""
        return bool(self._api_key or self._base_url)

    async def answer(self, request: ModelRequest) -> AsyncGenerator[Delta | Finish, None]:
        """See `ModelProvider`. `ModelRefused` with code "not_configured" where the model has no address."""
        provider = self._scripted if request.model == NAME else await self._vendor(request.model)
        async with aclosing(provider.answer(request)) as pieces:
            async for piece in pieces:
                yield piece

    async def warm(self) -> None:
        """Load the vendor's library before the first call needs it. `ValueError`: such a key or
        address cannot be."""
        if self._openai is not None or not self.connected:
            return
        async with self._building:
            if self._openai is None:
                self._openai = await asyncio.to_thread(self._build)

    async def close(self) -> None:
        """Close the connections to the vendor."""
        async with self._building:
            if self._openai is not None:
                await self._openai.close()

    async def _vendor(self, model: str) -> "OpenAIModel":
        try:
            await self.warm()
        except ValueError as error:
            raise ModelRefused(str(error), code="not_configured") from None
        if self._openai is None:
            needed = "OPENAI_API_KEY or OPENAI_BASE_URL; without them there is only"
            raise ModelRefused(f'model "{model}" needs {needed} "{NAME}"', code="not_configured")
        return self._openai

    def _build(self) -> "OpenAIModel":
        from core.llm.openai_model import OpenAIModel

        return OpenAIModel(
            tokens=self._tokens, api_key=self._api_key, base_url=self._base_url, timeouts=self._timeouts
        )
