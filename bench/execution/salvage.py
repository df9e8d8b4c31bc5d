"""Retry a chunk that failed: once as a whole, then in halves, until the images that cause the failure are isolated."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from bench.artefacts.store import DamagedArtefact
from bench.execution.session import reason_of
from bench.types import Item

Records = dict[str, bytes]


def salvage(chunk: Sequence[Item], make: Callable[[Sequence[Item]], Records]) -> tuple[Records, dict[str, str]]:
    """The artefacts that could be made, and the reasons of those that could not, both by image id.

    A failure may be temporary (a full device), so the whole chunk is tried once more before it is halved.
    """
    try:
        return make(chunk), {}
    except DamagedArtefact:
        raise  # An input is damaged: the caller makes it again, then this chunk.
    except Exception:  # noqa: BLE001 - any error must affect only the images that cause it
        pass
    return _halved(chunk, make)


def _halved(chunk: Sequence[Item], make: Callable[[Sequence[Item]], Records]) -> tuple[Records, dict[str, str]]:
    try:
        return make(chunk), {}
    except DamagedArtefact:
        raise
    except Exception as error:  # noqa: BLE001 - as above
        if len(chunk) == 1:
            return {}, {chunk[0].image_id: reason_of(error)}
    middle = len(chunk) // 2
    first, first_lost = _halved(chunk[:middle], make)
    second, second_lost = _halved(chunk[middle:], make)
    return first | second, first_lost | second_lost
