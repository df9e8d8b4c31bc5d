"""The packages of the wheel; everything else is in pyproject.toml.

In a checkout the methods lie beside ``bench``, where authors look for them. A wheel has one import package, so there
they lie inside it; ``bench/__init__.py`` makes both importable as ``methods``.
"""

from setuptools import find_packages, setup

setup(
    packages=[
        *find_packages(include=["bench", "bench.*"]),
        "bench.methods",
        *(f"bench.methods.{name}" for name in find_packages("methods")),
    ],
    package_dir={"bench.methods": "methods"},
)
