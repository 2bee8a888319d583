"""What code writes and displays, in little memory."""

from __future__ import annotations

import base64
import binascii
import threading
from typing import TYPE_CHECKING, Any, NamedTuple

from .bounded_text import BoundedText, bounded, plain

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What a model can look at.
PICTURE_TYPES = ("image/png", "image/jpeg")

#: Of what is displayed anew again and again the last form counts; of so many displays, and each
#: in so many characters.
_MAX_UPDATED = 8
_MAX_UPDATE = 2_000


class Picture(NamedTuple):
    """A picture that was displayed.

    Attributes
    ----------
    media_type
        ``"image/png"`` or ``"image/jpeg"``.
    data
        The file's bytes.
    """

    media_type: str
    data: bytes


class Output:
    """What some code wrote and displayed, as the reader would see it at its end.

    Any thread may call it.

    Parameters
    ----------
    stdout, stderr
        Where the text goes; may be the same. What is displayed goes to `stdout` as text.
    max_pictures
        So many pictures are kept, the first ones.
    max_picture_bytes
        No larger picture is kept, in bytes.
    """

    def __init__(
        self,
        stdout: BoundedText,
        stderr: BoundedText,
        *,
        max_pictures: int,
        max_picture_bytes: int,
    ) -> None:
        self._texts = {"stdout": stdout, "stderr": stderr}
        self._max_pictures = max_pictures
        self._max_picture_bytes = max_picture_bytes
        self._lock = threading.RLock()
        self._pictures: list[tuple[str | None, Picture]] = []
        self._updated: dict[str, str] = {}
        self._clear_next = False

    @property
    def stdout(self) -> str:
        """What was written to standard output and displayed, as plain text."""
        text = plain(self._texts["stdout"].text)
        with self._lock:
            updated = "".join(f"\n[updated display]\n{update}" for update in self._updated.values())
        return text + updated

    @property
    def stderr(self) -> str:
        """What was written to standard error, as plain text."""
        return plain(self._texts["stderr"].text)

    @property
    def pictures(self) -> tuple[Picture, ...]:
        """The pictures that were displayed."""
        with self._lock:
            return tuple(picture for _, picture in self._pictures)

    def write(self, stream: str, text: str) -> None:
        """Take what was written to ``"stdout"`` or ``"stderr"``."""
        if self._clear_next:
            self.clear()
        self._texts[stream].write(text)

    def display(
        self, bundle: Mapping[str, Any], display_id: str | None = None, *, update: bool = False
    ) -> None:
        """Take a MIME bundle that was displayed, or what a display is updated to."""
        if self._clear_next:
            self.clear()
        text = bundle.get("text/plain")
        if isinstance(text, str):
            if update and display_id is not None:
                self._update(display_id, text)
            else:
                self._texts["stdout"].write(f"{text}\n")
        for picture in pictures_in(bundle):
            self._keep(picture, display_id, update=update)

    def _update(self, display_id: str, text: str) -> None:
        with self._lock:
            self._updated.pop(display_id, None)
            self._updated[display_id] = bounded(plain(text), _MAX_UPDATE)
            if len(self._updated) > _MAX_UPDATED:
                del self._updated[next(iter(self._updated))]

    def _keep(self, picture: Picture, display_id: str | None, *, update: bool) -> None:
        with self._lock:
            if update and display_id is not None:
                self._pictures = [kept for kept in self._pictures if kept[0] != display_id]
            why = None
            if len(picture.data) > self._max_picture_bytes:
                why = f"it has {len(picture.data):,} bytes"
            elif len(self._pictures) >= self._max_pictures:
                why = f"there are {self._max_pictures} before it"
            else:
                self._pictures.append((display_id, picture))
        if why is not None:
            self._texts["stdout"].write(f"[a picture left out: {why}]\n")

    def forget_pictures(self) -> None:
        """Let go of the pictures, and keep the text."""
        with self._lock:
            if self._pictures:
                self._texts["stdout"].write(f"[pictures forgotten: {len(self._pictures)}]\n")
                self._pictures.clear()

    def clear(self, *, wait: bool = False) -> None:
        """Forget everything, as `clear_output` does; with `wait`, when something new comes."""
        self._clear_next = wait
        if wait:
            return
        with self._lock:
            for text in self._texts.values():
                text.clear()
            self._pictures.clear()
            self._updated.clear()


def pictures_in(bundle: Mapping[str, Any]) -> list[Picture]:
    """Return the picture that a MIME bundle holds, if it holds one; the first type counts."""
    for media_type in PICTURE_TYPES:
        data = bundle.get(media_type)
        if isinstance(data, str):
            try:
                data = base64.b64decode(data)
            except (binascii.Error, ValueError):
                continue
        if isinstance(data, bytes) and data:
            return [Picture(media_type, data)]
    return []
