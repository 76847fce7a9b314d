"""Deal the tests out to several processes for `make test`."""

from xdist.scheduler import LoadFileScheduling

DEPLOYING = "tests/e2e"


class SideBySide(LoadFileScheduling):  # type: ignore[misc]  # xdist's classes have no types
    """One process for each file, whose tests share their servers, and one for all files that deploy stacks.

    A deployment takes longer than the tests of a file on it, and each process would make its own.
    """

    def _split_scope(self, nodeid: str) -> str:
        return DEPLOYING if nodeid.startswith(f"{DEPLOYING}/") else str(super()._split_scope(nodeid))
