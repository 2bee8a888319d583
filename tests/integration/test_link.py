"""What the JupyterLab extension asks of a real kernel, and is told."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from support.front_end import FrontEndWithExtension, told_by

from claude_magic import __version__
from claude_magic.notebook.wire import TARGET
from claude_magic.tape import Hold, Reply, ToolUse
from claude_magic.widgets.status_panel import MODULE

if TYPE_CHECKING:
    from collections.abc import Callable

    from support.kernel import Kernel


@pytest.fixture
def front_end(kernel: Kernel) -> FrontEndWithExtension:
    return FrontEndWithExtension(kernel)


def _is(state: str, session: str = "main") -> Callable[[dict[str, Any]], bool]:
    """Return what knows a message that tells a state."""

    def matches(told: dict[str, Any]) -> bool:
        views = told.get("state", {}).get("sessions", [])
        return any(view["name"] == session and view["state"] == state for view in views)

    return matches


def test_a_page_that_is_loaded_finds_the_kernel_and_hears_how_it_stands(
    front_end: FrontEndWithExtension,
) -> None:
    hello = front_end.hello()
    assert hello["status"] == "ok"
    assert hello["version"] == __version__
    assert front_end.comms == [hello["comm"]]
    (view,) = hello["state"]["sessions"]
    assert (view["name"], view["turns"], hello["state"]["current"]) == ("main", 0, "main")


def test_conversations_are_steered_and_their_changes_are_told_without_a_cell(
    front_end: FrontEndWithExtension,
) -> None:
    for do, state in [("connect", "ready"), ("disconnect", "parked"), ("reset", "new")]:
        assert front_end.request(do, session="main") == {"status": "ok"}
        front_end.hear(_is(state))
    reply = front_end.request("reset", session="nobody")
    assert reply["status"] == "error"
    assert "There is no conversation 'nobody'" in reply["reason"]


def test_an_answer_is_stopped_while_its_cell_is_running(
    kernel: Kernel, kernel_api: Any, front_end: FrontEndWithExtension
) -> None:
    gate = threading.Event()
    kernel_api.replies.append(Reply.of("Once ", Hold(gate), "more."))
    request = kernel.start("%%claude\nA story.")

    def stop(message: dict[str, Any]) -> None:
        told = told_by(message)
        if told is not None and _is("busy")(told):
            front_end.request("stop", session="main")

    ran = kernel.finish(request, stop)
    gate.set()
    assert ran.error_name == "TurnInterruptedError"


def test_stopping_what_does_nothing_is_nothing(front_end: FrontEndWithExtension) -> None:
    assert front_end.request("stop", session="main") == {"status": "ok"}
    assert front_end.request("connect", session="main") == {"status": "ok"}
    front_end.hear(_is("ready"))


def test_nothing_is_told_while_nothing_changes(kernel: Kernel) -> None:
    kernel.run("1")
    ran = kernel.run("2")
    assert not [message for message in ran.messages if told_by(message)]


def test_a_new_conversation_is_told_and_can_be_switched_to(
    kernel: Kernel, front_end: FrontEndWithExtension
) -> None:
    kernel.run("%%claude -s other\nHello.")
    assert front_end.request("switch", session="other") == {"status": "ok"}
    state = front_end.hello()["state"]
    assert [view["name"] for view in state["sessions"]] == ["main", "other"]
    assert state["current"] == "other"
    kernel.run("%claude_reset other")
    state = front_end.hello()["state"]
    assert [view["name"] for view in state["sessions"]] == ["main"]
    assert state["current"] == "main"


def test_names_are_completed_while_a_cell_is_running(
    kernel: Kernel, front_end: FrontEndWithExtension
) -> None:
    kernel.run("rain, rate, _rare = 1, 2, 3")
    request = kernel.start("input()")
    kernel.client.get_stdin_msg(timeout=30)
    assert front_end.request("complete", text="@ra")["names"] == ["rain", "rate"]
    kernel.client.input("")
    kernel.finish(request)


def _propose(*cells: dict[str, Any]) -> list[Reply]:
    return [
        Reply.of(ToolUse("mcp__kernel__propose_cells", {"cells": list(cells)})),
        Reply.of("There."),
    ]


MARKDOWN = {"kind": "markdown", "source": "# First"}
CODE = {"kind": "code", "source": "total = 1"}


def test_proposed_cells_go_to_the_first_page_that_takes_them_and_the_refused_are_known(
    kernel_api: Any, front_end: FrontEndWithExtension
) -> None:
    front_end.hello()
    kernel_api.replies += _propose(MARKDOWN, CODE)
    taken = []

    def take(message: dict[str, Any]) -> None:
        told = told_by(message)
        if told is not None and told["told"] == "cells":
            first = front_end.request("take", proposal=told["proposal"])
            second = front_end.request("take", proposal=told["proposal"])
            taken.append((told, first["status"], second["status"]))

    ran = front_end.run("%%claude\nGo.", "a-cell", take)
    ((told, first, second),) = taken
    assert (told["below"], first, second) == ("a-cell", "ok", "error")
    assert [cell["source"] for cell in told["cells"]] == ["# First", "total = 1"]
    assert ran.payload == []
    assert "Proposed markdown cell" not in "".join(ran.markdown)

    front_end.request("settle", proposal=told["proposal"], cell=1, accepted=False)
    front_end.run("%%claude\nAnd?", "another-cell")
    assert "`total = 1`: refused" in str(kernel_api.requests[-1].body)


def test_cells_that_no_page_takes_are_inserted_as_without_the_extension(
    kernel_api: Any, front_end: FrontEndWithExtension
) -> None:
    front_end.hello()
    kernel_api.replies += _propose(MARKDOWN, CODE)
    told = []
    ran = front_end.run("%%claude\nGo.", "a-cell", lambda message: told.append(told_by(message)))
    assert [item["text"] for item in ran.payload] == ["total = 1"]
    (proposal,) = [each["proposal"] for each in told if each and each["told"] == "cells"]
    assert front_end.request("take", proposal=proposal)["status"] == "error"


def test_a_cell_is_proposed_in_the_place_of_one_that_was_run(
    kernel_api: Any, front_end: FrontEndWithExtension
) -> None:
    front_end.hello()
    front_end.run("1 / 0", "broken")
    assert front_end.hello()["state"]["failed"] == "broken"

    def corrected(request: Any) -> Reply:
        number = int(str(request.body).partition("The cell [")[2].partition("]")[0])
        cell = {"kind": "code", "source": "1 / 1", "replaces": number}
        return Reply.of(ToolUse("mcp__kernel__propose_cells", {"cells": [cell]}))

    kernel_api.replies += [corrected, Reply.of("Mended.")]
    proposed = []

    def take(message: dict[str, Any]) -> None:
        told = told_by(message)
        if told is not None and told["told"] == "cells":
            front_end.request("take", proposal=told["proposal"])
            proposed.extend(told["cells"])

    front_end.run("%claude_fix", "fix", take)
    assert proposed == [
        {"kind": "code", "source": "1 / 1", "replaces": "broken", "found": [], "cleaned": "1 / 1"}
    ]
    front_end.run("1 / 1", "broken")
    assert front_end.hello()["state"]["failed"] is None


def test_what_is_not_known_is_said(front_end: FrontEndWithExtension) -> None:
    reply = front_end.request("dance")
    assert reply["status"] == "error"
    assert f"claude-magic {__version__} in this kernel does not know 'dance'" in reply["reason"]


def test_a_front_end_that_closes_the_comm_takes_it_from_nobody_else(
    kernel: Kernel, front_end: FrontEndWithExtension
) -> None:
    comm = front_end.hello()["comm"]
    message = kernel.client.session.msg("comm_close", {"comm_id": comm, "data": {}})
    kernel.client.shell_channel.send(message)
    kernel.run("1")
    assert front_end.comms == [comm]
    front_end.request("connect", session="main")
    front_end.hear(_is("ready"))


def test_unloading_leaves_nothing_to_be_found_and_loading_again_is_heard(
    start_kernel: Callable[..., Kernel], shared_api: Any
) -> None:
    kernel = start_kernel(shared_api.environment)
    front_end = FrontEndWithExtension(kernel)
    assert front_end.comms == []
    opened = kernel.run("%load_ext claude_magic").contents("comm_open")
    assert [content["target_name"] for content in opened] == [TARGET]
    ran = kernel.run("%unload_ext claude_magic")
    assert len(ran.contents("comm_close")) == 1
    assert front_end.comms == []
    kernel.run("%load_ext claude_magic")
    assert front_end.hello()["status"] == "ok"


def test_the_panel_needs_the_extension_only_where_a_page_has_it(
    kernel: Kernel, front_end: FrontEndWithExtension
) -> None:
    kernel.run("%reload_ext claude_magic")
    assert MODULE not in _modules(kernel)
    assert front_end.hello()["status"] == "ok"
    assert MODULE in _modules(kernel)


def _modules(kernel: Kernel) -> set[str]:
    """Return the JavaScript modules that the status panel's models and views are looked for in."""
    ran = kernel.run("%claude_status")
    opened = [each["data"]["state"] for each in ran.contents("comm_open")]
    assert opened
    return {state[name] for state in opened for name in ("_model_module", "_view_module")}
