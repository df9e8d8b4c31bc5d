"""A leak-audited benchmark for detectors of AI-generated images."""

import importlib
import importlib.util
import sys
from pathlib import Path

__version__ = "0.1.0"

if Path(__file__).with_name("methods").is_dir() or importlib.util.find_spec("methods") is None:
    # Installed, there is one import package and the methods are inside it; in a checkout they are beside it.
    sys.modules.setdefault("methods", importlib.import_module("bench.methods"))
