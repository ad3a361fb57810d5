"""How Discord's REST API says no: a status, its own code, its words, and for forms what was wrong where.

docs.discord.com/developers/reference#error-messages gives the form of the body,
docs.discord.com/developers/topics/opcodes-and-status-codes#json the codes and words.
"""

from collections.abc import Mapping
from typing import Any


class ApiError(Exception):
    """A refusal as the client gets it; `headers` go beside it."""

    def __init__(
        self,
        status: int,
        code: int,
        words: str,
        *,
        errors: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(f"{status} {code}: {words}")
        self.status = status
        self.code = code
        self.words = words
        self.errors = errors
        self.headers = dict(headers or {})

    def as_json(self) -> dict[str, Any]:
        body: dict[str, Any] = {"message": self.words, "code": self.code}
        return body if self.errors is None else {**body, "errors": self.errors}


def invalid_form(field: str, code: str, words: str) -> ApiError:
    """Return 50035 with the place of the mistake, its parts separated by dots, as the API nests it."""
    errors: dict[str, Any] = {"_errors": [{"code": code, "message": words}]}
    for part in reversed(field.split(".") if field else []):
        errors = {part: errors}
    return ApiError(400, 50035, "Invalid Form Body", errors=errors)


def too_long(field: str, most: int) -> ApiError:
    return invalid_form(field, "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")


def bad_length(field: str, least: int, most: int) -> ApiError:
    return invalid_form(field, "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length.")


def bad_choice(field: str, value: Any, allowed: str) -> ApiError:
    return invalid_form(field, "BASE_TYPE_CHOICES", f"Value {value!r} must be one of {{{allowed}}}.")


def not_a_snowflake(field: str, value: Any) -> ApiError:
    return invalid_form(field, "NUMBER_TYPE_COERCE", f'Value "{value}" is not snowflake.')


def unauthorized() -> ApiError:
    return ApiError(401, 0, "401: Unauthorized")


def not_found() -> ApiError:
    return ApiError(404, 0, "404: Not Found")


def unknown(thing: str, code: int) -> ApiError:
    return ApiError(404, code, f"Unknown {thing}")


def missing_access() -> ApiError:
    return ApiError(403, 50001, "Missing Access")


def missing_permissions() -> ApiError:
    return ApiError(403, 50013, "Missing Permissions")


def cannot_send() -> ApiError:
    return ApiError(403, 50007, "Cannot send messages to this user")


def wrong_channel_type() -> ApiError:
    return ApiError(400, 50024, "Cannot execute action on this channel type")
