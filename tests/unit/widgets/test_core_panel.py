"""The panel for front ends without our extension, made of ipywidgets' own widgets."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ipywidgets import HTML

from claude_magic.session import Caller, SessionOptions, SessionRegistry, SessionState
from claude_magic.widgets import CorePanel, status_panel

if TYPE_CHECKING:
    from collections.abc import Iterator

MARKUP = "<img src=x onerror=alert(1)> $\\unicode{65}$"

TYPESCRIPT = Path(__file__).parents[3] / "labextension" / "src" / "panel.ts"


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[SessionRegistry]:
    sessions = SessionRegistry(SessionOptions(cwd=tmp_path))
    yield sessions
    sessions.close()


@pytest.fixture
def panel(sessions: SessionRegistry) -> Iterator[CorePanel]:
    panel = CorePanel(sessions)
    yield panel
    panel.close()


def _all(widget: Any) -> list[Any]:
    return [widget, *(each for child in getattr(widget, "children", ()) for each in _all(child))]


def _button(panel: CorePanel, label: str) -> Any:
    (found,) = [each for each in _all(panel) if label in getattr(each, "description", "")]
    return found


def test_it_is_made_of_widgets_that_every_front_end_knows(panel: CorePanel) -> None:
    states = [each.get_state(["_view_module", "_view_name"]) for each in _all(panel)]
    assert {state["_view_module"] for state in states} == {"@jupyter-widgets/controls"}
    # These would have model text typeset as math.
    assert not {state["_view_name"] for state in states} & {"LabelView", "HTMLMathView"}


def test_a_saved_notebook_keeps_the_status_as_text(panel: CorePanel) -> None:
    bundle = panel._repr_mimebundle_()
    assert bundle is not None
    assert bundle["text/plain"].startswith("Claude Code  new:")
    assert "application/vnd.jupyter.widget-view+json" in bundle


def test_what_others_wrote_is_escaped() -> None:
    sessions = SessionRegistry(SessionOptions(label=MARKUP), caller=lambda _: Caller())
    panel = CorePanel(sessions)
    rules = _button(panel, "Allowed")
    offered = threading.Event()
    rules.observe(lambda _: offered.set(), "options")
    sessions.main.session.tell_granted([MARKUP])
    assert offered.wait(60)
    # The loop thread is in the middle of it.
    panel.look_at("main")
    rules.value = MARKUP
    pages = [each.value for each in _all(panel) if isinstance(each, HTML)]
    assert "&lt;img" in pages[0]
    assert "decides" in pages[-1]
    assert not any("<img" in page for page in pages)
    panel.close()
    sessions.close()


def test_buttons_and_lists_act_on_the_session_and_follow_it(
    panel: CorePanel, sessions: SessionRegistry
) -> None:
    assert _button(panel, "Stop").disabled
    assert not _button(panel, "Connect").disabled
    _button(panel, "Permissions").value = "plan"
    assert sessions.main.session.chosen.permission_mode == "plan"
    before = sessions.main.status.session_id
    _button(panel, "Reset").click()
    assert sessions.main.status.session_id == before
    _button(panel, "Really?").click()
    assert sessions.main.status.session_id != before
    sessions.get("aside")
    panel.look_at("main")
    session = _button(panel, "Session")
    assert session.options == (("main · new", "main"), ("aside · new", "aside"))
    session.value = "aside"
    _button(panel, "Effort").value = "low"
    assert sessions.get("aside").session.chosen.effort == "low"
    assert sessions.main.session.chosen.effort is None
    sessions.end("aside")
    panel.look_at("main")
    assert session.options == (("main · new", "main"),)
    panel.close()
    panel.close()
    assert sessions.main.status.state is SessionState.NEW


def test_the_extension_registers_the_panel_under_the_name_that_the_kernel_uses() -> None:
    told = dict(re.findall(r"^const (\w+) = '(.+)';$", TYPESCRIPT.read_text(), re.MULTILINE))
    assert told == {
        "MODULE": status_panel.MODULE,
        "MODULE_VERSION": status_panel.MODULE_VERSION,
    }


def test_nobody_can_publish_a_module_of_the_panels_name() -> None:
    # Front ends fetch modules that they do not know from npm's mirrors; npm refuses such names.
    assert re.match(r"[._]", status_panel.MODULE)
