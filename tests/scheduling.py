"""Which tests run in the same process under pytest-xdist: those that share something costly."""

from xdist.scheduler import LoadScopeScheduling

#: The main job of the tests (the fixture ``first``) is run once for the tests of these files.
MAIN_JOB = {
    f"tests/e2e/test_{name}.py"
    for name in ("board", "faults", "found_again", "main_job", "page", "store_verbs", "verify")
}


def group_of(nodeid):
    """The group of a test: its file; the method, for promises of methods; or the main job."""
    file, _, test = nodeid.partition("::")
    if file == "tests/contract/test_methods.py" and "[" in test:
        return f"{file} {test.partition('[')[2].partition('-')[0]}"
    return "main job" if file in MAIN_JOB else file


class InGroups(LoadScopeScheduling):
    """Hands out groups of tests in the order of their files: costly ones come first, so that processes end together.

    The marks of ``--dist loadgroup`` would serve as well, but pytest-xdist 3.8 loses them under pytest 9.2.
    """

    def _split_scope(self, nodeid):
        return group_of(nodeid)
