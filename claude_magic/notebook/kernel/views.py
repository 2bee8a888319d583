"""Bounded, safe looks at the user's variables.

Nothing here trusts an object: it may lie about its class, raise from any attribute, or never come
back from its `__repr__`. What it says of itself is asked for in a thread that is abandoned when
its time is up, and all text is masked.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from claude_magic.masking import is_secret

from .arrays import write_array
from .bounded import Page, attempt, cut, failure, head_and_tail, plain
from .definitions import is_definition, write_definition
from .elements import element, is_container, members
from .frames import write_frame, write_series
from .kinds import (
    Kind,
    class_attribute,
    counted,
    kind_of,
    length,
    length_class,
    lineage,
    shape,
    size,
    type_name,
)
from .pictures import Picture, draw_figure, figure_of, fit_image, fit_png

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Picture", "Summary", "View", "summary", "view"]

#: A variable gets so long to tell about itself, in seconds.
PATIENCE_S = 1.0
#: Objects that draw themselves get longer: many start a program for it.
_DRAWING_S = 5.0
_ITEMS = 40
_LONG_NAME = 100
#: The width of lines of elements, and what is shown in the first line, in characters.
_LINE = 100
_ONE_LINE = 200


@dataclass(frozen=True, slots=True)
class Summary:
    """What a variable is, without any value.

    Attributes
    ----------
    name
        The variable's name.
    type
        Its class, with the module where that is not built in: ``pandas.DataFrame``.
    shape
        ``1000 × 12``, ``3 items``, ``12 characters``; None where it has none. Of a secret only
        about how long it is.
    size
        The memory of an array or a frame: ``9.4 kB``; None for all else.
    """

    name: str
    type: str
    shape: str | None
    size: str | None


@dataclass
class View:
    """What a variable looks like.

    Attributes
    ----------
    text
        Masked and bounded.
    pictures
        Of figures and images.
    """

    text: str
    pictures: tuple[Picture, ...] = ()


def summary(name: str, value: object) -> Summary:
    """Tell what a variable is. Main thread only; quick, and runs no code of the user's own."""
    sides = length_class(value) if is_secret(name) else shape(value)
    return Summary(name, type_name(value), sides, size(value))


def view(name: str, value: object, *, limit_chars: int = 4000, rows: int = 5) -> View:
    """Look at a variable. Main thread only.

    A value whose name `is_secret` is not shown. What has a picture gets one. An object that takes
    longer than `PATIENCE_S` is given up; see `attempt` for what becomes of it.

    Parameters
    ----------
    name
        The variable's name, or the expression that led to the value.
    value
        Anything. Nothing that it does makes this raise, but for KeyboardInterrupt and SystemExit.
    limit_chars
        The most characters of text.
    rows
        How many rows of a table to show at most.
    """
    page = Page(limit_chars)
    try:
        if is_secret(name):
            page.add(_withheld(name, value))
            return View(page.text())
        _attempt(page, lambda: _write(name, value, page, rows), PATIENCE_S)
        pictures = _pictures(value, page)
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # noqa: BLE001 - a look must never break a turn
        page.add(f"{page.doing} raised {failure(error)}")
        pictures = ()
    return View(page.text(), pictures)


def _withheld(name: str, value: object) -> str:
    about = ", ".join(fact for fact in (type_name(value), length_class(value)) if fact)
    reason = "value withheld, because the name suggests a secret"
    return f"{cut(name, _LONG_NAME)} ({about}): {reason}"


def _attempt(page: Page, call: Callable[[], object], limit_s: float) -> None:
    try:
        error = attempt(call, limit_s)
    except TimeoutError:
        page.add(f"{page.doing} took longer than {limit_s:g} s and was given up")
        return
    if error:
        page.add(f"{page.doing} raised {failure(error)}")


def _write(name: str, value: Any, page: Page, rows: int) -> None:
    # This goes first, so that it is there whatever becomes of the rest.
    facts = ", ".join(fact for fact in (type_name(value), shape(value), size(value)) if fact)
    page.add(f"{cut(name, _LONG_NAME)}: {facts}")
    found = kind_of(value)
    classes = lineage(value)
    if is_definition(value):
        write_definition(value, page)
    elif found:
        kind, library = found
        _KNOWN[kind](value, page, rows, library)
    elif str in classes:
        _write_text(plain(value), page)
    elif bytes in classes or bytearray in classes:
        _write_bytes(value, page)
    elif is_container(value):
        _write_container(value, page)
    else:
        _write_repr(value, page)


def _write_text(text: str, page: Page) -> None:
    lines = len(text) and text.count("\n") + (text[-1] != "\n")
    if lines <= 1 and len(text) <= _ONE_LINE:
        page.append(f" = {element(text, 2 * _ONE_LINE)}")
        return
    page.append(f", {counted(lines, 'line')}:")
    page.add(head_and_tail(text, page.room))


def _write_bytes(value: Any, page: Page) -> None:
    cls: Any = bytes if bytes in lineage(value) else bytearray
    count = cls.__len__(value)
    if count <= _ONE_LINE:
        page.append(f" = {element(value, 5 * _ONE_LINE)}")
        return
    page.add(f"begins {element(value, page.room // 4)}")
    # Half of a secret may have no look of its own, so what is cut is seen with what is before it.
    end = head_and_tail(repr(bytes(cls.__getitem__(value, slice(-9000, None)))), 330)
    page.add(f"ends {end.rpartition('…')[2].strip()}")


def _write_container(value: Any, page: Page) -> None:
    sized = length(value)
    lines = page.written
    one_a_line = sized is None or dict in lineage(value)
    on_line = 0
    for shown, member in enumerate(members(value, 300)):
        if shown == _ITEMS or page.room < len(member) + 60:
            page.add(f"  … {sized[0] - shown:,} more" if sized else "  …")
            return
        if shown and not one_a_line and on_line + len(member) < _LINE:
            page.append(f", {member}")
            on_line += len(member) + 2
        else:
            page.add(f"  {member}")
            on_line = len(member)
    if page.written <= lines + 5:
        short = element(value, _LINE)
        if len(short) <= _LINE and "…" not in short:
            page.fold(lines, f" = {short}")


def _write_repr(value: object, page: Page) -> None:
    page.doing = "its repr"
    if type(value) is int:  # a large one
        page.append(f" = {element(value)}")
        return
    text = plain(repr(value))
    if "\n" not in text and len(text) <= _ONE_LINE:
        page.append(f" = {text}")
    else:
        page.add(cut(text, page.room))


def _write_figure(value: Any, page: Page, rows: int, _library: str) -> None:
    figure = figure_of(value)
    width, height = (round(float(side) * float(figure.dpi)) for side in figure.get_size_inches())
    page.add(f"figure of {width} × {height} pixels, {len(figure.axes)} axes")
    for axes in figure.axes[:rows]:
        parts = {
            "title": axes.get_title(),
            "x": axes.get_xlabel(),
            "y": axes.get_ylabel(),
        }
        told = ", ".join(f"{part} {element(text, 80)}" for part, text in parts.items() if text)
        if told:
            page.add(f"  {told}")


def _write_image(value: Any, page: Page, _rows: int, _library: str) -> None:
    page.add(f"image of {value.size[0]} × {value.size[1]} pixels, mode {value.mode}")


_KNOWN: dict[Kind, Callable[[Any, Page, int, str], None]] = {
    Kind.FRAME: write_frame,
    Kind.SERIES: write_series,
    Kind.ARRAY: lambda value, page, _rows, library: write_array(value, page, library),
    Kind.FIGURE: _write_figure,
    Kind.AXES: _write_figure,
    Kind.IMAGE: _write_image,
}


def _pictures(value: Any, page: Page) -> tuple[Picture, ...]:
    kind, _ = kind_of(value) or (None, "")
    page.doing = "drawing it"
    if kind in {Kind.FIGURE, Kind.AXES}:
        return (draw_figure(figure_of(value)),)
    if kind is Kind.IMAGE:
        return (fit_image(value),)
    draw = class_attribute(value, "_repr_png_")
    if not callable(draw):
        return ()
    drawn: list[Picture] = []

    def ask() -> None:
        data = draw(value)
        if data is not None:
            # With metadata it is a pair.
            drawn.append(fit_png(bytes(data[0] if isinstance(data, tuple) else data)))

    _attempt(page, ask, _DRAWING_S)
    return tuple(drawn)
