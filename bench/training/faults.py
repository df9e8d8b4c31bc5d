"""Images that cannot be shown to a detector: found one by one, so that each costs itself alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from bench.artefacts.store import DamagedArtefact, MissingArtefact
from bench.errors import BenchError
from bench.training.examples import Reference

T = TypeVar("T")
#: By recipe key and image id: why an artefact could not be made.
Lost = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Fault:
    """Why one example, by its place among the references and its row, cannot be shown."""

    index: int
    row_id: str
    error: Exception

    @property
    def passing(self) -> bool:
        """Whether the trouble may pass: an artefact that may yet be made, or a file that is away."""
        cause = self.error.__cause__  # Pillow's own OSErrors, of what a file holds, have no number.
        return isinstance(self.error, MissingArtefact) or (isinstance(cause, OSError) and cause.errno is not None)

    def reason(self, lost: Lost) -> str:
        """In one line; for an artefact that could not be made, why not."""
        error = self.error
        if isinstance(error, MissingArtefact):
            return lost.get(error.key, {}).get(error.identity, error.problem)
        return error.problem if isinstance(error, BenchError) else f"{type(error).__name__}: {error}"


class BadImages(Exception):
    """Some references cannot be shown. ``faults`` are all of them."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"{len(faults)} images cannot be shown")
        self.faults = tuple(faults)

    @property
    def damaged(self) -> list[DamagedArtefact]:
        """Artefacts that were found damaged: once they are made again, their images can be shown."""
        return [fault.error for fault in self.faults if isinstance(fault.error, DamagedArtefact)]


def shown(index: int, ref: Reference, work: Callable[[], T]) -> T | Fault:
    """What ``work`` gives for one example, or why it gives nothing. What is the machine's trouble is raised."""
    try:
        return work()
    except (OSError, MemoryError):
        raise  # The machine's trouble, not the image's.
    except Exception as error:  # noqa: BLE001 - whatever it is, it is this image's
        return Fault(index, ref.item.row_id, error)


def without(refs: Sequence[Reference], rows: Collection[str]) -> tuple[Reference, ...]:
    """The references but those of images in ``rows``."""
    return tuple(ref for ref in refs if ref.item.row_id not in rows)
