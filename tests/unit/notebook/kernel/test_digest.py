from __future__ import annotations

import gc
import json
import time
import weakref
from typing import Any, NoReturn

import numpy as np
import pandas as pd
import pytest

from claude_magic.notebook.kernel.digest import LIMIT_BYTES, Digest

SECRET = "hunter2-swordfish"


class Thing: ...


def test_it_tells_what_is_new_changed_and_gone() -> None:
    digest = Digest()
    names: dict[str, object] = {"df": pd.DataFrame({"a": [1, 2]}), "n": 5, "items": [1]}
    assert digest.update(names) == (
        "New variables: items (list, 1 item), n (int), df (pandas.DataFrame, 2 × 1)"
    )
    names |= {"df": "text", "thing": Thing(), "n": 6}
    del names["items"]
    assert digest.update(names) == (
        f"New variables: thing ({__name__}.Thing)\n"
        "Changed: df (str, 4 characters; was pandas.DataFrame, 2 × 1), n (int; another object)\n"
        "Gone: items"
    )


def test_nothing_new_is_an_empty_text() -> None:
    digest = Digest()
    names = {"x": 5, "thing": Thing(), "array": np.zeros(3)}
    assert digest.update(names)
    assert digest.update(names) == ""
    assert Digest().update({}) == ""


def test_a_list_that_grew_in_place_changed() -> None:
    digest = Digest()
    items = [1]
    digest.update({"items": items})
    items.append(2)
    assert digest.update({"items": items}) == "Changed: items (list, 2 items; was 1 item)"


def test_another_object_at_the_same_address_is_another_object() -> None:
    digest = Digest()
    for _ in range(5):  # CPython soon gives the freed address again
        assert "thing" in digest.update({"thing": Thing()})


def test_what_is_not_the_users_data_is_left_out() -> None:
    names: dict[str, Any] = {
        "_": 1,
        "_i1": "x",
        "In": [],
        "Out": {},
        "exit": Thing(),
        "quit": Thing(),
        "get_ipython": Thing(),
        "json": json,
        "f": lambda: 1,
        "len": len,
        "method": Digest().update,
        "mine": 1,
        "hidden": 2,
    }
    assert Digest(hidden={"hidden"}).update(names) == "New variables: mine (int)"


def test_it_keeps_no_object_alive() -> None:
    digest = Digest()
    thing, array = Thing(), np.zeros(3)
    gone: list[weakref.ref[Any]] = [weakref.ref(thing), weakref.ref(array)]
    digest.update({"thing": thing, "array": array, "kept": [thing]})
    del thing, array
    gc.collect()
    assert [ref() for ref in gone] == [None, None]


def test_no_value_and_no_secret_is_told() -> None:
    names = {
        "password": SECRET,
        "table": pd.DataFrame({"password": [SECRET]}),
        "config": {"password": SECRET},
        "text": SECRET,
        "array": np.array([SECRET]),
        "sk_live_abcdefghijklmnopqrstuvwx": 1,
    }
    text = Digest().update(names)
    assert "hunter2" not in text
    assert "password (str, 16 to 63 characters)" in text
    assert "sk_live" not in text


@pytest.mark.parametrize("letter", ["x", "é", "名"])
@pytest.mark.parametrize("length", [1, 20, 300])
def test_it_stays_within_its_limit_and_counts_the_rest(letter: str, length: int) -> None:
    digest = Digest()
    names = {f"{letter * length}{i}": i for i in range(1000)}
    text = digest.update(names)
    assert len(text.encode()) <= LIMIT_BYTES
    (shown,) = text.splitlines()
    listed = shown.count("(int)")
    assert listed >= 3
    assert shown.endswith(f", {1000 - listed} more")
    changed = digest.update({**{name: str(i) for name, i in names.items()}, "last": 1})
    assert len(changed.encode()) <= LIMIT_BYTES
    gone = digest.update({"other": 1})
    assert len(gone.encode()) <= LIMIT_BYTES
    assert "New variables: other (int)" in gone


def test_what_fits_nowhere_is_counted_for_each_kind_of_change() -> None:
    digest = Digest()
    digest.update({f"old{i}": i for i in range(50)} | {f"same{i}": i for i in range(50)})
    names = {f"a_rather_long_name_{i}": i for i in range(100)} | {f"same{i}": "" for i in range(50)}
    new, changed, gone = digest.update(names).splitlines()
    assert new.endswith("more")
    assert (changed, gone) == ("Changed: 50", "Gone: 50")


class Hostile:
    def __getattribute__(self, name: str) -> NoReturn:
        raise ValueError(name)

    def __len__(self) -> int:
        raise ValueError

    def __eq__(self, other: object) -> bool:
        raise ValueError

    def __hash__(self) -> int:
        raise ValueError


def test_hostile_objects_are_only_named() -> None:
    digest = Digest()
    names: dict[Any, object] = {"x": Hostile(), 5: "not a name"}
    assert digest.update(names) == f"New variables: x ({__name__}.Hostile)"
    assert digest.update(names) == ""


def test_a_thousand_variables_take_a_few_milliseconds() -> None:
    kinds = [5, "text", [1], {"a": 1}, np.zeros(3), Thing(), pd.DataFrame({"a": [1]}), 2.5]
    names = {f"v{i}": kinds[i % len(kinds)] for i in range(1000)}
    digest = Digest()
    digest.update(names)

    def seconds() -> float:
        begun = time.process_time()
        assert digest.update(names) == ""
        return time.process_time() - begun

    # About 3 ms where this was written; the bound leaves room for a busy machine.
    assert min(seconds() for _ in range(5)) < 0.025
