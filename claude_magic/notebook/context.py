"""What goes with a prompt besides its text, marked so that both sides can tell it apart."""

from __future__ import annotations

#: Encloses what a person did not write. `tape` leaves it out of the conversation that it matches.
TAG = "notebook-context"


def enclosed(text: str) -> str:
    """Return a text as context; it cannot end the context by itself."""
    inert = text.replace(f"</{TAG}", f"</ {TAG}")
    return f"<{TAG}>\n{inert}\n</{TAG}>"
