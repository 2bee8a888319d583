"""What Binder makes of `binder/`, without building it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.sterile import require

_ROOT = Path(__file__).parents[2]
_BINDER = _ROOT / "binder"
