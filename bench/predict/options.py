"""Check the options of ``score``: a fit or an official checkpoint, image files, the user's weights and artefacts."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from bench import device as devices
from bench.artefacts.store import Store
from bench.data.protocols import PROTOCOLS
from bench.detector import Detector
from bench.errors import UserError, unknown
from bench.models.zoo import Zoo
from bench.numerics import REFERENCE, Numerics, choose
from bench.planning.released import HUB, downloaded
from bench.planning.request import Chosen, choose_methods
from bench.planning.values import choose_device
from bench.predict import user_artefacts
from bench.predict.inputs import Inputs
from bench.predict.user_weights import own_weights
from bench.progress import Progress
from bench.recipe import CLASSES, DONORS, Recipe
from bench.suites import suite as suites
from bench.types import Fit


@dataclass(frozen=True)
class ScoreOptions:
    """Where ``score`` finds fits, models, weights and artefacts, and the device it runs on."""

    suite: str
    models: str | None
    device: str
    store: Path
    checkpoint: tuple[str, ...] = ()
    weights: tuple[str, ...] = ()
    artefacts: tuple[str, ...] = ()
    trust_pickle: bool = False


@dataclass(frozen=True)
class ScoreRequest:
    """What ``score`` computes: a fit or an official checkpoint on image files.

    ``artefacts`` maps the names of ready-made artefacts to their folders or JSON files.
    """

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


def _find_fit(chosen: Chosen, store: Path, source: str, protocol: str, seed: int) -> Fit:
    """The finished fit of a method with its current parameters; if limits differ, the one with most training images."""
    params = json.loads(json.dumps(asdict(chosen.method.params)))
    fits = [fit for fit in _fits(store) if fit["method"] == chosen.name and fit["params"] == params]
    wanted = {"source": source, "protocol": protocol, "seed": seed}
    if protocol not in PROTOCOLS:
        raise unknown("protocol", protocol, PROTOCOLS)
    usual = [fit for fit in fits if fit.get("budget", "recipe") == "recipe" and not fit.get("noise", 0)]
    matching = [fit for fit in usual if all(fit[name] == value for name, value in wanted.items())]
    if not matching:
        listed = sorted({f"--train {f['source']} --protocol {f['protocol']} --seed {f['seed']}" for f in fits})
        place = "" if store == Path("store") else f" --store {store}"
        raise UserError(
            f"There is no fit of {chosen.label} with --train {source} --protocol {protocol} --seed {seed}.",
            f"In {store}: {'; '.join(listed) or 'no fit of this method'}.",
            f"Run `python run_bench.py --methods {chosen.label} --train {source} --seeds {seed}{place}` first, or "
            "choose one of these.",
        )
    fields = {name: value for name, value in max(matching, key=_size).items() if name in Fit.__dataclass_fields__}
    return Fit(**fields | {name: tuple(fields[name]) for name in ("recipes", "train", "val")})


def _check_unknown(chosen: Chosen, artefacts: Mapping[str, Path]) -> None:
    """Raise UserError if a method uses what nobody knows of a user's images: their classes, or other images."""
    if _needs_class(chosen.method.needs("test"), artefacts):
        raise UserError(
            f"{chosen.label} needs the class of each image, which is unknown for your own images.",
            f"It accepts the artefacts {', '.join(user_artefacts.names(chosen.method))}.",
            "Give the prompts with --artefact caption=FILE.json, or use a variant that does not need the class.",
        )
    if any(DONORS in need.of_slice for need in chosen.method.needs("test").values()):
        raise UserError(
            f"{chosen.label} is a control of the benchmark and cannot score your own images.",
            "It uses the captions of other images.",
            f"Use {chosen.name}.",
        )


def check_scores(
    methods: str, inputs: Inputs, wanted: tuple[str, str, int], options: ScoreOptions, progress: Progress
) -> list[ScoreRequest]:
    """Check the options of ``score``: one request per method; ``wanted`` is the (source, protocol, seed) of fits.

    Raises UserError.
    """
    suite = suites.load(options.suite)
    options = _with_downloads(options, methods, progress)
    released = _released(options.checkpoint, methods)
    # A checkpoint was trained with the paper's parameters: those of the suite do not apply.
    plain = suite.model_copy(update={"methods": {}})
    names = [chosen.label for chosen in choose_methods(methods, suite if not released else plain)]
    unused = sorted(released.keys() - set(names))
    if unused:
        raise unknown("method among those to score with, but of --checkpoint", unused[0], names)
    if len(names) > 1 and options.artefacts:
        raise UserError(
            "--artefact needs one method.", f"These are several: {', '.join(names)}.", "Call score once for each."
        )
    choose_device(options.device)
    requests = []
    for name in names:
        (chosen,) = choose_methods(name, plain if name in released else suite)
        requests.append(_check(chosen, released.get(name), inputs.paths, wanted, options, progress))
    return requests


def _with_downloads(options: ScoreOptions, methods: str, progress: Progress) -> ScoreOptions:
    """The options with files in the place of ``--checkpoint hub``."""
    words = [
        f"{methods.strip()}={w}" if w.partition(":")[0] == HUB and "," not in methods else w for w in options.checkpoint
    ]
    found = downloaded(words, options.weights, progress, options.trust_pickle)
    return replace(options, checkpoint=found.checkpoints, weights=found.weights)


def _released(texts: Sequence[str], methods: str) -> dict[str, Path]:
    """The official checkpoints by method: ``METHOD=FILE``, or FILE alone for the only method. Raises UserError."""
    found = {}
    for text in texts:
        name, equals, file = text.partition("=")
        if Path(text).is_file() or not equals:
            name, file = methods.strip(), text
            if "," in methods:
                raise UserError(
                    f"--checkpoint {text} does not say of which method it is.",
                    f"The methods are {methods}.",
                    f"Write --checkpoint METHOD={text}.",
                )
        if not Path(file).is_file():
            raise UserError(
                f"--checkpoint {file} is not a file.",
                f"Looked at {Path(file).absolute()}.",
                "Give the file that the authors published.",
            )
        found[name] = Path(file)
    return found


def _check(
    chosen: Chosen,
    checkpoint: Path | None,
    images: tuple[Path, ...],
    wanted: tuple[str, str, int],
    options: ScoreOptions,
    progress: Progress,
) -> ScoreRequest:
    """Check the options for one method. Raises UserError."""
    models = options.models or (suites.load(options.suite).models if checkpoint is None else "hub")
    weights = own_weights(options.weights, options.store, models, options.trust_pickle)
    artefacts = _own_artefacts(options.artefacts, chosen)
    _check_unknown(chosen, artefacts)
    store, device = Store(options.store), options.device
    if checkpoint is None:
        fit = _find_fit(chosen, options.store, *wanted)
        zoo = Zoo(models, weights, options.store, _numerics(device, fit.numerics.get("precision", "fp32")))
        return ScoreRequest(chosen, fit, images, zoo, store, device, artefacts=artefacts)
    hint = chosen.method.checkpoint_hint(weights) if isinstance(chosen.method, Detector) else ""
    if hint:
        progress.warn(hint)
    zoo = Zoo(models, weights, options.store, _numerics(device, "fp32"))
    return ScoreRequest(chosen, checkpoint, images, zoo, store, device, options.trust_pickle, artefacts)


def _numerics(device: str, precision: str) -> Numerics:
    """Those of the artefacts of a user's images: on a GPU in the precision of the fit's own, on a CPU the reference."""
    here = devices.present(device)
    return choose(precision, True, here) if here == "cuda" else REFERENCE


def _needs_class(needs: Mapping[str, Recipe | str], ready: Mapping[str, Path]) -> bool:
    """Whether any artefact that the user does not supply depends on the class of the image."""
    left = [need for name, need in needs.items() if name not in ready and isinstance(need, Recipe)]
    return any(CLASSES in need.params or _needs_class(need.inputs, ready) for need in left)


def _own_artefacts(words: Sequence[str], chosen: Chosen) -> dict[str, Path]:
    """Folders or JSON files by the name of the artefact they contain, from ``NAME=PATH`` words."""
    accepted, paths = user_artefacts.names(chosen.method), {}
    for word in words:
        name, _, location = word.partition("=")
        if not accepted:
            raise UserError(
                f"--artefact {word}: {chosen.label} takes no artefact.",
                "It only uses the image.",
                "Leave the option out.",
            )
        if name not in accepted:
            raise unknown(
                f"artefact of {chosen.label}", name, accepted, fix="Write --artefact NAME=FOLDER or NAME=FILE.json."
            )
        path = Path(location)
        if not location or not (path.is_dir() or (path.suffix == ".json" and path.is_file())):
            raise UserError(
                f"--artefact {word} names neither a folder nor a JSON file.",
                f"Looked at {path.absolute()}.",
                f"Give {accepted[name]} per image: one file each, or one JSON object, named by the images' stems.",
            )
        paths[name] = path
    return paths


def _size(record: dict[str, Any]) -> tuple[int, str]:
    return int(record["train_images"]), str(record["key"])
