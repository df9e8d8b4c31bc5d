"""Make what can be made of a chunk: once more whole, then in halves, until the images that cannot be made are alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.artefacts.store import DamagedArtefact
from bench.execution.session import reason_of
from bench.types import Item

Records = dict[str, bytes]


def salvage(chunk: Sequence[Item], make: Callable[[Sequence[Item]], Records]) -> tuple[Records, dict[str, str]]:
    """The artefacts that could be made, and the reasons of the images whose could not, both by image id.

    A failure may be the moment's (a full device), so the same is tried once more before it is taken apart.
    """
    try:
        return make(chunk), {}
    except DamagedArtefact:
        raise  # An input: it is made again, and the chunk after it.
    except Exception:  # noqa: BLE001 - whatever it is, it costs the images that cause it and no others
        pass
    return _apart(chunk, make)


def _apart(chunk: Sequence[Item], make: Callable[[Sequence[Item]], Records]) -> tuple[Records, dict[str, str]]:
    try:
        return make(chunk), {}
    except DamagedArtefact:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        if len(chunk) == 1:
            return {}, {chunk[0].image_id: reason_of(error)}
    middle = len(chunk) // 2
    one, lost = _apart(chunk[:middle], make)
    other, more = _apart(chunk[middle:], make)
    return one | other, lost | more
