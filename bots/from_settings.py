"""What the settings say, in the values that the rooms of the house take: they know no settings object."""

import tomllib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from config.settings import Settings
from core.choose import Defaults
from core.house import Rules
from core.llm.models import Models
from core.llm.patience import Timeouts
from core.llm.prices import PriceRow
from core.llm.tokens import ByteTokens
from core.state.redis_state import Terms
from core.store.database import PoolSize

PRICES = Path(__file__).parents[1] / "config" / "prices.toml"
HOT_CONNECTIONS = 6


def pool(settings: Settings) -> PoolSize:
    database = settings.database
    return PoolSize(
        size=database.pool_size,
        overflow=database.max_overflow,
        recycle=database.pool_recycle_seconds,
        wait=database.pool_timeout_seconds,
        statement=database.statement_timeout_seconds,
        lock=database.lock_timeout_seconds,
        idle_in_transaction=database.idle_in_transaction_timeout_seconds,
    )


def hot_pool(settings: Settings) -> PoolSize:
    """For what must never wait behind a query: the journal, the leases and the bell keep a connection each,
    and the others are for short things: the right to receive, a beat, a job's hold."""
    return replace(pool(settings), size=HOT_CONNECTIONS, overflow=0)


def terms(settings: Settings) -> Terms:
    return Terms(
        user_per_minute=settings.limits.user_per_minute,
        context_messages=settings.context.messages,
        context_seconds=settings.context.ttl_seconds,
        session_seconds=settings.session.ttl_seconds,
        presence_seconds=settings.presence.seconds,
        pool_size=settings.redis.pool_size,
        timeout=settings.redis.timeout_seconds,
    )


def models(settings: Settings, word_seconds: float = 0.0) -> Models:
    key = settings.openai.api_key
    return Models(
        tokens=ByteTokens(),
        api_key=key.get_secret_value() if key else "",
        base_url=settings.openai.base_url or "",
        timeouts=Timeouts(
            connect=settings.model.connect_seconds,
            first=settings.model.first_token_seconds,
            between=settings.model.between_tokens_seconds,
            whole=settings.model.turn_seconds,
        ),
        word_seconds=word_seconds,
    )


def price_rows() -> list[PriceRow]:
    table: dict[str, Any] = tomllib.loads(PRICES.read_text())
    return [PriceRow(**row) for row in table.get("price", ())]


def allowed(settings: Settings) -> Callable[[str, str], bool]:
    """An open gateway answers everybody; else those who are named, and the one at the terminal."""
    if settings.access.mode == "open":
        return lambda channel, user: True
    named = frozenset(settings.access.allow)
    return lambda channel, user: channel == "console" or (channel, user) in named


def defaults(settings: Settings) -> Defaults:
    return Defaults(
        models=tuple(dict.fromkeys((settings.default_model, *settings.model.fallbacks))),
        system_prompt=settings.model.system_prompt,
        answer_tokens=settings.model.answer_tokens,
    )


def rules(settings: Settings) -> Rules:
    return Rules(
        context_messages=settings.context.messages,
        context_tokens=settings.model.context_tokens,
        turn_seconds=settings.model.turn_seconds,
        attempts=settings.turns.attempts,
        late_seconds=settings.turns.late_seconds,
        stale_seconds=settings.turns.stale_seconds,
        merge_max=settings.turns.merge_max,
        burst_seconds=settings.turns.burst_seconds,
    )
