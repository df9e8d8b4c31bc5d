"""What ``score`` names: a fit or an official checkpoint, image files, weights and artefacts of one's own."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.artefacts.store import Store
from bench.data.files import describe, list_images
from bench.data.protocols import PROTOCOLS
from bench.detector import Detector
from bench.errors import UserError, unknown
from bench.models.zoo import Zoo
from bench.planning.request import Chosen, choose_device, choose_methods
from bench.predict import user_artefacts
from bench.predict.user_weights import own_weights
from bench.progress import Progress
from bench.recipe import CLASSES, Recipe
from bench.suites import suite as suites
from bench.types import Fit


@dataclass(frozen=True)
class ScoreOptions:
    """Where ``score`` finds fits and models, and what it runs on."""

    suite: str
    models: str | None
    device: str
    store: Path
    checkpoint: Path | None = None
    weights: tuple[str, ...] = ()
    artefacts: tuple[str, ...] = ()
    trust_pickle: bool = False


@dataclass(frozen=True)
class ScoreRequest:
    """What ``score`` computes: a fit or an official checkpoint on image files; ``artefacts`` are ready-made."""

    chosen: Chosen
    fit: Fit | Path
    paths: tuple[Path, ...]
    zoo: Zoo
    store: Store
    device: str
    trust_pickle: bool = False
    artefacts: Mapping[str, Path] = field(default_factory=dict)


def _fits(store: Path) -> list[dict[str, Any]]:
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((store / "fits").glob("*/fit.json"))]
    return [record["fit"] | {"train_images": record["train_images"]} for record in records]


def _images(places: list[Path], progress: Progress) -> tuple[Path, ...]:
    absent = [place for place in places if not place.is_dir() and not place.is_file()]
    paths: list[Path] = []
    for place in places:
        if not place.is_dir():
            paths.append(place)
            continue
        listed = list_images(place)
        paths += listed.files
        if listed.passed:
            progress.warn(f"passed over in {place}: {describe(listed.passed)}")
    if absent or not paths:
        raise UserError(
            f"No image at {', '.join(map(str, absent or places))}.",
            f"Looked from {Path.cwd()}.",
            "Name image files, or folders that hold some.",
        )
    return tuple(path.absolute() for path in paths)


def _find_fit(chosen: Chosen, store: Path, source: str, protocol: str, seed: int) -> Fit:
    """The finished fit of a method with its present parameters; the largest where limits differ."""
    params = json.loads(json.dumps(asdict(chosen.method.params)))
    known = [fit for fit in _fits(store) if fit["method"] == chosen.name and fit["params"] == params]
    wanted = {"source": source, "protocol": protocol, "seed": seed}
    if protocol not in PROTOCOLS:
        raise unknown("protocol", protocol, PROTOCOLS)
    matching = [fit for fit in known if all(fit[name] == value for name, value in wanted.items())]
    if not matching:
        listed = sorted({f"--train {f['source']} --protocol {f['protocol']} --seed {f['seed']}" for f in known})
        raise UserError(
            f"There is no fit of {chosen.label} with --train {source} --protocol {protocol} --seed {seed}.",
            f"In {store}: {'; '.join(listed) or 'no fit of this method'}.",
            f"Run `python run_bench.py --methods {chosen.label} --train {source} --seeds {seed}` first, or name one of "
            "these.",
        )
    fields = {name: value for name, value in max(matching, key=_size).items() if name in Fit.__dataclass_fields__}
    return Fit(**fields | {name: tuple(fields[name]) for name in ("recipes", "train", "val")})


def check_score(
    method: str, places: list[Path], wanted: tuple[str, str, int], options: ScoreOptions, progress: Progress
) -> ScoreRequest:
    """Find the fit, by (source, protocol, seed), and the image files that ``score`` names. Raises UserError."""
    loaded = suites.load(options.suite)
    if options.checkpoint is not None:  # It was trained in the paper's sizes: no suite's parameters apply.
        loaded = loaded.model_copy(update={"methods": {}})
    chosen = choose_methods(method, loaded)
    if len(chosen) != 1:
        raise UserError(f"score takes one method, not {method!r}.", "It names several.", "Call it once for each.")
    choose_device(options.device)
    paths = _images(places, progress)
    models = options.models or (loaded.models if options.checkpoint is None else "hub")
    own = own_weights(options.weights, options.store, models, options.trust_pickle)
    made = _own_artefacts(options.artefacts, chosen[0])
    if _asks_class(chosen[0].method.needs("test"), made):
        raise UserError(
            f"{chosen[0].label} is told what an image shows, and nothing tells it for your own.",
            f"It takes: {', '.join(user_artefacts.names(chosen[0].method))}.",
            "Give the prompts by --artefact caption=FILE.json, or score by a variant that asks for none.",
        )
    if options.checkpoint is None:
        zoo = Zoo(models, own, options.store)
        fit = _find_fit(chosen[0], options.store, *wanted)
        return ScoreRequest(chosen[0], fit, paths, zoo, Store(options.store), options.device, artefacts=made)
    if not options.checkpoint.is_file():
        raise UserError(
            f"--checkpoint {options.checkpoint} is not a file.",
            f"Looked at {options.checkpoint.absolute()}.",
            "Name the file that the authors published.",
        )
    hint = chosen[0].method.checkpoint_hint(own) if isinstance(chosen[0].method, Detector) else ""
    if hint:
        progress.warn(hint)
    zoo, store = Zoo(models, own, options.store), Store(options.store)
    return ScoreRequest(chosen[0], options.checkpoint, paths, zoo, store, options.device, options.trust_pickle, made)


def _asks_class(needs: Mapping[str, Recipe | str], made: Mapping[str, Path]) -> bool:
    """Whether an artefact that nobody gives is a text of the image's class."""
    left = [need for name, need in needs.items() if name not in made and isinstance(need, Recipe)]
    return any(CLASSES in need.params or _asks_class(need.inputs, made) for need in left)


def _own_artefacts(asked: Sequence[str], chosen: Chosen) -> dict[str, Path]:
    """Folders or JSON files by the name of the artefact that they hold, from ``NAME=PATH`` words."""
    known, found = user_artefacts.names(chosen.method), {}
    for word in asked:
        name, _, place = word.partition("=")
        if not known:
            raise UserError(
                f"--artefact {word}: {chosen.label} takes no artefact.",
                "It sees the image alone.",
                "Leave the option out.",
            )
        if name not in known:
            raise unknown(
                f"artefact of {chosen.label}", name, known, fix="Write --artefact NAME=FOLDER or NAME=FILE.json."
            )
        path = Path(place)
        if not place or not (path.is_dir() or (path.suffix == ".json" and path.is_file())):
            raise UserError(
                f"--artefact {word} names neither a folder nor a JSON file.",
                f"Looked at {path.absolute()}.",
                f"For each image {known[name]}: in a file of its own or in one JSON object, by the images' stems.",
            )
        found[name] = path
    return found


def _size(record: dict[str, Any]) -> tuple[int, str]:
    return int(record["train_images"]), str(record["key"])
