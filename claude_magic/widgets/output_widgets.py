"""``Output`` widgets that take what is sent to a cell."""

from __future__ import annotations

import sys


def output_widget_takes(message_id: str) -> bool:
    """Return whether an ``Output`` widget takes the outputs of an execute request. Any thread.

    Parameters
    ----------
    message_id
        Id of the request.
    """
    if "ipywidgets" not in sys.modules:
        return False
    from ipywidgets import Output  # noqa: PLC0415 - only if the user has loaded it
    from ipywidgets.widgets import widget  # noqa: PLC0415

    widgets = list(getattr(widget, "_instances", {}).values())
    return any(isinstance(each, Output) and each.msg_id == message_id for each in widgets)
