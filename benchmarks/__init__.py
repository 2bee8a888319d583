"""What the figures in the documentation come from: ours beside the bare claude-agent-sdk.

``python -m benchmarks`` measures everything, ``python -m benchmarks turns idle`` some of it.
Everything talks to one server on this machine that answers at once, so that only what stands
between the caller and the API is measured, and every ratio is taken in one run, in turns, so that
whatever else the machine does hits both sides.
"""

from __future__ import annotations

import sys
from pathlib import Path

# The kernels are those of the tests.
sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
