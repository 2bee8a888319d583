"""No line and no body of a magic breaks the kernel, or is sent other than as it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from support.kernel import Kernel

#: A turn takes 0.1 s.
_FEW = settings(
    max_examples=60,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)

# What a front end can send: no half of a surrogate pair, and no NUL, which no cell can hold.
_TEXTS = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"),
    min_size=1,
    max_size=200,
)
_PIECES = [
    *("{x}", "$y", "?", "!ls", "%time", "%%bash", "@name", ">>> ", "In [1]:", "\\", '"""', "#"),
    *("/usage", "-o", "--", "'", "\t", "\n", " ", "…", "<b>", "```", "\r", "\u2028"),
]
_CODE = st.lists(st.sampled_from(_PIECES), min_size=1, max_size=12).map("".join)


def _prompt(api: Any) -> str:
    content = api.requests[-1].messages
    *_, last = [turn["content"] for turn in content if turn["role"] == "user"]
    if isinstance(last, str):
        return last
    texts = [block["text"] for block in last if "<system-reminder>" not in block["text"]]
    return "".join(texts)


@_FEW
@given(_TEXTS | _CODE)
@example("x?\n")
@example("  indented\n\n\tand more  ")
@example("line\r\nline")
def test_a_body_is_sent_as_it_is_written(kernel: Kernel, kernel_api: Any, body: str) -> None:
    kernel.run("%claude_reset")
    asked = len(kernel_api.requests)
    ran = kernel.run(f"%%claude --no-context\n{body}")
    if not body.strip():
        assert "The prompt is empty" in ran.stdout
        assert len(kernel_api.requests) == asked
        return
    assert ran.status == "ok", ran.error
    assert _prompt(kernel_api) == body.strip("\n")


@_FEW
@given(_TEXTS | _CODE)
def test_no_line_breaks_the_kernel(kernel: Kernel, kernel_api: Any, line: str) -> None:
    asked = len(kernel_api.requests)
    ran = kernel.run(f"%%claude {line}\nHello.")
    assert ran.status in {"ok", "error"}
    # A line that is no option is an error of usage, and nothing is sent.
    assert len(kernel_api.requests) == asked or ran.status == "ok"
    assert kernel.run("print(1 + 1)").stdout == "2\n"
