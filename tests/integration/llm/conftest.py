"""A byte-exact vendor, and a provider that asks it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack

import pytest

from core.llm.openai_model import OpenAIModel
from core.llm.patience import Timeouts
from core.llm.tokens import ByteTokens
from tests.integration.llm.vendor import Vendor

KEY = "sk-test-0123456789"


@pytest.fixture
async def vendor() -> AsyncIterator[Vendor]:
    async with Vendor() as vendor:
        yield vendor


@pytest.fixture
async def model_with(vendor: Vendor) -> AsyncIterator[Callable[..., OpenAIModel]]:
    """Makes a provider for the vendor, with the timeouts given."""
    async with AsyncExitStack() as stack:

        def build(**timeouts: float) -> OpenAIModel:
            model = OpenAIModel(
                tokens=ByteTokens(), api_key=KEY, base_url=vendor.url, timeouts=Timeouts(**timeouts)
            )
            stack.push_async_callback(model.close)
            return model

        yield build


@pytest.fixture
async def model(model_with: Callable[..., OpenAIModel]) -> OpenAIModel:
    return model_with()
