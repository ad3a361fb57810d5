"""Text as a terminal takes it: nothing in it commands the terminal, and it comes in bounded pieces.

What a model writes is a stranger's text. An escape sequence in it could retitle the window, move the
cursor over what stands there, or fill the clipboard, so every control character is shown as a sign.
"""

import re

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_FENCE = re.compile(r" {0,3}(`{3,20}|~{3,20})([^`\n]{0,40})")
_FENCE_ROOM = 24  # the longest closing fence with its newlines


def printable(text: str) -> str:
    """The text with carriage returns taken out and other controls but newline and tab made visible.

    The start of a text gives the start of its result, so that a growing answer can be printed on.
    """
    return _SURROGATE.sub(_REPLACEMENT, _CONTROL.sub(_sign, text.replace("\r", "")))


def _sign(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x20:
        return chr(0x2400 + code)
    return "\N{SYMBOL FOR DELETE}" if code == 0x7F else _REPLACEMENT


def typed(text: str) -> str:
    """What a person typed, as text that every store takes: no half characters, no NUL."""
    return _SURROGATE.sub(_REPLACEMENT, text.replace("\0", _REPLACEMENT))


def pieces(text: str, most: int) -> tuple[str, ...]:
    """Cut at line ends into pieces of at most `most` characters (200 or more); only a longer line is cut
    inside. A fence cut in two is closed and opened again; without the lines added for that, the pieces
    put together are the text.
    """
    if len(text) <= most:
        return (text,)
    done: list[str] = []
    piece, fence = "", None
    for line in _lines(text, most // 2):
        if piece and len(piece) + len(line) + _FENCE_ROOM > most:
            done.append(_closed(piece, fence))
            piece = f"{fence[0]}\n" if fence else ""
        piece += line
        fence = _fence_after(line, fence)
    return (*done, piece)


def _lines(text: str, longest: int) -> list[str]:
    lines = text.splitlines(keepends=True)
    return [line[at : at + longest] for line in lines for at in range(0, len(line), longest)]


def _fence_after(line: str, fence: re.Match[str] | None) -> re.Match[str] | None:
    here = _FENCE.fullmatch(line.rstrip())
    if here is None:
        return fence
    if fence is None:
        return here
    return None if here[1].startswith(fence[1]) and not here[2] else fence


def _closed(piece: str, fence: re.Match[str] | None) -> str:
    if fence is None:
        return piece
    return f"{piece}{'' if piece.endswith(chr(10)) else chr(10)}{fence[1]}\n"
