"""Code as coloured pieces of text, for a front end that sets them as text."""

from __future__ import annotations

import time

#: Longer texts are shown in one colour, in characters: colours would take seconds.
MAX_COLOURED = 200_000

#: Colours that take longer are done without, in seconds: for each language there is a text, such
#: as one of empty lines, that takes its lexer minutes.
PATIENCE_S = 1.0


def coloured(text: str, language: str | None) -> list[tuple[str, str]]:
    """Return a text in pieces, each with the short name of what it is. Any thread.

    Parameters
    ----------
    text
        The text; the pieces together are exactly it.
    language
        What Pygments calls the language; None or one that it does not know gives one piece.

    Returns
    -------
    list of tuple
        Names such as ``"k"`` for a keyword or ``"gi"`` for an inserted line; empty for the rest.
    """
    from pygments.lexers import get_lexer_by_name  # noqa: PLC0415 - for those who ask only
    from pygments.token import STANDARD_TYPES, Whitespace  # noqa: PLC0415
    from pygments.util import ClassNotFound  # noqa: PLC0415

    plain = [("", text)] if text else []
    if language is None or len(text) > MAX_COLOURED:
        return plain
    try:
        lexer = get_lexer_by_name(language, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return plain
    pieces: list[tuple[str, str]] = []
    deadline_s = time.monotonic() + PATIENCE_S
    # Some lexers do not see a last line that does not end.
    for kind, piece in lexer.get_tokens(f"{text}\n"):
        if time.monotonic() > deadline_s:
            return plain
        name = "" if kind is Whitespace else STANDARD_TYPES.get(kind, "")
        if pieces and pieces[-1][0] == name:
            pieces[-1] = (name, pieces[-1][1] + piece)
        else:
            pieces.append((name, piece))
    # A question shows what will run, so no lexer may leave anything out.
    if "".join(piece for _, piece in pieces) != f"{text}\n":
        return plain
    name, last = pieces.pop()
    return [*pieces, (name, last[:-1])] if last != "\n" else pieces
