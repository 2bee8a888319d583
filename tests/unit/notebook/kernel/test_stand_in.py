from __future__ import annotations

from typing import Any

from claude_magic.notebook.kernel.stand_in import StandIn


class Greeter:
    def greet(self, name: str) -> str:
        return f"Hello {name}"


def louder(greet: Any) -> Any:
    return lambda name: greet(name).upper()


def test_it_stands_for_the_time_of_a_block_and_leaves_nothing() -> None:
    greeter = Greeter()
    with StandIn(greeter, "greet", louder):
        assert greeter.greet("Ada") == "HELLO ADA"
    assert greeter.greet("Ada") == "Hello Ada"
    assert vars(greeter) == {}


def test_an_attribute_of_the_object_itself_is_put_back() -> None:
    greeter = Greeter()
    own = vars(greeter)["greet"] = str.title
    with StandIn(greeter, "greet", louder):
        assert greeter.greet("ada") == "ADA"
    assert vars(greeter)["greet"] is own


def test_both_ways_are_idempotent() -> None:
    greeter = Greeter()
    stand_in = StandIn(greeter, "greet", louder)
    stand_in.put()
    stand_in.put()
    assert greeter.greet("Ada") == "HELLO ADA"
    stand_in.take_away()
    stand_in.take_away()
    assert vars(greeter) == {}


def test_what_others_have_put_over_it_stays_and_works() -> None:
    greeter = Greeter()
    stand_in = StandIn(greeter, "greet", louder)
    stand_in.put()
    below = greeter.greet
    vars(greeter)["greet"] = theirs = lambda name: f"<{below(name)}>"
    stand_in.take_away()
    assert vars(greeter)["greet"] is theirs
    assert greeter.greet("Ada") == "<Hello Ada>"
