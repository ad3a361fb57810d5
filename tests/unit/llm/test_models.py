"""The right provider for a name, and no vendor library before it is needed."""

import subprocess
import sys

import pytest

from core.errors import ModelRefused
from core.llm.models import Models
from core.llm.tokens import ByteTokens
from core.ports import ModelRequest

ASKED = ({"role": "user", "content": "hello"},)


async def test_without_key_and_address_only_the_stand_in_answers() -> None:
    models = Models(tokens=ByteTokens())
    assert not models.connected
    await models.warm()
    scripted = ModelRequest(model="scripted", messages=ASKED, max_tokens=100)
    assert [piece async for piece in models.answer(scripted)]
    real = ModelRequest(model="gpt-5-mini", messages=ASKED, max_tokens=100)
    with pytest.raises(ModelRefused, match="OPENAI_API_KEY") as caught:
        await anext(models.answer(real))
    assert caught.value.code == "not_configured"
    await models.close()


@pytest.mark.parametrize(
    ("key", "address", "said"), [("sk-\nx", "", "API key"), ("", "127.0.0.1:8000/v1", "must begin with http")]
)
async def test_an_impossible_key_or_address_is_told_and_refuses_calls(
    key: str, address: str, said: str
) -> None:
    models = Models(tokens=ByteTokens(), api_key=key, base_url=address)
    with pytest.raises(ValueError, match=said):
        await models.warm()
    with pytest.raises(ModelRefused, match=said):
        await anext(models.answer(ModelRequest(model="gpt-5-mini", messages=ASKED, max_tokens=100)))


def test_importing_the_room_imports_no_vendor_library() -> None:
    script = (
        "import sys; import core.llm, core.llm.models, core.llm.prices, core.llm.tokens; "
        "print(sorted({'openai', 'httpx2', 'aiohttp', 'genai_prices'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
