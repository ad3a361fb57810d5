"""What people do in the workspace: say, change and delete messages, type commands, press buttons.

Text is sent as a client sends it: `& < >` escaped, `@name` turned into a mention, and a rich-text block
beside it (docs.slack.dev/messaging/formatting-message-text#escaping).
"""

import re
from itertools import count
from typing import Any

from bots.simulators.control import Saying
from bots.simulators.refusal import Refusal
from bots.simulators.slack.blocks import show_blocks
from bots.simulators.slack.events import Delivery, Events
from bots.simulators.slack.mrkdwn import decoded, escaped, show_mrkdwn
from bots.simulators.slack.world import Channel, ChannelType, Message, User, World, is_id

LONGEST = 40_000
TS = re.compile(r"\d{6,}\.\d{6}")
MENTION = re.compile(r"(<@[UW][A-Z0-9]+>)")
TYPES: dict[str | None, ChannelType] = {"private": "im", "group": "group", "supergroup": "channel"}


class People:
    """Acts for users; what the app is to know comes back as deliveries."""

    def __init__(self, world: World, events: Events) -> None:
        self.world = world
        self.events = events
        self._numbers = count(1)

    def say(self, saying: Saying) -> tuple[Message, list[Delivery]]:
        """Let a user say it; raises Refusal where chat, user and thread do not fit."""
        if saying.bot not in (None, self.world.app.bot.id, self.world.app.bot_id, self.world.app.bot.name):
            raise Refusal(f"bot: {saying.bot!r} given; allowed: {self.world.app.bot.id}")
        if len(saying.text) > LONGEST:
            raise Refusal(f"text: {len(saying.text)} characters; allowed: 1 to {LONGEST}")
        channel, user = self.place(saying)
        thread_ts = thread_of(channel, saying)
        text = self.typed(saying.text)
        blocks = [self._rich_text(text)]
        message = self.world.add(
            channel,
            user,
            text,
            show_blocks(blocks, self.world.name_of),
            thread_ts=thread_ts,
            rings=False,
            blocks=blocks,
            client_msg_id=f"00000000-0000-4000-8000-{next(self._numbers):012d}",
        )
        if saying.thread is not None and thread_ts is None:
            channel.threads[saying.thread] = message.ts
        return message, self._heard(message)

    def say_as_bot(self, chat: str, name: str, text: str) -> tuple[Message, list[Delivery]]:
        """Let another app say something: its messages carry a `bot_id` and no subtype."""
        channel = self.world.open(chat, "channel")
        bot = self.world.bot(name)
        text = self.typed(text)
        message = self.world.add(channel, bot, text, show_mrkdwn(text, self.world.name_of), rings=False)
        return message, self._heard(message)

    def place(self, saying: Saying) -> tuple[Channel, User]:
        """Return where and who; raises Refusal."""
        if saying.user_id is not None and not is_id(saying.user_id, "UW"):
            raise Refusal(f"user_id: {saying.user_id!r} given; allowed: an id such as U0123456789")
        user = self.world.person(saying.user, saying.user_id)
        channel = self.world.find(saying.chat)
        if channel is None:
            kind = TYPES[saying.chat_type or ("private" if saying.chat == saying.user else "supergroup")]
            channel = self.world.open(saying.chat, kind, user if kind == "im" else None)
        if channel.user is not None and channel.user.id != user.id:
            raise Refusal(
                f"user: {saying.user!r} given; allowed: in {channel.name!r} only {channel.user.name!r}"
            )
        return channel, user

    def edit(self, message: Message, text: str) -> list[Delivery]:
        before = message.as_json(self.world.app)
        message.text = self.typed(text)
        message.blocks = [self._rich_text(message.text)]
        message.edited_at = self.world.next_ts()
        self.world.change(message, show_blocks(message.blocks, self.world.name_of))
        heard = [self.events.changed(message, before)]
        if self._is_mention(message):  # sent again, with `edited` in it, as apps in the field report
            heard.append(self.events.mention(message))
        return heard

    def unfurl(self, message: Message) -> list[Delivery]:
        """A link's preview is a change too: of the attachments alone."""
        before = message.as_json(self.world.app)
        return [self.events.changed(message, before, attachments=[{"id": 1, "title": "a preview"}])]

    def delete(self, message: Message) -> list[Delivery]:
        """Of a message with a thread below it a tombstone stays."""
        before = message.as_json(self.world.app)
        has_thread = bool(message.channel.replies(message.ts))
        self.world.ledger.delete(message.seen, self.world.clock.now())
        return [(self.events.buried if has_thread else self.events.deleted)(message, before)]

    def open_assistant(self, name: str) -> tuple[Message, list[Delivery]]:
        """Let a user open the app's assistant: a thread of their direct messages begins, as yet unseen."""
        user = self.world.person(name)
        channel = self.world.open(name, "im", user)
        shown = show_blocks((), self.world.name_of)
        root = self.world.add(channel, self.world.app.bot, "New Assistant Thread", shown, author="slackbot")
        return root, [self.events.assistant_thread(root, user)]

    def typed(self, text: str) -> str:
        """Return what a client sends for what somebody typed."""
        pieces = MENTION.split(text)
        return "".join(piece if number % 2 else self._linked(piece) for number, piece in enumerate(pieces))

    def _linked(self, text: str) -> str:
        bot = self.world.app.bot
        return re.sub(rf"(?<!\w)@{re.escape(bot.name)}\b", f"<@{bot.id}>", escaped(text))

    def _rich_text(self, text: str) -> dict[str, Any]:
        elements: list[dict[str, Any]] = []
        for number, piece in enumerate(MENTION.split(text)):
            if number % 2:
                elements.append({"type": "user", "user_id": piece[2:-1]})
            elif piece:
                elements.append({"type": "text", "text": decoded(piece)})
        section = {"type": "rich_text_section", "elements": elements}
        return {"type": "rich_text", "block_id": f"b{next(self._numbers)}", "elements": [section]}

    def _heard(self, message: Message) -> list[Delivery]:
        """A mention in a channel is two events for one post: `message` and `app_mention`."""
        heard = [self.events.message(message)]
        if self._is_mention(message):
            heard.append(self.events.mention(message))
        return heard

    def _is_mention(self, message: Message) -> bool:
        return message.channel.type != "im" and f"<@{self.world.app.bot.id}>" in message.text


def thread_of(channel: Channel, saying: Saying) -> str | None:
    """Return the thread to answer in: by the `ts` of any message in it, or by a name a test gave it."""
    given = saying.thread if saying.thread is not None else saying.reply_to
    if given is None:
        return None
    if (named := channel.threads.get(given)) is not None and saying.thread is not None:
        return named
    message = channel.message(given)
    if message is not None:
        return message.thread_ts or message.ts
    if saying.thread is None or TS.fullmatch(given):
        field = "reply_to" if saying.thread is None else "thread"
        raise Refusal(f"{field}: no message {given!r} in chat {saying.chat!r}")
    return None
