from __future__ import annotations

import collections
import dataclasses
import io
import json
import threading
from typing import TYPE_CHECKING, Any, NoReturn

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure
from PIL import Image

from claude_magic.masking import MASK, mask
from claude_magic.notebook.kernel.pictures import LARGEST, LONGEST_SIDE
from claude_magic.notebook.kernel.views import Summary, summary, view

if TYPE_CHECKING:
    from collections.abc import Iterator

    from claude_magic.notebook.kernel.pictures import Picture

SECRET = "hunter2-swordfish"
KEY = "sk-ant-api03-abcdefghijklmnopqrstuvwxyz"
mpl.use("Agg")


@dataclasses.dataclass
class User:
    name: str
    password: str
    hidden: str = dataclasses.field(default=SECRET, repr=False)


class Login(collections.namedtuple("Login", "name token")):  # noqa: PYI024 - the user's way
    __slots__ = ()


class Raises:
    """Raises from all that it is asked."""

    def __getattribute__(self, name: str) -> NoReturn:
        raise Deadly(name)

    def __repr__(self) -> NoReturn:
        raise Deadly("repr")

    def __len__(self) -> NoReturn:
        raise Deadly("len")

    def __hash__(self) -> NoReturn:
        raise Deadly("hash")

    def __eq__(self, other: object) -> NoReturn:
        raise Deadly("eq")

    def __bool__(self) -> NoReturn:
        raise Deadly("bool")


class Deadly(BaseException):
    """Caught by no ``except Exception``."""


class Lies:
    """Claims to be what it is not."""

    @property
    def __class__(self) -> Any:
        raise Deadly("class")

    @__class__.setter
    def __class__(self, value: object) -> None: ...


def strange() -> type:
    """Make a class that raises from all that it is asked itself."""

    class Meta(type):
        @property
        def __module__(cls) -> NoReturn:  # type: ignore[override]
            raise Deadly("module")

        def __getattribute__(cls, name: str) -> NoReturn:
            raise Deadly(name)

        def __instancecheck__(cls, instance: object) -> NoReturn:
            raise Deadly("instance")

    class Strange(metaclass=Meta): ...

    return Strange


def _made(cls: type) -> object:
    return object.__new__(cls)


def _array(*values: object) -> Any:
    array = np.empty(len(values), dtype=object)
    for number, value in enumerate(values):
        array[number] = value
    return array


class FalseFrame(pd.DataFrame):  # type: ignore[misc]  # pandas is untyped here
    @property
    def shape(self) -> NoReturn:
        raise Deadly("shape")


class BadList(list[int]):
    def __iter__(self) -> NoReturn:
        raise Deadly("iter")

    def __len__(self) -> NoReturn:
        raise Deadly("len")


class BadText(str):
    __slots__ = ()

    def __getitem__(self, key: object) -> NoReturn:
        raise Deadly("item")

    def __len__(self) -> NoReturn:
        raise Deadly("len")


class ReprIsBadText:
    def __repr__(self) -> str:
        return BadText("fine")


class RaisesOnError(Exception):
    def __str__(self) -> NoReturn:
        raise ValueError("str")


class RaisesThat:
    def __repr__(self) -> NoReturn:
        raise RaisesOnError


class Drawn:
    def __init__(self, drawn: Any) -> None:
        self.drawn = drawn

    def _repr_png_(self) -> Any:
        if isinstance(self.drawn, BaseException):
            raise self.drawn
        return self.drawn


class Says:
    def __init__(self, said: str) -> None:
        self.said = said

    def __repr__(self) -> str:
        return self.said


def png(width: int, height: int) -> bytes:
    encoded = io.BytesIO()
    Image.new("RGB", (width, height)).save(encoded, format="png")
    return encoded.getvalue()


def noise(width: int, height: int) -> Image.Image:
    numbers = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(numbers)


def opened(picture: Picture) -> Image.Image:
    assert picture.media_type == "image/png"
    assert len(picture.data) <= LARGEST
    image = Image.open(io.BytesIO(picture.data))
    image.load()
    assert image.format == "PNG"
    assert max(image.size) <= LONGEST_SIDE
    return image


def frame() -> pd.DataFrame:
    return pd.DataFrame(
        {"id": range(1000), "name": ["Ada", None] * 500, "password": [SECRET] * 1000},
    )


# Summaries ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, ("int", None, None)),
        (None, ("NoneType", None, None)),
        ([1, 2, 3], ("list", "3 items", None)),
        ({"a": 1}, ("dict", "1 item", None)),
        ("x" * 1200, ("str", "1,200 characters", None)),
        (b"abc", ("bytes", "3 bytes", None)),
        (np.zeros((1000, 12)), ("numpy.ndarray", "1000 × 12", "96.0 kB")),
        (np.zeros(5, dtype="int8"), ("numpy.ndarray", "5", "5 B")),
        (collections.deque([1]), ("collections.deque", "1 item", None)),
        (Image.new("L", (30, 20)), ("PIL.Image.Image", "30 × 20", None)),
        (BadList([1, 2]), (f"{__name__}.BadList", "2 items", None)),
    ],
)
def test_a_summary_tells_type_shape_and_size(
    value: object, expected: tuple[str, str | None, str | None]
) -> None:
    assert summary("x", value) == Summary("x", *expected)


def test_a_frame_is_summed_up_by_its_shape_and_memory() -> None:
    told = summary("df", frame())
    assert (told.type, told.shape) == ("pandas.DataFrame", "1000 × 3")
    assert told.size is not None
    assert told.size.endswith("kB")


def test_of_a_secret_a_summary_tells_only_about_how_long_it_is() -> None:
    assert summary("password", "1234567").shape == "1 to 15 characters"
    assert summary("password", "").shape == "empty"


# Hostile objects ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "make",
    [
        *(Raises, Lies, ReprIsBadText, RaisesThat, strange, lambda: Raises),
        *(lambda: BadList([1, 2]), lambda: BadText("hello"), lambda: FalseFrame({"a": [1]})),
        *(
            lambda: [Raises(), 1],
            lambda: {"a": Lies(), "b": _made(strange())},
            lambda: {1: RaisesThat()},
        ),
        lambda: _made(strange()),
        lambda: pd.DataFrame({"a": _array(Raises(), 1)}, dtype=object),
        lambda: pd.Series(_array(Lies(), _made(strange())), dtype=object),
        lambda: _array(Raises(), None),
        lambda: User(Raises(), Lies()),  # type: ignore[arg-type]
    ],
)
def test_nothing_that_an_object_does_makes_a_look_raise(make: Any) -> None:
    value = make()
    assert view("x", value).text.startswith("x: ")
    assert summary("x", value).type


def test_a_repr_that_raises_is_told() -> None:
    class Broken:
        def __repr__(self) -> str:
            raise ValueError(f"no row, password={SECRET}")

    assert "its repr raised ValueError: no row, password=•••" in view("x", Broken()).text
    listed = view("x", [Broken(), 42]).text
    assert "its repr raised ValueError" in listed
    assert "42" in listed


def test_a_repr_that_never_ends_is_given_up_and_what_was_seen_is_told() -> None:
    let_go = threading.Event()

    class Stuck:
        def __repr__(self) -> str:
            let_go.wait(60)
            return "late"

    try:
        assert "its repr took longer than 1 s and was given up" in view("x", Stuck()).text
        listed = view("x", ["before", Stuck()]).text
        assert "'before'" in listed
        assert "given up" in listed
    finally:
        let_go.set()


def test_an_interrupt_of_the_kernel_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> NoReturn:
        raise KeyboardInterrupt

    monkeypatch.setattr(Figure, "savefig", interrupted)
    with pytest.raises(KeyboardInterrupt):
        view("fig", Figure())


@pytest.mark.parametrize(
    "value",
    [
        *("x" * 10_000_000, b"x" * 1_000_000, list(range(100_000)), Says("y" * 10_000_000)),
        *({f"k{i}": "v" * 1000 for i in range(1000)}, 10**100_000, [[["x" * 500] * 50] * 50] * 50),
        pd.DataFrame(np.zeros((50, 200)), columns=[f"a long column name {i}" for i in range(200)]),
        pd.DataFrame({f"c{i}": ["z" * 5000] for i in range(30)}),
        pd.DataFrame(np.zeros((3, 5000))),
        np.zeros((3, 4, 5)),
        np.array(["w" * 1000] * 100),
        np,
        json,
        json.JSONEncoder,
    ],
    ids=lambda value: type(value).__name__,
)
@pytest.mark.parametrize("limit", [100, 1000, 4000])
def test_a_text_stays_within_its_limit(value: object, limit: int) -> None:
    text = view("x", value, limit_chars=limit).text
    assert 0 < len(text) <= limit


def test_what_was_left_out_is_counted() -> None:
    text = view("x", "begin " + "x" * 20_000 + " end").text
    assert "x: str, 20,010 characters" in text
    assert "characters left out" in text
    assert "begin xxx" in text
    assert text.endswith("xxx end")
    assert "more characters)" in view("x", Says("y" * 9000)).text
    assert "… 99,960 more" in view("x", list(range(100_000))).text


def test_no_text_can_steer_a_terminal() -> None:
    for value in ("a\x1b[31m" * 60, Says("\x1b[2J\u202e"), "lone \ud800\n" * 40):
        text = view("x", value).text
        assert all(character.isprintable() or character == "\n" for character in text)
        text.encode()


# Secrets -----------------------------------------------------------------------------------------


def _with_secrets() -> Iterator[Any]:
    table = frame()
    yield from (table, table.set_index("password"), table["password"], table.T)
    yield pd.Series({"user": "bob", "password": SECRET})
    yield pd.DataFrame({("login", "password"): [SECRET]})
    yield pd.DataFrame({"x": [{"token": SECRET}, User("Ada", SECRET)]})
    yield pd.DataFrame({"note": [f"see https://bob:{SECRET}@host/ for more of it"]})
    yield np.array([("bob", SECRET)], dtype=[("user", "U9"), ("password", "U40")])
    yield np.array([{"password": SECRET}], dtype=object)
    yield np.array([f"password={SECRET}"])
    yield from ({"password": SECRET}, {"a": [{"b": {"api_key": SECRET}}]}, {b"token": SECRET})
    yield [("password", SECRET), ["--password", SECRET]]
    yield {f"key {i}": {"password": SECRET} for i in range(100)}
    yield collections.OrderedDict(password=SECRET)
    yield from (User("Ada", SECRET), [User("Ada", SECRET)], Login("Ada", SECRET))
    yield from ({"frame": table}, [table["password"]], {"array": {"password": np.array([SECRET])}})
    yield Says(f"<Client password={SECRET!r}>")
    yield Says("x" * 3990 + f" password={SECRET}")
    yield from (f"password = {SECRET!r}", f"line\nAPI_KEY={SECRET}\n" * 100)
    yield from (f"password={SECRET}".encode(), b"x" * 5000 + f" password={SECRET}".encode())
    yield "x" * 20_000 + f" password={SECRET}"
    yield "-----BEGIN PRIVATE KEY-----\n" + f"{SECRET[:7]}swordfish\n" * 300

    def connect(password: str = SECRET) -> str:
        api_key = "hunter2-swordfish"
        return password + api_key

    yield connect
    figure = Figure()
    figure.add_subplot().set_title(f"token={SECRET}")
    yield figure


@pytest.mark.parametrize("value", list(_with_secrets()), ids=lambda value: type(value).__name__)
def test_a_planted_secret_does_not_come_out(value: object) -> None:
    for limit in (300, 4000):
        text = view("x", value, limit_chars=limit).text
        assert SECRET not in text
        assert "swordfish" not in text
        assert mask(text) == text


@pytest.mark.parametrize("value", [SECRET, {"a": SECRET}, User(SECRET, SECRET), np.array([SECRET])])
@pytest.mark.parametrize("name", ["password", "API_KEY", "githubToken"])
def test_a_variable_with_a_secret_name_is_not_shown(name: str, value: object) -> None:
    text = view(name, value).text
    assert "hunter2" not in text
    assert text.startswith(f"{name} (")
    assert "withheld, because the name suggests a secret" in text


def test_of_a_withheld_value_type_and_length_class_are_told() -> None:
    assert view("password", SECRET).text.startswith("password (str, 16 to 63 characters): value")


def test_a_key_is_masked_wherever_it_is_cut() -> None:
    for before in range(3900, 4010, 7):
        for value in ("x" * before + " " + KEY + " y" * 3000, Says("x" * before + " " + KEY)):
            assert "sk-ant" not in view("x", value).text


# What it looks like ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (42, "x: int = 42"),
        (None, "x: NoneType = None"),
        ("hello", "x: str, 5 characters = 'hello'"),
        ((1, "a"), "x: tuple, 2 items = (1, 'a')"),
        ([], "x: list, 0 items = []"),
        ({"a": [1, {2}]}, "x: dict, 1 item = {'a': [1, {2}]}"),
        (Login("Ada", "t"), f"x: {__name__}.Login, 2 items = Login(name='Ada', token={MASK})"),
        (10**2000, "x: int = <int of 6,644 bits>"),
        ("a\nb\n", "x: str, 4 characters, 2 lines:\na\nb\n"),
        (
            np.arange(6.0).reshape(2, 3),
            (
                "x: numpy.ndarray, 2 × 3, 48 B\n"
                "dtype float64, min 0, max 5, mean 2.5\n"
                "first row begins: 0, 1, 2"
            ),
        ),
        (
            np.array([1.0, np.nan]),
            "x: numpy.ndarray, 2, 16 B\ndtype float64, min 1, max 1, mean 1, 1 NaN\nvalues: 1, nan",
        ),
        (
            np.array([True, False]),
            "x: numpy.ndarray, 2, 2 B\ndtype bool, 1 of 2 True\nvalues: True, False",
        ),
        (
            np.array([np.nan]),
            "x: numpy.ndarray, 1, 8 B\ndtype float64, 1 NaN\nvalues: nan",
        ),
        (np.zeros((0, 3)), "x: numpy.ndarray, 0 × 3, 0 B\ndtype float64"),
        (np.array(3), "x: numpy.ndarray, 8 B\ndtype int64, min 3, max 3, mean 3\nvalue: 3"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_small_values_are_told_in_full(value: object, text: str) -> None:
    assert view("x", value).text == text


def test_a_frame_shows_its_columns_and_its_first_rows() -> None:
    lines = view("df", frame(), rows=3).text.splitlines()
    assert lines[0].startswith("df: pandas.DataFrame, 1000 × 3, ")
    assert [line.split() for line in lines[1:5]] == [
        ["columns:"],
        ["id", "int64"],
        ["name", str(frame()["name"].dtype), "500", "missing"],
        ["password", str(frame()["password"].dtype)],
    ]
    assert lines[5] == "first 3 of 1,000 rows:"
    assert lines[6].split() == ["id", "name", "password"]
    assert lines[7].split() == ["0", "0", "Ada", MASK]
    assert len(lines) == 10


def test_a_wide_frame_groups_its_columns_by_dtype() -> None:
    wide = pd.DataFrame(np.zeros((5, 200)), columns=[f"c{i}" for i in range(200)])
    wide["last"] = "text"
    text = view("df", wide).text
    assert "  float64 (200): c0, c1, c2" in text
    assert "(1): last" in text
    assert "columns:\n" in text
    assert "of 201 columns:" in text


def test_a_series_shows_its_index_and_values() -> None:
    series = pd.Series([1.5, None], index=["a", "b"], name="price")
    assert view("s", series).text.splitlines()[1:] == [
        "named price, dtype float64, 1 missing",
        f"index: (Index, {series.index.dtype})",
        "all values:",
        "  a  1.5",
        "  b  nan",
    ]


def test_polars_frames_are_looked_at_too() -> None:
    pl = pytest.importorskip("polars")
    table = pl.DataFrame({"a": [1, None], "secret": [SECRET] * 2, "s": [{"token": SECRET}] * 2})
    text = view("df", table).text
    assert text.startswith("df: polars.DataFrame, 2 × 3, ")
    assert "  a       Int64  1 missing" in text
    assert SECRET not in text
    assert view("s", table["a"]).text.endswith(
        "named a, dtype Int64, 1 missing\nall values:\n  1\n  None"
    )


def test_a_function_shows_its_signature_and_source() -> None:
    text = view("f", opened).text
    assert "signature: opened(picture: 'Picture') -> 'Image.Image'" in text
    assert "image.load()" in text
    assert "doc: Return the number of items in a container." in view("f", len).text
    assert "public names: " in view("m", json).text


def test_a_container_in_itself_is_no_trouble() -> None:
    own: list[object] = []
    own.append(own)
    assert view("x", own).text == "x: list, 1 item\n  [[[… 1 item]]]"


# Pictures ----------------------------------------------------------------------------------------


def test_a_figure_and_its_axes_give_a_picture() -> None:
    figure = Figure()
    axes = figure.add_subplot()
    axes.plot([1, 2, 3])
    axes.set_title("Sales")
    for value in (figure, axes, figure.subfigures()):
        seen = view("fig", value)
        assert "title 'Sales'" in seen.text or value not in {figure, axes}
        (picture,) = seen.pictures
        assert opened(picture).size[0] > 300


def test_a_large_figure_is_drawn_smaller() -> None:
    figure = Figure(figsize=(100, 50))
    figure.add_subplot().imshow(np.zeros((2, 2)))
    (picture,) = view("fig", figure).pictures
    opened(picture)


def test_a_figure_that_cannot_be_drawn_is_told() -> None:
    figure = Figure()
    figure.add_subplot().set_title("$\\nonsense{$")
    seen = view("fig", figure)
    assert "drawing it raised ValueError" in seen.text
    assert seen.pictures == ()


def test_a_large_image_is_made_smaller_in_pixels_and_in_bytes() -> None:
    (picture,) = view("x", noise(3000, 1500)).pictures
    width, height = opened(picture).size
    assert width == pytest.approx(2 * height, abs=2)
    assert width > 500


@pytest.mark.parametrize(
    "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "HSV", "I", "I;16", "F"]
)
def test_an_image_of_any_mode_gives_a_picture(mode: str) -> None:
    (picture,) = view("x", Image.new(mode, (1600, 20))).pictures
    assert opened(picture).size == (1568, 20)


def test_numbers_of_any_range_go_from_black_to_white() -> None:
    depths = Image.fromarray(np.array([[1000, 41000]], dtype=np.uint16))
    (picture,) = view("x", depths).pictures
    assert opened(picture).getextrema() == (0, 255)


def test_an_object_that_draws_itself_gives_a_picture() -> None:
    for drawn in (png(20, 10), (png(20, 10), {"width": 20})):
        (picture,) = view("x", Drawn(drawn)).pictures
        assert opened(picture).size == (20, 10)
    (picture,) = view("x", Drawn(png(2000, 1000))).pictures
    assert opened(picture).size == (1568, 784)


@pytest.mark.parametrize("drawn", [None, b"nonsense", 5, ValueError("no"), Deadly("no")])
def test_an_object_that_fails_to_draw_itself_gives_none(drawn: object) -> None:
    seen = view("x", Drawn(drawn))
    assert seen.pictures == ()
    assert ("drawing it raised" in seen.text) == (drawn is not None)
