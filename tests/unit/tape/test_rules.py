from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from claude_magic.masking import MASK
from claude_magic.tape import OtherBlock, Reply, Thinking, ToolUse
from claude_magic.tape.places import Places
from claude_magic.tape.rules import KINDS, Rules
from claude_magic.tape.scrubbing import Scrubbing

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("made at 2026-11-24 16:38:29", "made at 2027-01-01T00:00:00.123Z"),
        ("Tue Nov 24 16:38:29 UTC 2026", "Wed Jan  1 01:02:03 CET 2027"),
        ("at 16:38:29", "at 9:00:01"),
        ("4096 Nov 28 03:41 a.csv", "4096 Jan  2 23:05 a.csv"),
        (
            "Output too large (107.7KB). Full output saved to: «temp»/my own/bzqk06x2k.txt\n\n1",
            "Output too large (107.7KB). Full output saved to: /x/be5qlq7at.txt\n\n1",
        ),
        (
            "it exceeded the 64MB persist limit; only the first 64MB were saved to: /x/bzqk06x2k",
            "it exceeded the 64MB persist limit; only the first 64MB were saved to: /x/be5qlq7at",
        ),
        ("[3] ok, 0.1 s", "[3] ok, 12.5 s"),
        ("1.2 µs ± 3 ns per loop", "41 µs ± 12.5 ns per loop"),
        ("<Figure at 0x7fe5558a35d0>", "<Figure at 0x7fe555841000>"),
        ("http://127.0.0.1:8888/x", "http://127.0.0.1:43121/x"),
        ("toolu_0123456789ab", "toolu_ba9876543210"),
        ("1b671a64-40d5-491e-99b0-da01ff1f3341", "00000000-40d5-491e-99b0-da01ff1f3341"),
        ("pid 12", "pid 4711"),
        ('File "/usr/lib/python3.11/site-packages/x.py"', 'File "/opt/conda/lib/x.py"'),
        ("«temp»/tmpab12/a.csv", "«temp»/tmpxy98/deep/a.csv"),
        (r"C:\Users\ada\a.csv", r"D:\work\a.csv"),
    ],
)
def test_what_differs_from_run_to_run_is_not_compared(one: str, other: str) -> None:
    assert Rules().result(one) == Rules().result(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("118.0", "120.0"),
        ("2020-01-01  5", "2021-01-01  5"),
        ("«folder»/a.csv", "«folder»/b.csv"),
        ("/etc/hosts", "/etc/passwd"),
        ("see https://host/a/b", "see https://host/c/b"),
        ("12 cells", "13 cells"),
        ("Nov 28  2025 a.csv", "Nov 29  2025 a.csv"),
        ("figure saved to: a.png", "figure saved to: b.png"),
        ("d41d8cd98f00b204e9800998ecf8427e", "00000cd98f00b204e9800998ecf8427e"),
    ],
)
def test_what_a_person_wants_to_see_is_compared(one: str, other: str) -> None:
    assert Rules().result(one) != Rules().result(other)


def test_a_tape_may_keep_a_kind_and_ignore_more() -> None:
    rules = Rules(frozenset({"times"}), {"run": re.compile(r"run-\d+")})
    assert rules.result("run-12 took 3 s at 0x7fe5558a35d0") == "«run» took 3 s at «address»"
    assert rules.prompt("Look  at\nrun-12.") == "Look at «run»."


@given(st.text(st.sampled_from("/«».:0x a1fsT-Zpid_home\n\\C"), max_size=60))
def test_twice_is_as_good_as_once(text: str) -> None:
    for keep in (frozenset[str](), frozenset(KINDS[:2])):
        once = Rules(keep).result(text)
        assert Rules(keep).result(once) == once


def test_folders_have_names_on_a_tape_and_are_found_again(tmp_path: Path) -> None:
    folder = tmp_path / "notebooks"
    folder.mkdir()
    places = Places(folder)
    text = f"{folder}/data/a.csv, {folder}-old/b, {folder}"
    named = places.named(text)
    assert named.startswith("«folder»/data/a.csv, «temp»/")
    assert named.endswith("/notebooks-old/b, «folder»")
    assert places.here(named) == text


def test_a_tape_plays_in_another_folder(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()

    def reply(folder: str) -> Reply:
        given = {"file_path": f"{folder}/a.csv", "deep": [{"path": folder}], "limit": 3}
        search = OtherBlock({"type": "search", "in": folder})
        return Reply.of(Thinking(f"In {folder}?"), f"In {folder}.", ToolUse("Read", given), search)

    recorded = Scrubbing(Places(tmp_path / "one")).reply(reply(f"{tmp_path}/one"))
    assert recorded == reply("«folder»")
    played = Scrubbing(Places(tmp_path / "two")).reply_here(recorded)
    assert played == reply(f"{tmp_path}/two")


@pytest.mark.promise("A recorded tape holds no secret.", against="sender")
def test_no_secret_stands_on_a_tape(tmp_path: Path) -> None:
    scrubbing = Scrubbing(Places(tmp_path))
    scrubbing.hide("gateway-token")
    scrubbing.hide("short")
    assert scrubbing.text("gateway-token sk-ant-api03-abcdefgh short") == f"{MASK} {MASK} short"


def test_nobodys_home_stands_on_a_tape(tmp_path: Path) -> None:
    places = Places(tmp_path)
    assert places.named("/home/eve/x and /Users/eve.m/y") == "«home»/x and «home»/y"
    assert places.named(r"C:\Users\eve\z") == r"«home»\z"
    assert places.named("https://host/home/eve") == "https://host/home/eve"
