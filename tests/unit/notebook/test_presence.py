from __future__ import annotations

import threading

from claude_magic.notebook.presence import Presence


def test_a_page_that_greets_is_there_until_it_is_forgotten() -> None:
    presence = Presence(patience_s=0)
    assert not presence.wait()
    presence.note()
    assert presence.wait()
    presence.forget()
    assert not presence.wait()


def test_the_first_greeting_is_waited_for() -> None:
    presence = Presence(patience_s=60)
    page = threading.Timer(0.05, presence.note)
    page.start()
    assert presence.wait()
    page.join()
