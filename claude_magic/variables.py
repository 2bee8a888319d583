"""Environment variables that more than one part of claude-magic reads."""

#: Names a tape, and maybe how it is used, for all kernels that inherit it: ``MODE:FILE``.
TAPE_VARIABLE = "CLAUDE_MAGIC_TAPE"
