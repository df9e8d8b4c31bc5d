"""A leak-audited benchmark for detectors of AI-generated images."""

import importlib
import sys
from pathlib import Path

__version__ = "0.1.0"

if Path(__file__).with_name("methods").is_dir():
    # Installed, there is one import package, and the methods lie inside it; in a checkout they lie beside it.
    sys.modules.setdefault("methods", importlib.import_module("bench.methods"))
