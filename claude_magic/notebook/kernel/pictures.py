"""Pictures of figures and images, small enough for a model to be shown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL import Image

#: What is larger the API would make smaller, in pixels.
LONGEST_SIDE = 1568
#: In bytes, before base64.
LARGEST = 1_500_000


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that Claude can be shown.

    Attributes
    ----------
    media_type
        Always ``image/png``.
    data
        The file's bytes, at most `LARGEST`; no side has more than `LONGEST_SIDE` pixels.
    """

    media_type: str
    data: bytes


def figure_of(axes: Any) -> Any:
    """Return the outermost figure of matplotlib axes or of a figure within a figure."""
    found = axes
    while not hasattr(found, "savefig"):
        found = found.figure
    return found


def draw_figure(figure: Any) -> Picture:
    """Draw a figure of matplotlib. Main thread only: drawing is not thread-safe.

    Raises
    ------
    Exception
        Whatever the figure's artists raise.
    """
    drawn = BytesIO()
    longest_inches = max(float(side) for side in figure.get_size_inches())
    dpi = min(float(figure.dpi), LONGEST_SIDE / longest_inches)
    # As Jupyter shows it: nothing that stands beyond the figure's edge is cut off.
    figure.savefig(drawn, format="png", dpi=dpi, bbox_inches="tight")
    return fit_png(drawn.getvalue())


def fit_png(data: bytes) -> Picture:
    """Return a PNG file's picture, made smaller where it is too large.

    Raises
    ------
    ValueError
        If it is not a PNG file.
    ModuleNotFoundError
        If it is too large and Pillow is not there to make it smaller.
    """
    if data[:8] != b"\x89PNG\r\n\x1a\n" or len(data) < 24:  # noqa: PLR2004 - up to its size
        raise ValueError("not a PNG file")
    width, height = int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")
    if max(width, height) <= LONGEST_SIDE and len(data) <= LARGEST:
        return Picture("image/png", data)
    from PIL import Image  # noqa: PLC0415 - the user's, if it is there

    with Image.open(BytesIO(data)) as image:
        return fit_image(image)


def fit_image(image: Image.Image) -> Picture:
    """Return an image of Pillow's as a picture within the bounds.

    Raises
    ------
    Exception
        Whatever Pillow raises where the image's file cannot be read.
    """
    longest = min(LONGEST_SIDE, max(image.size))
    image = _displayable(image)
    while True:
        scale = min(1.0, longest / max(image.size))
        size = tuple(max(1, round(side * scale)) for side in image.size)
        resized = image.resize((size[0], size[1]), reducing_gap=2.0) if scale < 1 else image
        encoded = BytesIO()
        resized.save(encoded, format="png")
        data = encoded.getvalue()
        if len(data) <= LARGEST:
            return Picture("image/png", data)
        longest = int(longest * min(0.9, math.sqrt(LARGEST / len(data))))


def _displayable(image: Image.Image) -> Image.Image:
    """Return an image in a mode that PNG has and that can be made smaller smoothly."""
    if image.mode in {"L", "LA", "RGB", "RGBA"}:
        return image
    if image.mode == "P":
        return image.convert("RGBA")
    if image.mode.startswith(("I", "F")):
        # Numbers of any range, as depths and masks are: from black to white.
        numbers = image.convert("F")
        lowest, highest = numbers.getextrema()
        scale = 255 / (highest - lowest) if highest > lowest else 0.0  # type: ignore[operator]
        return numbers.point(lambda number: number * scale - lowest * scale).convert("L")  # type: ignore[operator]
    return image.convert("L" if image.mode == "1" else "RGB")
