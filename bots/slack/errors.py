"""What went wrong with Slack, in the house's words: what is certain, and what to do.

Slack's refusals are codes in the answer's `error`; each method's page lists its own. `internal_error` and
`fatal_error` may follow on work that was done. https://docs.slack.dev/reference/methods/chat.postMessage#errors
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import aiohttp
from slack_sdk.errors import SlackApiError

from core.errors import Ambiguous, ChannelError, NotSent, Rejected, TargetGone, Unauthorized, Undeliverable

NEVER_WRITTEN = (
    aiohttp.ClientConnectorError,
    aiohttp.ConnectionTimeoutError,
    aiohttp.ClientProxyConnectionError,
    aiohttp.InvalidURL,
)
LATER = frozenset({"ratelimited", "rate_limited", "message_limit_exceeded"})
NOT_LET_IN = frozenset(
    {
        "access_denied", "account_inactive", "ekm_access_denied", "enterprise_is_restricted", "invalid_auth",
        "missing_scope", "no_permission", "not_allowed_token_type", "not_authed", "org_login_required",
        "team_access_not_granted", "team_not_found", "token_expired", "token_revoked",
        "two_factor_setup_required",
    }
)  # fmt: skip
CLOSED_CHAT = frozenset(
    {
        "as_user_not_supported", "cannot_dm_bot", "cannot_reply_to_message", "channel_is_limited_access",
        "channel_not_found", "channel_type_not_supported", "is_archived", "is_inactive",
        "messages_tab_disabled", "no_dual_broadcast_content_update", "not_in_channel", "restricted_action",
        "restricted_action_non_threadable_channel", "restricted_action_read_only_channel",
        "restricted_action_thread_locked", "restricted_action_thread_only_channel", "thread_not_found",
        "user_disabled", "user_not_found", "user_not_in_channel",
    }
)  # fmt: skip
GONE_TARGET = frozenset(
    {
        "block_mismatch", "cant_update_message", "edit_window_closed", "message_not_found",
        "streaming_state_conflict",
    }
)  # fmt: skip
MAYBE_DONE = frozenset({"fatal_error", "internal_error", "request_timeout", "service_unavailable"})
FLOOD_SECONDS = 5.0


@contextmanager
def translated(method: str) -> Iterator[None]:
    """Raise everything that goes wrong inside as a `ChannelError` that names the method."""
    try:
        yield
    except (ChannelError, asyncio.CancelledError):
        raise
    except Exception as error:  # whatever fails after the request was written leaves us unsure
        raise translate_error(method, error) from error


def translate_error(method: str, error: Exception) -> ChannelError:
    """The house's error for one of the SDK's, of the transport's, or of reading the answer."""
    if isinstance(error, SlackApiError):
        return _refusal(method, error.response)
    # The name only: texts of transport errors quote addresses, and a socket's address lets one in.
    reason = f"{method}: {type(error).__name__}"
    return NotSent(reason) if isinstance(error, NEVER_WRITTEN) else Ambiguous(reason)


def code_of(error: BaseException | None) -> str:
    """Slack's own code behind an error, "" where there is none."""
    data = getattr(getattr(error, "response", None), "data", None)
    return str(data.get("error") or "") if isinstance(data, dict) else ""


def _refusal(method: str, response: Any) -> ChannelError:
    """`response` is the SDK's, or the transport's where the body could not be read."""
    data = getattr(response, "data", None)
    answer = data if isinstance(data, dict) else {}
    status = int(getattr(response, "status_code", None) or getattr(response, "status", None) or 0)
    code = str(answer.get("error") or "")
    reason = f"{method}: {code or f'status {status}, an answer that is not Slack JSON'}"
    if answer.get("needed"):
        reason += f" (needed: {answer['needed']})"
    if status == 429 or code in LATER:
        return NotSent(reason, retry_after=_retry_after(response))
    if code in NOT_LET_IN:
        return Unauthorized(reason)
    if code in MAYBE_DONE or status >= 500 or status == 408:
        return Ambiguous(reason)
    if code in GONE_TARGET:
        return TargetGone(reason)
    if code in CLOSED_CHAT:
        return Undeliverable(reason)
    return Rejected(reason) if code or 400 <= status < 500 else Ambiguous(reason)


def _retry_after(response: Any) -> float:
    """https://docs.slack.dev/apis/web-api/rate-limits"""
    headers = getattr(response, "headers", None) or {}
    given = next((value for name, value in headers.items() if str(name).lower() == "retry-after"), "")
    try:
        return max(float(given), 0.1)
    except ValueError:
        return FLOOD_SECONDS
