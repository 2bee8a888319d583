"""What Claude may be told about the kernel: its variables, masked and bounded.

What looks at a variable is imported when one is looked at.
"""

from typing import TYPE_CHECKING

from claude_magic import lazily

if TYPE_CHECKING:
    from .views import summary, view

__all__ = ["summary", "view"]

__getattr__ = lazily.exports(
    __name__,
    dict.fromkeys(__all__, "claude_magic.notebook.kernel.views"),
)
