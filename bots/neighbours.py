"""Probes of what answers over HTTP: the model's API, and a gateway that runs in another process.

Each asks one question with a short patience, repeats nothing, and never shows a key or an answer's text.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from pydantic import TypeAdapter, ValidationError

from bots.health import Check, Probe, State

PATIENCE = aiohttp.ClientTimeout(total=3)
SCRIPTED = "scripted"
OPENAI = "https://api.openai.com/v1"
SEEN_THERE = ("channel ", "database")
CHECKS = TypeAdapter(list[Check])


def running(url: str) -> Probe:
    """The check `gateway`, and the channels' checks as the gateway at `url` sees them itself."""

    async def probe() -> Sequence[Check]:
        try:
            async with (
                aiohttp.ClientSession(timeout=PATIENCE) as session,
                session.get(f"{url}/readyz") as answer,
            ):
                checks = _checks(await answer.json())
        except (aiohttp.ClientConnectorError, TimeoutError):
            return [_nobody(url, "no gateway runs here")]
        except (aiohttp.ClientError, ValueError):
            return [_nobody(url, "what answers here is no gateway")]
        gateway = Check(name="gateway", state="ok", detail=f"runs at {url}")
        there = (check for check in checks if check.name.startswith(SEEN_THERE))
        return [gateway, *(replace(check, name=_from_there(check.name)) for check in there)]

    return probe


def _from_there(name: str) -> str:
    """Its pool is another one than ours."""
    return name if name.startswith("channel ") else f"its {name}"


def _checks(body: Any) -> list[Check]:
    try:
        return CHECKS.validate_python(body["checks"])
    except (ValidationError, KeyError, TypeError):
        raise ValueError("not a report") from None


def _nobody(url: str, detail: str) -> Check:
    return Check(name="gateway", state="off", detail=f"{detail}: {url}", mend="Start it with `parley run`.")


def model(name: str, base_url: str | None = None, key: str | None = None, *, ask: bool = True) -> Probe:
    """The check `model`: with `ask` one GET of {base_url}/models, which costs nothing.

    Without `base_url` the vendor's own address is meant. `key` goes into the request only.
    """

    async def probe() -> Sequence[Check]:
        if name == SCRIPTED:
            detail = f"{name}: answers by rule, it is not a language model"
            mend = "Set OPENAI_API_KEY or OPENAI_BASE_URL to talk to a language model."
            return [Check(name="model", state="ok", detail=detail, mend=mend)]
        address = base_url or OPENAI
        host = urlsplit(address).netloc.rpartition("@")[2]
        if not ask:
            return [Check(name="model", state="ok", detail=f"{name} at {host}, not asked")]
        state, said, mend = await _ask_models(name, address, key)
        return [Check(name="model", state=state, detail=f"{name} at {host}: {said}", mend=mend)]

    return probe


async def _ask_models(name: str, base_url: str, key: str | None) -> tuple[State, str, str]:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        # A redirect is not followed: it could carry the key to somebody else.
        async with (
            aiohttp.ClientSession(timeout=PATIENCE, trust_env=True) as session,
            session.get(f"{base_url.rstrip('/')}/models", headers=headers, allow_redirects=False) as answer,
        ):
            return _judge(name, answer.status, await _offered(answer))
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        mend = "Correct OPENAI_BASE_URL, or start the model's server."
        return "failed", f"does not answer ({type(error).__name__})", mend


async def _offered(answer: aiohttp.ClientResponse) -> list[str] | None:
    """The ids of an OpenAI list of models, https://platform.openai.com/docs/api-reference/models/list."""
    if answer.status != 200:
        return None
    try:
        body = await answer.json(content_type=None)
        return [str(entry["id"]) for entry in body["data"]]
    except (ValueError, KeyError, TypeError):
        return None


def _judge(name: str, status: int, offered: list[str] | None) -> tuple[State, str, str]:
    if status in (401, 403):
        return "failed", f"refuses the key ({status})", "Correct OPENAI_API_KEY."
    if 300 <= status < 400:
        return "degraded", f"sends us elsewhere ({status})", "Correct OPENAI_BASE_URL."
    if status >= 500 or status == 429:
        return "degraded", f"is overloaded or broken ({status})", "Wait, or set PARLEY_MODEL__FALLBACKS."
    if offered is not None and name not in offered:
        return "degraded", "answers, but does not list this model", "Correct PARLEY_MODEL."
    return "ok", "answers" if offered else f"answers, without a list of models ({status})", ""
