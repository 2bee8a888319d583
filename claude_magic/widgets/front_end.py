"""The widgets' scripts and styles, as they are sent to the front end."""

from __future__ import annotations

import re
from pathlib import Path

_HERE = Path(__file__).parent

#: What joins the modules where they are files, as in the JupyterLab extension.
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./\w+\.js";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?!default)", re.MULTILINE)


def script(*names: str) -> str:
    """Return modules of this folder as one; what the first ones export the last one uses."""
    *used, last = [_IMPORT.sub("", _read(name)) for name in names]
    return "\n".join([*(_EXPORT.sub("", module) for module in used), last])


def style(*names: str) -> str:
    """Return style sheets of this folder as one."""
    return "\n".join(map(_read, names))


def _read(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
