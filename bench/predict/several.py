"""Several detectors on a person's images: batch by batch, each written when it is done, with verdicts at the end."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from bench.data import provenance
from bench.data.decode import file_id
from bench.detector import Detector, is_baseline
from bench.errors import UserError
from bench.predict import predict, verdicts
from bench.predict.inputs import Inputs
from bench.predict.options import ScoreRequest
from bench.predict.verdicts import Threshold
from bench.progress import Progress
from bench.recipe import content_key
from bench.types import OK, Fit

#: Images that all detectors score before the next ones are looked at.
BATCH = 1024
Line = dict[str, Any]


@dataclass(frozen=True)
class Judging:
    """How scores become verdicts: photographs of one's own and a false positive rate, or a run's results folder."""

    photographs: tuple[Path, ...] = ()
    fpr: float = 0.05
    results: Path = Path()


def _detector(request: ScoreRequest) -> str:
    """What identifies what a request computes: its fit, or its checkpoint with the encoders beside it; artefacts."""
    given = sorted((name, str(path), _stamp(path)) for name, path in request.artefacts.items())
    if isinstance(request.fit, Fit):
        return content_key([request.fit.key, given])
    method, zoo = request.chosen.method, request.zoo
    roles = method.companions() if isinstance(method, Detector) else ()
    encoders = {role: zoo.hash(role) for role in roles if zoo.names(role)}  # The others are those of the source.
    return content_key([request.chosen.label, zoo.digest(request.fit), str(zoo.source), encoders, given])


def threshold_of(request: ScoreRequest, judging: Judging, progress: Progress) -> Threshold:
    """The threshold of a request's detector: from photographs if there are any, else from its validation images.

    The scores of the photographs are kept in the store. Raises UserError if too few have one.
    """
    if not judging.photographs:
        found = verdicts.of_validation(judging.results, request.fit.key) if isinstance(request.fit, Fit) else None
        return found or verdicts.uncalibrated()
    stamps = [f"{path} {path.stat().st_size} {path.stat().st_mtime_ns}" for path in judging.photographs]
    key = verdicts.key_of(_detector(request), stamps)
    logits = verdicts.kept(request.store, key)
    if logits is None:
        lines = predict.score_images(replace(request, paths=judging.photographs, artefacts={}), progress)
        logits = sorted(line["logit"] for line in lines if line["logit"] is not None)
        if len(logits) < len(lines):
            progress.warn(f"{len(lines) - len(logits)} of {len(lines)} photographs have no score and do not count")
        verdicts.keep(request.store, key, logits, {"method": request.chosen.label, "detector": _detector(request)})
    found = verdicts.of_photographs(logits, judging.fpr)
    if found.high == float("inf"):
        progress.warn(
            f"{request.chosen.label}: {len(logits)} photographs are too few for a verdict `fake` at a false positive "
            f"rate of {judging.fpr:g}; {verdicts.needed(judging.fpr)} are needed"
        )
    return found


class Kept:
    """The lines of images that are scored: in a file, from which an interrupted command goes on, or in memory.

    Of the file, which has one JSON object per line, only places are in memory. A line counts as long as its image file
    has the same size and time, and its detector is the same.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = file
        self._lines: dict[str, Line | int] = {}
        if file is None or not file.is_file():
            return
        place = 0
        with file.open("rb") as kept:
            for text in kept:
                if not text.endswith(b"}\n"):  # The last line of a killed run is cut off.
                    break
                self._lines[json.loads(text)["key"]] = place
                place += len(text)
        with file.open("r+b") as kept:
            kept.truncate(place)

    @staticmethod
    def key(detector: str, path: Path) -> str:
        """What a line is kept under."""
        return content_key([detector, str(path), _stamp(path)])

    def of(self, detector: str, path: Path) -> Line | None:
        """A line that is kept, or None."""
        found = self._lines.get(self.key(detector, path))
        if not isinstance(found, int) or self._file is None:
            return found if isinstance(found, dict) else None
        with self._file.open("rb") as file:
            file.seek(found)
            line: Line = json.loads(file.readline())["line"]
        return line

    def add(self, detector: str, lines: Sequence[Line]) -> None:
        """Keep lines."""
        keys = [self.key(detector, Path(line["path"])) for line in lines]
        if self._file is None:
            self._lines |= dict(zip(keys, lines, strict=True))
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        with self._file.open("ab") as file:
            for key, line in zip(keys, lines, strict=True):
                self._lines[key] = file.tell()
                file.write(json.dumps({"key": key, "line": line}).encode() + b"\n")

    def remove(self) -> None:
        """Delete the file, when all of it stands elsewhere."""
        if self._file is not None:
            self._file.unlink(missing_ok=True)


class Digest:
    """What is told of lines that pass by: counts, what metrics need of the labelled ones, and the first images."""

    def __init__(self, lines: Iterator[Line], shown: int | None) -> None:
        self._lines, self._limit = lines, shown
        self.shown: list[Line] = []
        self.labelled: list[Line] = []
        self.verdicts: dict[str, Counter[str]] = {}
        self.images, self.divided, self.failed = 0, 0, 0
        self._last = ""

    def __iter__(self) -> Iterator[Line]:
        for line in self._lines:
            if line["path"] != self._last:
                self._last = line["path"]
                self.images += 1
                self.divided += line["disagreement"]
            self.failed += line["status"] != OK
            self.verdicts.setdefault(line["method"], Counter())[line["verdict"]] += 1
            if line["label"] is not None:
                self.labelled.append({name: line[name] for name in ("path", "method", "logit", "threshold", "label")})
            if self._limit is None or self.images <= self._limit:
                self.shown.append(line)
            yield line


def _stamp(path: Path) -> str:
    try:
        status = path.stat()
    except OSError:
        return ""
    return f"{status.st_size} {status.st_mtime_ns}"


def score(
    requests: Sequence[ScoreRequest], inputs: Inputs, judging: Judging, kept: Kept, progress: Progress
) -> Iterator[Line]:
    """One line per image and detector, with its verdict; the lines of an image follow each other."""
    both = _shared(inputs.paths, judging.photographs)
    if both:
        progress.warn(f"{both} of the images are among the photographs of --calibrate, which set the threshold")
    detectors = [_detector(request) for request in requests]  # Scoring may add encoders that a checkpoint contains.
    limits = [
        None if is_baseline(request.chosen.method) else threshold_of(request, judging, progress) for request in requests
    ]
    with progress.stage("images scored", len(inputs.paths)) as stage:
        for start in range(0, len(inputs.paths), BATCH):
            batch = inputs.paths[start : start + BATCH]
            columns = [
                _column(request, detector, batch, kept, progress)
                for request, detector in zip(requests, detectors, strict=True)
            ]
            for number, path in enumerate(batch):
                yield from _judged([column[number] for column in columns], limits, inputs.labels.get(path))
            progress.advance(stage, len(batch))


def _shared(paths: Sequence[Path], photographs: Sequence[Path]) -> int:
    """How many images have the bytes of a photograph; only files of the same size are read."""
    sizes = {path.stat().st_size for path in photographs}
    alike = [path for path in paths if sizes and path.is_file() and path.stat().st_size in sizes]
    known = {file_id(path.read_bytes()) for path in photographs} if alike else set()
    return sum(file_id(path.read_bytes()) in known for path in alike)


def _column(request: ScoreRequest, detector: str, batch: Sequence[Path], kept: Kept, progress: Progress) -> list[Line]:
    """The lines of one detector for some images, of which those are computed that are not kept."""
    missing = tuple(path for path in batch if kept.of(detector, path) is None)
    if missing:
        kept.add(detector, predict.score_images(replace(request, paths=missing), progress))
    lines = [kept.of(detector, path) for path in batch]
    if any(line is None for line in lines):
        raise UserError(
            "A file has changed while it was scored.", f"It is one of {len(missing)} files.", "Run the command again."
        )
    return [line for line in lines if line is not None]


def _judged(lines: Sequence[Line], given: Sequence[Threshold | None], label: int | None) -> list[Line]:
    """The lines of one image with verdicts, thresholds, label, and what its file says of itself.

    A trivial baseline has no threshold and gives no verdict.
    """
    limits = [limit or verdicts.uncalibrated(verdicts.BASELINE) for limit in given]
    told = provenance.of_file(Path(lines[0]["path"]))
    found = [limit.verdict(line["logit"]) if limit else "" for line, limit in zip(lines, given, strict=True)]
    divided = verdicts.disagree(found)
    return [
        {
            **line,
            "verdict": verdict if "p_fake" in line else "",
            "threshold": limit.cut,
            "band": [None if abs(end) == float("inf") else end for end in (limit.low, limit.high)],
            "rule": limit.rule,
            "disagreement": divided,
            "label": label,
            "file_says": str(told),
        }
        for line, limit, verdict in zip(lines, limits, found, strict=True)
    ]
