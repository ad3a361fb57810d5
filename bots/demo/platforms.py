"""The three platforms of the demo: a simulator each, who the newcomer is there, and the settings that point
the real channel at it.

The simulators start beside the client libraries' imports, which take longer than everything else.
"""

import importlib
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import SecretStr

from bots.catalog import factories
from bots.simulators.control import Saying
from bots.simulators.discord import DiscordSimulator
from bots.simulators.ledger import Seen
from bots.simulators.slack import SlackSimulator
from bots.simulators.telegram import TelegramSimulator
from config.settings import Settings
from core.ports import ChannelAdapter

ORDER = ("telegram", "discord", "slack")
USER = "you"
EDIT_SECONDS = 0.4
POLL_SECONDS = 20


class Simulator(Protocol):
    """What the demo wants of a platform's simulator."""

    def put(self, saying: Saying) -> int | str: ...

    def seen(self, chat: str | None = None) -> list[Seen]: ...

    def wait_for(
        self, predicate: Callable[[list[Seen]], Any], timeout: float = 10, *, chat: str | None = None
    ) -> Awaitable[Any]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """A platform on the stage, with the direct chat `chat` of the newcomer and the bot. `point` sets what an
    operator would set to reach it; `listening` tells whether the bot would hear what is said now."""

    name: str
    simulator: Simulator
    user_id: str
    point: Callable[[Settings], Settings]
    listening: Callable[[], bool]
    chat: str = USER

    def speak(self, text: str) -> str:
        """Let the newcomer say something; the message's id. Raises `Refusal`."""
        saying = Saying(chat=self.chat, user=USER, text=text, user_id=self.user_id, chat_type="private")
        return str(self.simulator.put(saying))

    def seen(self) -> list[Seen]:
        """What the newcomer sees of the chat."""
        return self.simulator.seen(self.chat)

    async def wait_for(self, predicate: Callable[[list[Seen]], Any], seconds: float) -> Any:
        """The first true value of a question about what is seen. Raises `TimeoutError`."""
        return await self.simulator.wait_for(predicate, seconds, chat=self.chat)


@asynccontextmanager
async def open_platforms(number: int) -> AsyncIterator[Mapping[str, Platform]]:
    """All that the catalogue has a channel for; `number` makes bots and people differ from other runs'."""
    known = factories()
    async with AsyncExitStack() as stack:
        opened = {}
        for name in ORDER:
            if name in known:
                opened[name] = await stack.enter_async_context(OPENERS[name](number))
        yield opened


@asynccontextmanager
async def telegram(number: int) -> AsyncIterator[Platform]:
    token = f"{number}:simulated"
    async with TelegramSimulator(token=token) as simulator:
        yield Platform(
            name="telegram",
            simulator=simulator,
            user_id=str(number % 10**10),
            point=lambda settings: _with(
                settings,
                "telegram",
                token=SecretStr(token),
                api_url=simulator.url,
                poll_seconds=POLL_SECONDS,
                edit_private_seconds=EDIT_SECONDS,
            ),
            listening=lambda: any(call.method == "getUpdates" for call in simulator.calls[:20]),
        )


@asynccontextmanager
async def discord(number: int) -> AsyncIterator[Platform]:
    token = f"simulated.{number}"
    async with DiscordSimulator(token=token) as simulator:
        yield Platform(
            name="discord",
            simulator=simulator,
            user_id=str(number),
            point=lambda settings: _with(
                settings,
                "discord",
                token=SecretStr(token),
                api_url=simulator.api_url,
                gateway_url=simulator.gateway_url,
                edit_direct_seconds=EDIT_SECONDS,
            ),
            listening=lambda: simulator.connected > 0,
        )


@asynccontextmanager
async def slack(number: int) -> AsyncIterator[Platform]:
    bot, app = f"xoxb-{number}", f"xapp-{number}"
    async with SlackSimulator(token=bot, app_token=app) as simulator:
        yield Platform(
            name="slack",
            simulator=simulator,
            user_id=f"U{number}",
            chat=f"D{number}",
            point=lambda settings: _with(
                settings,
                "slack",
                bot_token=SecretStr(bot),
                app_token=SecretStr(app),
                signing_secret=None,
                api_url=simulator.api_url,
            ),
            listening=lambda: len(simulator.sockets) > 0,
        )


OPENERS = {"telegram": telegram, "discord": discord, "slack": slack}


def import_channels() -> None:
    """Load the client libraries of the channels there are. For a thread: they take seconds."""
    for name in ORDER:
        if name in factories():
            importlib.import_module(f"bots.{name}.adapter")


def build_adapter(name: str, settings: Settings) -> ChannelAdapter:
    """The real channel, as `parley run` builds it."""
    adapter = factories()[name](settings)
    assert adapter is not None, f"{name} has a token by now"
    return adapter


def _with(settings: Settings, group: str, **values: Any) -> Settings:
    return settings.model_copy(update={group: getattr(settings, group).model_copy(update=values)})
