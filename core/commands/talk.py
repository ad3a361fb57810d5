"""Commands that steer the talk: ask, begin anew, choose the model, stop, and ask or show again."""

from core.commands.command import Reply, Request


async def ask(request: Request) -> Reply:
    if not request.argument:
        return Reply(text="Say what to ask: `/ask your question`.")
    return Reply(ask=request.argument)


async def new(request: Request) -> Reply:
    return Reply(text="A new conversation begins here; I no longer see the one before.")


async def model(request: Request) -> Reply:
    """Without a name it tells; with one it chooses, for this conversation only."""
    desk, wanted = request.desk, request.argument
    choices = ", ".join(f"`{name}`" for name in desk.offered)
    if not wanted:
        return Reply(text=f"This conversation uses `{desk.model}`. You may choose: {choices}, or `default`.")
    if wanted == "default":
        await desk.records.set_model(request.lease, None)
        return Reply(text="This conversation uses the default model from now on.")
    if wanted not in desk.offered:
        return Reply(text=f"I don't know the model `{wanted}`. You may choose: {choices}, or `default`.")
    await desk.records.set_model(request.lease, wanted)
    return Reply(text=f"This conversation uses `{wanted}` from now on.")


async def stop(request: Request) -> Reply:
    """A `/stop` that comes here found no running answer: one that runs is stopped before its turn comes."""
    return Reply(text="There is no answer to stop.")


async def retry(request: Request) -> Reply:
    last = await request.desk.records.last_answer(request.line.conversation_id)
    if last is None or not last.question:
        return Reply(text="There is no question in this conversation yet to ask again.")
    return Reply(ask=last.question, again=True)


async def again(request: Request) -> Reply:
    """Also what was said last and may not have arrived, whatever it was."""
    last = await request.desk.records.last_answer(request.line.conversation_id)
    if last is not None and last.answer:
        return Reply(text=last.answer)
    if last is not None and last.end == "uncertain":
        return Reply(text="No answer to your last message is stored here. Please send the message again.")
    return Reply(text="There is no answer in this conversation yet to show again.")
