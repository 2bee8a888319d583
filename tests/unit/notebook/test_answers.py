from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel

from claude_magic.errors import AnswerError, UsageError
from claude_magic.notebook.answers import (
    CodeBlock,
    Form,
    Schema,
    code_blocks,
    find_schema,
    value_of,
)
from claude_magic.session import TurnFinished, Usage

ANSWER = """Here it is:

```python
x = 1

print("```")
```

and in a list

- first

  ~~~SQL title="q"
  select 1
  ~~~

```
plain
"""


class City(BaseModel):
    name: str
    people: int


class Tree(BaseModel):
    name: str
    branches: list[Tree] = []


@dataclass
class Point:
    x: float
    y: float


def _finished(structured: Any, text: str = "{}") -> TurnFinished:
    return TurnFinished(text, Usage(), 0.0, 0.1, "m", "s", structured=structured)


def test_the_code_of_an_answer_is_found() -> None:
    assert code_blocks(ANSWER) == [
        CodeBlock("python", 'x = 1\n\nprint("```")\n'),
        CodeBlock("sql", "select 1\n"),
        CodeBlock("", "plain\n"),
    ]


@pytest.mark.parametrize(
    ("form", "text", "value"),
    [
        (Form.TEXT, "**a**", "**a**"),
        (Form.MARKDOWN, "**a**", "**a**"),
        (Form.CODE, "First\n```python\nx = 1\n```\nthen\n```\ny = 2\n```\n", "x = 1\ny = 2"),
        (Form.CODE, "x = 1\n", "x = 1"),
        (Form.JSON, "[1, 2]", [1, 2]),
        (Form.JSON, 'It is:\n```json\n{"a": null}\n```', {"a": None}),
        (Form.JSON, "```\n3\n```", 3),
    ],
)
def test_an_answer_becomes_a_value(form: Form, text: str, value: object) -> None:
    assert value_of(form, text) == value


@pytest.mark.parametrize("text", ["", "not JSON", "```python\n{}\n```", "{'a': 1}", "[" * 100_000])
def test_what_is_no_json_is_told_and_kept(text: str) -> None:
    with pytest.raises(AnswerError, match="no JSON") as caught:
        value_of(Form.JSON, text)
    assert caught.value.partial_text == text


@pytest.mark.parametrize(
    ("name", "structured", "value"),
    [
        ("City", {"name": "Oslo", "people": 700_000}, City(name="Oslo", people=700_000)),
        ("Point", {"x": 1, "y": 2.5}, Point(1.0, 2.5)),
        ("a_point", {"x": 1, "y": 2.5}, Point(1.0, 2.5)),
        (
            "Tree",
            {"name": "a", "branches": [{"name": "b"}]},
            Tree(name="a", branches=[Tree(name="b")]),
        ),
        ("plain", {"a": 1}, {"a": 1}),
    ],
)
def test_an_answer_becomes_an_object(name: str, structured: Any, value: object) -> None:
    plain = {"type": "object", "properties": {"a": {"type": "integer"}}}
    namespace = {
        "City": City,
        "Tree": Tree,
        "Point": Point,
        "a_point": Point(0.0, 0.0),
        "plain": plain,
    }
    schema = find_schema(name, namespace)
    assert schema.json_schema["type"] == "object"
    assert schema.value_of(_finished(structured)) == value


def test_an_answer_that_is_not_of_the_schema_is_told() -> None:
    with pytest.raises(AnswerError, match="people"):
        Schema(City).value_of(_finished({"name": "Oslo"}))
    with pytest.raises(AnswerError, match="does not meet the schema"):
        Schema(City).value_of(_finished(None))


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nothing", "no variable 'nothing'"),
        ("number", "is no schema"),
        ("text", "no schema"),
        ("odd", "no JSON"),
    ],
)
def test_what_is_no_schema_is_refused(name: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        find_schema(name, {"number": 3, "text": str, "odd": {"type": object()}})
