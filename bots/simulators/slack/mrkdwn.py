"""Slack's own markup, as `text` and mrkdwn objects carry it, read as its clients show it.

docs.slack.dev/messaging/formatting-message-text. Written from the platform's rules alone and apart from the
gateway's renderer. Only `&amp;`, `&lt;` and `&gt;` are decoded; mentions work inside code too, since the
server reads them before the clients read the marks.
"""

import re

from bots.simulators.slack.shown import ANGLE, Names, Shown, Writer

FENCE = re.compile(r"```(.+?)```", re.DOTALL)
# Marks count only at the edge of a word, and hold no line break.
INLINE = re.compile(
    r"`(?P<code>[^`\n]+)`"
    r"|<(?P<angle>[^<>\n]+)>"
    r"|(?<![\w*])\*(?P<bold>[^\s*](?:[^*\n]*[^\s*])?)\*(?![\w*])"
    r"|(?<![\w_])_(?P<italic>[^\s_](?:[^_\n]*[^\s_])?)_(?![\w_])"
    r"|(?<![\w~])~(?P<strike>[^\s~](?:[^~\n]*[^\s~])?)~(?![\w~])"
)
SHOUT = re.compile(r"(?<![\w@])@(here|channel|everyone)\b")


def decoded(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def escaped(text: str) -> str:
    """Return a text as a client sends what somebody typed."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def show_mrkdwn(source: str, names: Names, *, link_names: bool = False) -> Shown:
    """Return what is seen; with `link_names` a plain `@channel` rings like `<!channel>`."""
    if link_names:
        source = SHOUT.sub(r"<!\1>", source)
    writer, last = Writer(names), 0
    for match in FENCE.finditer(source):
        write_lines(writer, source[last : match.start()])
        start, last = writer.length, match.end()
        write_literal(writer, match.group(1).removeprefix("\n").removesuffix("\n"))
        writer.mark("pre", start)
    write_lines(writer, source[last:])
    return writer.done()


def show_plain(source: str) -> Shown:
    """Return a `plain_text` object's text: nothing in it is markup."""
    return Shown(source)


def write_lines(writer: Writer, source: str) -> None:
    for number, line in enumerate(source.split("\n")):
        writer.emit("\n" if number else "")
        start = writer.length
        quoted = re.match(r"(?:>|&gt;)(?:>>|&gt;&gt;)? ?", line)
        write_inline(writer, line[quoted.end() :] if quoted else line)
        if quoted:
            writer.mark("quote", start)


def write_inline(writer: Writer, source: str) -> None:
    last = 0
    for match in INLINE.finditer(source):
        writer.emit_linked(decoded(source[last : match.start()]))
        last = match.end()
        kind = str(match.lastgroup)
        inside, start = match.group(kind), writer.length
        if kind == "angle":
            writer.emit_angle(inside, decoded)
            continue
        write_literal(writer, inside) if kind == "code" else write_inline(writer, inside)
        writer.mark(kind, start)
    writer.emit_linked(decoded(source[last:]))


def write_literal(writer: Writer, source: str) -> None:
    last = 0
    for match in ANGLE.finditer(source):
        writer.emit(decoded(source[last : match.start()]))
        writer.emit_angle(match.group(1), decoded)
        last = match.end()
    writer.emit(decoded(source[last:]))
