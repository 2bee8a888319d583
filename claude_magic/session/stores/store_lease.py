"""Who goes on with a conversation that several machines can reach: one kernel at a time."""

from __future__ import annotations

import json
import platform
import uuid
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from claude_magic.session.foreign_json import MAX_NOTE_BYTES, BrokenJsonError, parse_object
from claude_magic.session.guard import own_mark
from claude_magic.session.host import this_host
from claude_magic.session.lease import Holder

if TYPE_CHECKING:
    from .store import Store

#: A lease that was not renewed for so long is anybody's, in seconds.
LAPSE_S = 20.0

#: It is renewed so often, in seconds.
RENEW_S = 5.0


class StoreLease:
    """The right to go on with one conversation, as a note in the store that is renewed.

    No clocks are compared: whoever wants the lease watches whether it is renewed. The thread of the
    store only.

    Parameters
    ----------
    project
        What the conversation is filed under.
    session_id
        The conversation.
    holder
        Who wants it.
    """

    def __init__(self, project: str, session_id: str, holder: Holder) -> None:
        self._which = (project, session_id)
        self._holder = holder
        self._mark = own_mark()
        self._beat = 0
        self._token = uuid.uuid4().hex
        # What stands in the store by our doing; None for nothing.
        self._written: str | None = None

    def take(self, store: Store, lapsed: str | None = None) -> str | None:
        """Take the lease, or renew it.

        Parameters
        ----------
        store
            The store.
        lapsed
            What another holder has left there, and has not renewed for `LAPSE_S`.

        Returns
        -------
        str or None
            None if it is taken; otherwise what another holder has written there.

        Raises
        ------
        StoreError
            If the store fails.
        """
        there = store.note(*self._which, "lease")
        # After a failure nobody knows which of our two last words arrived.
        ours = there is not None and json_of(there).get("token") == self._token
        if there is not None and not ours and there != lapsed and not _has_ended(there):
            return there
        self._beat += 1
        written = json.dumps(
            {
                **asdict(self._holder),
                "mark": self._mark,
                "token": self._token,
                "beat": self._beat,
            },
        )
        if not store.swap_note(*self._which, "lease", there, written):
            return store.note(*self._which, "lease") or ""
        self._written = written
        return None

    def release(self, store: Store) -> None:
        """Give the lease back; harmless where it was not taken, or somebody else has it by now.

        Raises
        ------
        StoreError
            If the store fails; then it lapses.
        """
        if self._written is not None:
            store.swap_note(*self._which, "lease", self._written, None)
            self._written = None


def holder_told(written: str) -> str:
    """Say who holds a lease, as the end of the sentence "This conversation is open in …"."""
    fields = json_of(written)
    with suppress(KeyError, TypeError, ValueError, OverflowError, OSError):
        notebook = fields["notebook"]
        return str(
            Holder(
                int(fields["pid"]),
                str(fields["host"]),
                None if notebook is None else str(notebook),
                float(fields["since_s"]),
            ),
        )
    return "another kernel"


def json_of(text: str) -> dict[str, Any]:
    """Return the object that a note holds; an empty one if it is damaged."""
    with suppress(BrokenJsonError):
        return parse_object(text, MAX_NOTE_BYTES)
    return {}


def _has_ended(written: str) -> bool:
    """Tell whether the kernel that holds a lease was one of this machine, and is gone."""
    fields = json_of(written)
    place, _, mark = str(fields.get("mark", "")).partition(".")
    host = this_host()
    with suppress(OSError, ValueError):
        return fields.get("host") == platform.node() and place == host.place() and host.ended(mark)
    return False
