"""Images that cannot be used for training or scoring: found one by one, so that they do not affect the others."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from bench.artefacts.store import DamagedArtefact, MissingArtefact
from bench.errors import BenchError
from bench.training.examples import Reference

T = TypeVar("T")
#: Why an artefact could not be made, by recipe key and image id.
Lost = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class Fault:
    """Why one example cannot be used; ``index`` is its position among the references.

    ``passing``: the error may be temporary.
    """

    index: int
    row_id: str
    error: Exception
    passing: bool

    def reason(self, lost: Lost) -> str:
        """The reason in one line; for an artefact that could not be made, why it could not."""
        error = self.error
        if isinstance(error, MissingArtefact):
            return lost.get(error.key, {}).get(error.identity, error.problem)
        return error.problem if isinstance(error, BenchError) else f"{type(error).__name__}: {error}"


class BadImages(Exception):
    """Some references cannot be used; ``faults`` has one entry for each of them."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__(f"{len(faults)} images cannot be used")
        self.faults = tuple(faults)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.faults,)

    @property
    def damaged(self) -> list[DamagedArtefact]:
        """Artefacts that were found damaged: once they are made again, their images can be used."""
        return [fault.error for fault in self.faults if isinstance(fault.error, DamagedArtefact)]


def shown(index: int, ref: Reference, work: Callable[[], T]) -> T | Fault:
    """The result of ``work`` for one example, or its fault. Raises errors of the machine: OSError and MemoryError."""
    try:
        return work()
    except (OSError, MemoryError):
        raise  # A problem of the machine, not of the image.
    except Exception as error:  # noqa: BLE001 - any other error belongs to this image
        return Fault(index, ref.item.row_id, error, _is_passing(error))


def _is_passing(error: Exception) -> bool:
    """Whether an error may be temporary: an artefact that may be made later, or a file that is absent.

    Asked in the process in which the error was raised: its cause is lost on the way to another.
    """
    cause = error.__cause__  # Pillow's own OSErrors, about a file's content, have no errno.
    return isinstance(error, MissingArtefact) or (isinstance(cause, OSError) and cause.errno is not None)


def without(refs: Sequence[Reference], rows: Collection[str]) -> tuple[Reference, ...]:
    """The references except those whose row_id is in ``rows``."""
    return tuple(ref for ref in refs if ref.item.row_id not in rows)
