from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest

from claude_magic.notebook.permission import javascript

_SCRIPT = r"""
const found = {trim: [], split: []};
for (let code = 0; code <= 0x10ffff; code++) {
  const letter = String.fromCodePoint(code);
  if (letter.trim() === "") found.trim.push(code);
  if (("a" + letter + "b").split(/\s+/).length === 2) found.split.push(code);
}
console.log(JSON.stringify(found));
"""


@pytest.fixture(scope="module")
def node() -> dict[str, list[int]]:
    """Return the code points that JavaScript takes for white space."""
    command = [shutil.which("node") or "node", "-e", _SCRIPT]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    found: dict[str, list[int]] = json.loads(ran.stdout)
    return found


def test_texts_are_trimmed_as_in_javascript(node: dict[str, list[int]]) -> None:
    letters = map(chr, range(sys.maxunicode + 1))
    assert [ord(letter) for letter in letters if not javascript.trim(letter)] == node["trim"]


def test_texts_are_split_as_in_javascript(node: dict[str, list[int]]) -> None:
    letters = map(chr, range(sys.maxunicode + 1))
    found = [ord(each) for each in letters if len(javascript.words(f"a{each}b")) == 2]
    assert found == node["split"]


def test_what_only_one_language_takes_for_white_space_is_a_control(
    node: dict[str, list[int]],
) -> None:
    python = {code for code in range(sys.maxunicode + 1) if chr(code).isspace()}
    for code in python ^ set(node["split"]):
        assert javascript.has_controls(chr(code)), hex(code)


@pytest.mark.parametrize("text", ["", "*.py !x", "{a,b}", "caf\xe9*", "a\u3000b", "\xa0", "\u65e5"])
def test_ordinary_text_has_no_controls(text: str) -> None:
    assert not javascript.has_controls(text)


@pytest.mark.parametrize("code", [0, 9, 10, 0x1B, 0x1C, 0x7F, 0x85, 0x180E, 0x202E, 0x2028, 0xFEFF])
def test_controls_are_found(code: int) -> None:
    assert javascript.has_controls(f"a{chr(code)}b")
