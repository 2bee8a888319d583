"""An answer as a value: text, code, JSON, or an object of the user's own type."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from dataclasses import dataclass, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from claude_magic.errors import AnswerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from claude_magic.session import TurnFinished


class Form(Enum):
    """What an answer is turned into."""

    TEXT = "text"
    MARKDOWN = "markdown"
    CODE = "code"
    JSON = "json"


#: What Claude is told of the form, behind the prompt.
WISHES = {
    Form.TEXT: "Answer in plain text without Markdown: the answer becomes the value of a variable.",
    Form.CODE: "Answer with one block of code that can run as it is; anything else is left out.",
    Form.JSON: "Answer with one JSON value and nothing else: it is parsed.",
}


@dataclass(frozen=True, slots=True)
class CodeBlock:
    """A fenced block of code in an answer.

    Attributes
    ----------
    language
        What the fence names; empty where it names none.
    source
        The code, without the fence.
    """

    language: str
    source: str


def code_blocks(text: str) -> list[CodeBlock]:
    """Return the fenced blocks of an answer in their order; one that is not closed ends with it."""
    from markdown_it import MarkdownIt  # noqa: PLC0415 - takes 30 ms

    return [
        CodeBlock(
            token.info.split(maxsplit=1)[0].lower() if token.info.strip() else "", token.content
        )
        for token in MarkdownIt().parse(text)
        if token.type == "fence"
    ]


def fenced(code: str, language: str) -> str:
    """Return code as a block in Markdown that nothing in it can end."""
    runs = re.findall(r"`{3,}", code)
    fence = "`" * max([3, *(len(run) + 1 for run in runs)])
    return f"{fence}{language}\n{code.rstrip()}\n{fence}"


@dataclass(frozen=True, slots=True)
class Schema:
    """What every answer of a turn must look like.

    Parameters
    ----------
    wanted
        A pydantic model, a dataclass, another type that pydantic can read, or a JSON schema.

    Raises
    ------
    UsageError
        If no JSON schema can be made of it.
    """

    wanted: Any

    @property
    def json_schema(self) -> Mapping[str, Any]:
        """The JSON schema that Claude Code holds the answer to."""
        if isinstance(self.wanted, dict):
            try:
                json.dumps(self.wanted)
            except (TypeError, ValueError, RecursionError) as error:
                raise UsageError(f"The dict is no JSON schema: {error}.") from None
            return self.wanted
        from pydantic import PydanticUserError, TypeAdapter  # noqa: PLC0415 - takes 0.1 s
        from pydantic.errors import PydanticInvalidForJsonSchema  # noqa: PLC0415

        try:
            schema = TypeAdapter(self.wanted).json_schema()
        except (PydanticUserError, PydanticInvalidForJsonSchema, TypeError) as error:
            raise UsageError(
                f"{self.wanted!r} is no schema; give a pydantic model, a dataclass or a dict that "
                f"is a JSON schema: {str(error).splitlines()[0]}",
            ) from None
        # That of a type that holds itself stands among its definitions.
        inner = schema.get("$defs", {}).get(schema.get("$ref", "").removeprefix("#/$defs/"))
        if inner is not None:
            schema = {**inner, "$defs": schema["$defs"]}
        if schema.get("type") != "object":
            raise UsageError(f"{self.wanted!r} is no schema of an object; wrap it in a dataclass.")
        return schema

    def value_of(self, finished: TurnFinished) -> Any:
        """Return an answer as what was wanted.

        Raises
        ------
        AnswerError
            If it is not.
        """
        if finished.structured is None:
            raise AnswerError("The answer does not meet the schema.", finished.text)
        if isinstance(self.wanted, dict):
            return finished.structured
        from pydantic import TypeAdapter, ValidationError  # noqa: PLC0415

        try:
            return TypeAdapter(self.wanted).validate_python(finished.structured)
        except ValidationError as error:
            raise AnswerError(
                f"The answer is not what was asked for: {error}.", finished.text
            ) from None


def find_schema(name: str, namespace: Mapping[str, Any]) -> Schema:
    """Return the schema that a variable holds.

    Raises
    ------
    UsageError
        If there is no such variable, or it is no schema.
    """
    if name not in namespace:
        raise UsageError(f"There is no variable {name!r}; define the schema first, then ask.")
    wanted = namespace[name]
    if not isinstance(wanted, (dict, type)) and is_dataclass(wanted):
        wanted = type(wanted)
    schema = Schema(wanted)
    _ = schema.json_schema  # an impossible one is found before anything is sent
    return schema


def value_of(form: Form, text: str) -> Any:
    """Return an answer in a form.

    Raises
    ------
    AnswerError
        If it holds no such thing.
    """
    match form:
        case Form.TEXT | Form.MARKDOWN:
            return text
        case Form.CODE:
            blocks = code_blocks(text)
            code = "".join(block.source for block in blocks) if blocks else text
            return code.strip("\n")
        case Form.JSON:
            return _json(text)


def _json(text: str) -> Any:
    fenced = [block.source for block in code_blocks(text) if block.language in {"", "json"}]
    for candidate in (text, *fenced):
        # What is nested too deeply is a RecursionError.
        with suppress(ValueError, RecursionError):
            return json.loads(candidate)
    raise AnswerError("The answer is no JSON.", text)
