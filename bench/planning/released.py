"""Detectors with the weights that their authors released: fits that are not trained here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench import discover
from bench.detector import Detector, TrainingFree
from bench.errors import DownloadError, UserError
from bench.models.released import RELEASED, ReleasedFile, defaults, released_file
from bench.planning.request import Chosen, choose_methods
from bench.progress import Progress
from bench.suites.suite import Suite, split_variant
from bench.types import Fit

#: What ``--checkpoint METHOD=hub`` says instead of a file, also as ``hub:NAME``.
HUB = "hub"
#: What ``--checkpoint METHOD=none`` says of a detector that is not trained: without calibration, as it was published.
NONE = "none"
#: What ``--methods`` says for every detector whose released weights can be downloaded.
ALL_RELEASED = "all-released"


@dataclass(frozen=True)
class Downloaded:
    """The words of ``--checkpoint`` with files in the place of ``hub``, and of ``--weights`` with their companions."""

    checkpoints: tuple[str, ...]
    weights: tuple[str, ...]


@dataclass(frozen=True)
class Released:
    """A detector with a file of released weights; ``content`` is the SHA-256 of the file.

    A detector that is not trained has no file; its ``content`` is :data:`NONE`.
    """

    chosen: Chosen
    path: Path | None
    content: str

    def fit(self, hash_of: Callable[[str], str]) -> Fit:
        """The fit that these weights are: with the method's own parameters, and no training or validation images.

        ``hash_of`` gives the content hash of a companion, such as a frozen encoder that the file does not contain.
        """
        return fit_of(self.chosen, self.content, hash_of)


def fit_of(chosen: Chosen, content: str, hash_of: Callable[[str], str]) -> Fit:
    """The fit of a detector with a checkpoint, whose SHA-256 is ``content``. Raises UserError for a statistic."""
    method = chosen.method
    if not isinstance(method, Detector | TrainingFree):
        raise UserError(f"{chosen.label} has no checkpoints.", "It is a trivial baseline.", "Name a detector.")
    return Fit(
        method=chosen.name,
        variant=chosen.variant,
        version=method.card.version,
        params=asdict(method.params),
        weights={role: hash_of(role) for role in (method.companions() if isinstance(method, Detector) else ())},
        recipes=(),
        source=f"checkpoint {content[:12]}",
        train=(content,),
        val=(),
        protocol="",
        seed=0,
    )


def downloaded(
    checkpoints: Sequence[str], weights: Sequence[str], progress: Progress, trust_pickle: bool = False
) -> Downloaded:
    """Download the released weights that ``--checkpoint METHOD=hub`` and ``METHOD=hub:NAME`` name.

    A role that ``weights`` name keeps the user's model. Raises one UserError for all that cannot be used.
    """
    words, companions, errors = list[str](), dict[str, Path](), list[UserError]()
    for text in checkpoints:
        label, _, file = text.partition("=")
        head, _, name = file.partition(":")
        if head != HUB:
            words.append(text)
            continue
        try:
            path, beside = _get(released_file(label, name), progress, trust_pickle)
        except UserError as error:
            errors.append(error)
            continue
        words.append(f"{label}={path}")
        companions |= beside
    if errors:
        raise errors[0] if len(errors) == 1 else _all_of(errors)
    own = {word.partition("=")[0] for word in weights}
    return Downloaded(tuple(words), (*weights, *(f"{r}={p}" for r, p in companions.items() if r not in own)))


def _get(file: ReleasedFile, progress: Progress, trust_pickle: bool) -> tuple[Path, dict[str, Path]]:
    if file.downloadable and file.pickled and not trust_pickle:
        raise UserError(
            f"The released weights of {file.method} are pickled objects.",
            f"Reading them runs code that they contain ({file.page}).",
            f"If you trust their origin, use `score {file.method} … --checkpoint hub --trust-pickle`.",
        )
    progress.note(f"{file.method}: trained on {file.trained_on}; {file.size}; licence: {file.licence}; {file.where}")
    return file.get(progress)


def _all_of(errors: Sequence[UserError]) -> UserError:
    """One error for several files that cannot be used."""
    context = "\n  ".join(f"{error.problem} {error.context} {error.fix}" for error in errors)
    kind = DownloadError if all(isinstance(error, DownloadError) for error in errors) else UserError
    return kind(f"The released weights of {len(errors)} methods cannot be used.", context, "Or leave them out.")


def everything(without: Collection[str], progress: Progress) -> list[str]:
    """The words of ``--checkpoint`` for :data:`ALL_RELEASED`, but for the methods ``without``.

    Those that cannot be had are named with the reason.
    """
    for word in without:
        discover.method(split_variant(word)[0])  # A name that does not exist is told before anything is downloaded.
    files = [file for name, file in defaults().items() if name not in without]
    chosen = [file for file in files if file.downloadable and not file.pickled]
    for file in files:
        if file not in chosen:
            why = "its files are pickled objects" if file.downloadable else f"a program cannot download it: {file.page}"
            progress.warn(f"{file.method} is left out: {why}")
    known = {split_variant(file.method)[0] for file in RELEASED.values()}
    others = [name for name in discover.methods() if name not in known and issubclass(discover.method(name), Detector)]
    if others:
        progress.note(f"no released weights are known of {', '.join(others)}")
    return [f"{file.method}={HUB}" for file in chosen]


def named(texts: Sequence[str], suite: Suite) -> dict[str, tuple[Chosen, Path | None]]:
    """The detectors and files of ``--checkpoint METHOD=FILE``, by label, with the papers' parameters.

    A detector that is not trained has no file. Raises UserError if one is not in that form, names no file, or names a
    method twice.
    """
    plain, found = suite.model_copy(update={"methods": {}}), dict[str, tuple[Chosen, Path | None]]()
    for text in texts:
        name, equals, file = text.partition("=")
        if not equals or (file != NONE and not Path(file).is_file()):
            problem = f"{file} is not a file." if equals else "There is no `=`."
            raise UserError(f"--checkpoint {text!r} cannot be used.", problem, "Give METHOD=FILE, univfd=fc.pth.")
        (chosen,) = choose_methods(name, plain)
        if (file == NONE) != isinstance(chosen.method, TrainingFree):
            untrained = isinstance(chosen.method, TrainingFree)
            raise UserError(
                f"--checkpoint {text!r} cannot be used.",
                f"{chosen.label} is {'not trained, so it has no weights' if untrained else 'trained'}.",
                f"Write {chosen.label}={NONE if untrained else 'FILE'}.",
            )
        if chosen.label in found:
            raise UserError(
                f"--checkpoint names {chosen.label} twice.",
                f"{found[chosen.label][1]} and {file}.",
                "Use one, or name a variant for the other, if it has another network.",
            )
        found[chosen.label] = chosen, None if file == NONE else Path(file)
    return found


def with_digests(files: Mapping[str, tuple[Chosen, Path | None]], digest: Callable[[Path], str]) -> dict[str, Released]:
    """Detectors by label with their files, whose SHA-256 ``digest`` gives; one that is not trained has no file."""
    return {n: Released(one, path, NONE if path is None else digest(path)) for n, (one, path) in files.items()}


def beside(released: Collection[str], methods: Sequence[Chosen]) -> None:
    """Raise UserError if a method is both trained and given as a checkpoint: their rows would have one name."""
    both = sorted({chosen.label for chosen in methods} & set(released))
    if both:
        raise UserError(
            f"{', '.join(both)} cannot be trained and given by --checkpoint in one run.",
            "Their rows would have the same name.",
            "Make two runs, and compare them with `compare`.",
        )
