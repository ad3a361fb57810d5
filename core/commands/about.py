"""Commands that tell: what this is, what it can do, what was said, what was used."""

from core.commands.command import Reply, Request, month_start

HISTORY_MESSAGES = 20
LINE_CHARS = 300


async def start(request: Request) -> Reply:
    name = request.asked.message.sender.name
    model = (
        "I answer with a built-in script, not a language model: no model has been set up yet."
        if request.desk.is_scripted
        else f"I answer with the language model `{request.desk.model}`."
    )
    return Reply(
        text=f"Hello {name}, I am a bot. Write to me and I answer; `/help` lists what else I can do.\n\n"
        f"{model} What you write here is stored on the operator's server so that I can follow the "
        "conversation; the operator can read it, and it is sent to the model that answers."
    )


async def help_(request: Request) -> Reply:
    """Written from the table of commands."""
    offers = (command.offer for command in request.desk.commands.values())
    lines = [
        f"- `/{offer.name}{' ' + offer.argument if offer.argument else ''}` {offer.summary}"
        for offer in offers
    ]
    return Reply(
        text="Write to me and I answer. I also know these, with `/` or `!` before them:\n\n"
        + "\n".join(lines)
    )


async def history(request: Request) -> Reply:
    rows = await request.desk.records.history(request.line.conversation_id, HISTORY_MESSAGES)
    if not rows:
        return Reply(text="Nothing has been said in this conversation yet.")
    lines = []
    for time, spoken in rows:
        who = "I" if spoken.role == "assistant" else spoken.author or "You"
        said = " ".join(spoken.content.split())
        short = said if len(said) <= LINE_CHARS else said[: LINE_CHARS - 1] + "…"
        lines.append(f"- {time:%Y-%m-%d %H:%M} UTC, {who}: {short}")
    return Reply(text="What was said last in this conversation:\n\n" + "\n".join(lines))


async def usage(request: Request) -> Reply:
    now = request.desk.clock.now()
    today = now.replace(hour=0, minute=0, second=0, microsecond=0)
    user_id = request.asked.user_id
    lines = []
    for label, since in (("Today", today), ("This month", month_start(now))):
        used = await request.desk.records.usage(user_id, since)
        cost = f"{used.cost_micro / 1_000_000:.6f} USD"
        unknown = f", {used.unpriced_calls} of them at an unknown price" if used.unpriced_calls else ""
        tokens = f"{used.prompt_tokens} tokens in, {used.completion_tokens} out"
        calls = f"{used.calls} model call{'' if used.calls == 1 else 's'}"
        lines.append(f"- {label}: {calls}{unknown}; {tokens}; {cost}")
    return Reply(text="Your use, in UTC days:\n\n" + "\n".join(lines))
