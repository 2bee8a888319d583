"""What a turn looks like in JupyterLab, and that nothing of it runs there; with pictures of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from claude_magic.tape import Reply, Text, Thinking, ToolUse

if TYPE_CHECKING:
    from collections.abc import Callable

    from .conftest import Notebook

    OpenNotebook = Callable[..., Notebook]

#: So many frames of an answer of 50 kB over 10 s may take longer than this, in ms.
MOST_LONG_FRAMES = 5
FRAME_MS = 50

_WATCH_FRAMES = f"""
window.longFrames = [];
let last = performance.now();
const watch = now => {{
  if (now - last > {FRAME_MS}) window.longFrames.push(now - last);
  last = now;
  requestAnimationFrame(watch);
}};
requestAnimationFrame(watch);
"""

_OWN = "window.owned = true"

HOSTILE = f"""\
A script: <script>{_OWN}</script> <img src="x" onerror="{_OWN}"> <svg onload="{_OWN}"></svg>

<div onmouseover="{_OWN}">A block.</div>

[a]: /u "
```html
"
<img src="y" onerror="{_OWN}">
```

    <img src="z" onerror="{_OWN}">

[A link](javascript:window.owned=true), [another](java&Tab;script:window.owned=true), `<b x=1>`,
and $a <b$ with $\\href{{javascript:window.owned=true}}{{x}}$.

The end.
"""

ANSWER = """\
The file holds **one** line. In Python you would read it so:

```python
from pathlib import Path

# the whole text
print(Path("notes.txt").read_text())
```

| file | lines |
|:--|--:|
| `notes.txt` | 1 |
| `missing.txt` | none |
"""


def test_nothing_that_claude_writes_or_reads_can_run(
    open_notebook: OpenNotebook, scripted: Callable[..., str]
) -> None:
    load = scripted(
        Reply.of(Thinking(HOSTILE), ToolUse("Read", {"file_path": "hostile.md"})),
        Reply.of(HOSTILE),
    )
    written = f"open('hostile.md', 'w').write({HOSTILE!r});"
    notebook = open_notebook(load, written, "%%claude\nRead hostile.md.")
    notebook.run(0)
    notebook.run(1)
    notebook.run(2)
    output = notebook.output(2)
    output.get_by_text("The end.").last.wait_for()
    for summary in output.locator("summary").all():
        summary.click()
    # JupyterLab loads pictures and sets formulas after it has shown the text.
    output.locator("mjx-container").first.wait_for()
    notebook.page.wait_for_load_state("networkidle")
    assert notebook.page.evaluate("window.owned") is None
    assert output.locator("script, img, svg[onload], [onerror], [onmouseover]").count() == 0
    addresses = [
        str(link.get_attribute("href") or link.get_attribute("xlink:href"))
        for link in output.locator("a").all()
    ]
    assert not [address for address in addresses if "script" in address]
    assert output.get_by_text("A link").count() >= 1
    notebook.screenshot("hostile", output)


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_thinking_and_tools_are_lines_that_unfold(
    open_notebook: OpenNotebook, scripted: Callable[..., str], theme: str
) -> None:
    load = scripted(
        Reply.of(
            Thinking(
                "The person wants to know what is in the file, so I read it.\n\nThen I answer."
            ),
            "Let me look.",
            ToolUse("Read", {"file_path": "notes.txt"}),
            ToolUse("Read", {"file_path": "missing.txt"}),
            ToolUse("Grep", {"pattern": "quokka", "path": "notes.txt", "output_mode": "content"}),
        ),
        Reply.of(ANSWER),
    )
    written = "open('notes.txt', 'w').write('The <b>secret</b> word is quokka.\\n');"
    notebook = open_notebook(load, written, "%%claude\nWhat is in notes.txt?")
    notebook.command("apputils:change-theme", theme=f"JupyterLab {theme}")
    notebook.command("application:toggle-left-area")
    notebook.page.set_viewport_size({"width": 1000, "height": 1300})
    for cell in range(3):
        notebook.run(cell)
    notebook.wait_for_text(2, "The file holds")
    output = notebook.output(2)
    summaries = output.locator("summary")
    assert [text.split()[0] for text in summaries.all_inner_texts()] == ["Thought", "✓", "✗", "✓"]
    assert not output.get_by_text("<b>secret</b>").first.is_visible()
    notebook.screenshot(f"turn-folded-{theme.lower()}", notebook.cell(2))
    for summary in summaries.all():
        summary.click()
    assert output.get_by_text("<b>secret</b>").first.is_visible()
    notebook.screenshot(f"turn-unfolded-{theme.lower()}", notebook.cell(2))


def test_a_long_answer_leaves_the_page_free(
    open_notebook: OpenNotebook,
    scripted: Callable[..., str],
) -> None:
    section = "## Section {0}\n\n" + "The median of section {0} is its middle value. " * 24 + "\n\n"
    text = "".join(section.format(number) for number in range(43)) + "That is all."
    assert 47_000 < len(text) < 53_000
    chunks = tuple(text[start : start + 50] for start in range(0, len(text), 50))
    load = scripted(Reply((Text(text, chunks),), words_per_second=100))
    notebook = open_notebook(load, "%%claude\nTell me everything.")
    notebook.run(0)
    notebook.page.evaluate(_WATCH_FRAMES)
    notebook.start(1)
    notebook.output(1).get_by_text("That is all.").wait_for(state="attached")
    long_ms = notebook.page.evaluate("window.longFrames")
    print(f"frames above {FRAME_MS} ms: {sorted(map(round, long_ms))}")  # noqa: T201
    assert len(long_ms) <= MOST_LONG_FRAMES
