"""Functions that stand in for an object's own for a time."""

from __future__ import annotations

from functools import update_wrapper
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class StandIn:
    """A function in the place of another one, on one object and for a time.

    It is taken away only if it still stands there: whoever put a function of theirs over ours
    keeps it, and ours below it does from then on what the original does. Both ways are idempotent.
    As a context manager it stands for the time of the block. One thread at a time.

    Parameters
    ----------
    owner
        The object, or module.
    name
        The attribute that holds the function.
    make
        Gets the original and returns what stands in for it.

    Raises
    ------
    AttributeError
        By `put`, if `owner` has no such attribute or none of its attributes can be set.
    """

    def __init__(
        self,
        owner: object,
        name: str,
        make: Callable[[Callable[..., Any]], Callable[..., Any]],
    ) -> None:
        self._owner = owner
        self._name = name
        self._make = make
        self._ours: Callable[..., Any] | None = None
        self._standing = False

    def put(self) -> None:
        """Put the function into its place."""
        if self._standing:
            return
        original = getattr(self._owner, self._name)
        replacement = self._make(original)

        def ours(*args: Any, **kwargs: Any) -> Any:
            __tracebackhide__ = True  # from IPython's tracebacks of what it calls
            return (replacement if self._standing else original)(*args, **kwargs)

        update_wrapper(ours, original, updated=())
        self._inherited = self._name not in vars(self._owner)
        self._original = original
        setattr(self._owner, self._name, ours)
        self._ours = ours
        self._standing = True

    def take_away(self) -> None:
        """Put the original back."""
        if not self._standing:
            return
        self._standing = False
        if vars(self._owner).get(self._name) is not self._ours:
            return
        if self._inherited:
            delattr(self._owner, self._name)
        else:
            setattr(self._owner, self._name, self._original)

    def __enter__(self) -> None:
        self.put()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.take_away()
