"""The application's commands (docs.discord.com/developers/interactions/application-commands).

Registering keeps a command's id as long as its name stays. What a user does with one is in `desk`.
"""

import re
from itertools import count
from typing import Any

from bots.simulators.discord.errors import ApiError, bad_length, invalid_form

NAME = re.compile(r"[-_'\w]{1,32}")
MOST_COMMANDS, MOST_OPTIONS = 100, 25
CHAT_INPUT = 1
GLOBAL = 0


class CommandBook:
    """The commands by scope (0 is global, others are servers) and name."""

    def __init__(self, application_id: int, first_id: int) -> None:
        self._application_id = application_id
        self._ids = count(first_id)
        self._by_scope: dict[int, dict[str, dict[str, Any]]] = {}

    def find(self, name: str, guild_id: int = GLOBAL) -> dict[str, Any] | None:
        """Return what `/name` means in a server: its own command before the global one."""
        own = self._by_scope.get(guild_id, {})
        return own.get(name) or self._by_scope.get(GLOBAL, {}).get(name)

    def listed(self, scope: int) -> list[dict[str, Any]]:
        return list(self._by_scope.get(scope, {}).values())

    def replace(self, scope: int, asked: list[Any]) -> list[dict[str, Any]]:
        """Put these in the place of all (.../application-commands, "Bulk Overwrite Global")."""
        if len(asked) > MOST_COMMANDS:
            raise too_many()
        made = [self._make(scope, each, f"{index}.") for index, each in enumerate(asked)]
        names = [command["name"] for command in made]
        if len(set(names)) < len(names):
            raise invalid_form(
                "", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique"
            )
        self._by_scope[scope] = {command["name"]: command for command in made}
        return made

    def put(self, scope: int, asked: Any) -> dict[str, Any]:
        """Add one, or change the one of this name."""
        made = self._make(scope, asked, "")
        known = self._by_scope.setdefault(scope, {})
        if made["name"] not in known and len(known) >= MOST_COMMANDS:
            raise too_many()
        known[made["name"]] = made
        return made

    def remove(self, scope: int, number: str) -> None:
        known = self._by_scope.get(scope, {})
        for name, command in list(known.items()):
            if command["id"] == number:
                del known[name]
                return
        raise ApiError(404, 10063, "Unknown application command")

    def _make(self, scope: int, asked: Any, where: str) -> dict[str, Any]:
        if not isinstance(asked, dict):
            raise invalid_form(f"{where}name", "BASE_TYPE_REQUIRED", "This field is required")
        check(asked, where)
        former = self._by_scope.get(scope, {}).get(asked["name"])
        command = {
            "id": former["id"] if former else str(next(self._ids)),
            "application_id": str(self._application_id), "version": str(next(self._ids)),
            "default_member_permissions": None, "type": CHAT_INPUT, "nsfw": False, "dm_permission": True,
            "contexts": None, "integration_types": [0], "name_localizations": None,
            "description_localizations": None, "options": [],
        }  # fmt: skip
        command |= {key: value for key, value in asked.items() if key not in ("id", "version")}
        command["integration_types"] = command["integration_types"] or [0]
        return command if scope == GLOBAL else {**command, "guild_id": str(scope)}


def check(asked: dict[str, Any], where: str) -> None:
    """Hold a command and its options to the naming rules; raises ApiError 50035."""
    name, description = str(asked.get("name") or ""), str(asked.get("description") or "")
    kind = asked.get("type") or CHAT_INPUT
    if not 1 <= len(name) <= 32:
        raise bad_length(f"{where}name", 1, 32)
    if kind == CHAT_INPUT and (not NAME.fullmatch(name) or name != name.lower()):
        raise invalid_form(f"{where}name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    if kind == CHAT_INPUT and not 1 <= len(description) <= 100:
        raise bad_length(f"{where}description", 1, 100)
    options = asked.get("options") or []
    if len(options) > MOST_OPTIONS:
        raise bad_length(f"{where}options", 0, MOST_OPTIONS)
    for index, option in enumerate(options):
        # An option has names and options under the same rules; its own type is of another kind.
        check({**option, "type": CHAT_INPUT}, f"{where}options.{index}.")


def too_many() -> ApiError:
    return ApiError(400, 30032, f"Maximum number of application commands reached ({MOST_COMMANDS})")
