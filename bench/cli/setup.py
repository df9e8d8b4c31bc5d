"""Turn options into a checked request and its plan, in the same way for every verb."""

from __future__ import annotations

import importlib.util
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench import device as devices
from bench import discover
from bench.artefacts.store import Store
from bench.cli.located import places_of, suite_of
from bench.cli.nulls import with_null
from bench.cli.places import writable_home
from bench.cli.run_options import RunOptions
from bench.controls import CONTROLS
from bench.data.dataset import Folders
from bench.data.perturb import check_perturbation
from bench.data.splits import Limits
from bench.device import Processes
from bench.errors import DownloadError, UserError, unknown
from bench.models.zoo import Zoo
from bench.numerics import REFERENCE, Numerics
from bench.numerics import choose as choose_numerics
from bench.planning import released, sources, values
from bench.planning import request as requests
from bench.planning.gather import gather
from bench.planning.matrix import build
from bench.planning.request import Request
from bench.predict.user_weights import own_weights
from bench.progress import Progress
from bench.recipe import Recipe
from bench.results.folder import Results
from bench.suites import suite as suites
from bench.types import Plan

#: Packages that the extra `run` brings, by the names that they are imported by.
RUN_PACKAGES = (
    *("torch", "torchvision", "diffusers", "transformers", "safetensors", "huggingface_hub", "lpips", "sklearn"),
    *("cv2", "timm", "tokenizers", "filelock", "joblib", "threadpoolctl", "imagehash", "datasets", "pywt"),
)


@dataclass(frozen=True)
class Prepared:
    """A checked request with its models and folders; ``device`` is ``cpu`` or ``cuda``.

    ``cluster`` is the address of the Ray cluster to run on; empty for one of this machine, None for none.
    """

    request: Request
    zoo: Zoo
    store: Store
    results: Results
    device: str
    processes: Processes
    cluster: str | None


def _check_names(suite: suites.Suite, options: RunOptions) -> str:
    """Check the names of training sources, tests and perturbations, without data; returns the training sources.

    A user's folder may contain generators that no dataset knows, so its subsets are checked after it was listed.
    """
    train = suite.train if options.train is None else options.train
    if not options.data:
        sources.check_train_names(train)
        requests.check_test_names(options.test)
    for name in suite.perturbations:
        check_perturbation(name)
    for name in suite.controls:
        if name not in CONTROLS:
            raise unknown("control", name, CONTROLS)
    for pair in suite.compare:
        requests.choose_methods(",".join(pair), suite)
    return train


def _limits(suite: suites.Suite, options: RunOptions) -> Limits:
    train = suite.limit_train if options.limit_train is None else options.limit_train
    test = suite.limit_test if options.limit_test is None else options.limit_test
    return Limits(values.choose_limit("--limit-train", train), values.choose_limit("--limit-test", test))


def _probes(suite: suites.Suite, zoo: Zoo, options: RunOptions, progress: Progress) -> dict[str, Recipe]:
    """The suite's probes if requested; none, with a warning, if their weights are missing: the run goes on."""
    if options.methods == requests.NO_METHODS and options.probes is False:
        raise UserError(
            "--methods none --no-probes leaves nothing to do.", "`none`: probes alone.", "Leave out one of them."
        )
    usual = options.methods in ("all", requests.EVERYTHING, requests.NO_METHODS) and not options.checkpoint
    if not (usual if options.probes is None else options.probes):
        return {}
    probes = requests.choose_probes(suite)
    try:
        for role in set[str]().union(*(recipe.roles() for recipe in probes.values())):
            zoo.folder(role)
    except UserError as error:
        progress.warn(f"no probes: {error.problem} {error.fix}")
        return {}
    return probes


def _tests(
    suite: suites.Suite, options: RunOptions, folders: dict[str, dict[str, Folders]]
) -> tuple[tuple[str, str], ...]:
    """The test subsets of the options; of the suite's own choice if they name none."""
    return requests.limited_to(
        suite.only if options.test == "all" else (), requests.choose_tests(options.test, folders)
    )


def require_run() -> None:
    """Raise UserError if the packages of the extra ``run`` are not installed."""
    missing = [name for name in RUN_PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(
            f"This needs packages that are not installed: {', '.join(missing)}.",
            "The base installation reads and reports results; training and scoring need the extra `run`.",
            "Install it again with the extra: pip install '.[run]' in a checkout, or pip install 'WHEEL[run]'.",
        )


def load_plugins(paths: Sequence[Path], progress: Progress) -> None:
    """Load plugins, with a warning for each that cannot be used. Raises UserError for a path that does not exist."""
    for path in paths:
        if not path.exists():
            raise UserError(
                f"--plugin {path} does not exist.",
                f"Looked at {path.absolute()}.",
                "Name a Python file, or a folder of Python files.",
            )
    for message in discover.load_plugins(paths):
        progress.warn(message)


def plugin_name(method: str, paths: Sequence[Path], progress: Progress) -> str:
    """Load plugins; returns the name of a method given by name or as a file. Raises UserError if it is unknown."""
    file = Path(method)
    load_plugins(paths, progress)
    if file.suffix != ".py" and not file.exists():
        discover.method(method)
        return method
    problems = discover.load_plugins([file]) if file.is_file() else [f"{file} is not a file"]
    if not file.is_file() or file.resolve() not in discover.plugin_files():
        raise UserError(
            f"{file} cannot be checked.", f"{problems[-1]}.", "Name a method, or a Python file that defines METHOD."
        )
    discover.method(file.stem)
    return file.stem


def _with_downloads(options: RunOptions, progress: Progress) -> RunOptions:
    """The options with files in the place of ``--methods all-released`` and ``--checkpoint METHOD=hub``."""
    words, methods = list(options.checkpoint or ()), options.methods
    named = sources.comma_list(methods)
    if released.ALL_RELEASED in named:
        given = {word.partition("=")[0] for word in words}
        without = {word.removeprefix("-") for word in named if word.startswith("-")}
        words += released.everything(given | without, progress)
        trained = [word for word in named if word != released.ALL_RELEASED and not word.startswith("-")]
        methods = ",".join(trained) or "all"  # Beside released weights, `all` trains nothing.
    found = released.downloaded(words, options.weights or (), progress)
    return replace(options, methods=methods, checkpoint=list(found.checkpoints), weights=list(found.weights))


def _trained(files: Collection[str], suite: suites.Suite, options: RunOptions) -> tuple[requests.Chosen, ...]:
    """The methods that are trained: those of ``--methods``; beside released weights, ``all`` means none."""
    trained = () if files and options.methods == "all" else requests.choose_methods(options.methods, suite)
    released.beside(files, trained)
    return trained


def _roles(request: Request) -> list[set[str]]:
    return [requests.roles_of(chosen, chosen.label in request.released) for chosen in request.methods]


def _check_methods(request: Request, zoo: Zoo, options: RunOptions, progress: Progress) -> None:
    """Check the protocols and the weights of every method. Raises UserError if one has none."""
    requests.check_protocols(request)
    errors = list[UserError]()
    for role in sorted(set[str]().union(*_roles(request))):
        try:
            zoo.folder(role)
        except UserError as error:
            errors.append(error)
    if errors:
        raise errors[0] if len(errors) == 1 else _all_missing(errors)
    if options.data and zoo.is_mini and any(_roles(request)):
        progress.warn(
            "miniature weights on other data: the pipeline runs, but the numbers are not those of Stable Diffusion."
        )


def _all_missing(errors: Sequence[UserError]) -> UserError:
    """One error that names everything that a run lacks."""
    lacking = "\n  ".join(f"{error.problem} {error.context}" for error in errors)
    fixes = "\n  ".join(dict.fromkeys(error.fix for error in errors))
    kind = DownloadError if all(isinstance(error, DownloadError) for error in errors) else UserError
    return kind(f"The weights of {len(errors)} models are missing.", lacking, fixes)


def _processes(request: Request, zoo: Zoo, options: RunOptions, device: str) -> Processes:
    """The number of parallel processes: as requested, else as cores and memory allow for the largest models.

    Raises UserError if less than one is requested.
    """
    if options.processes is not None:
        if options.processes < 1:
            raise UserError(
                f"--processes {options.processes} is too small.", "At least one process must compute.", "Use 1 or more."
            )
        return Processes(options.processes, requested=True)
    if device == "cuda" or options.devices_per_fit > 1:
        return Processes(1)
    used_together = _roles(request) + [set(recipe.roles()) for recipe in request.probes.values()]
    sizes = {role: zoo.size(role) for role in set[str]().union(*used_together)}
    return devices.processes(max((sum(sizes[role] for role in roles) for roles in used_together), default=0))


def new_zoo(weights: Sequence[str], models: str, store: Path, numerics: Numerics = REFERENCE) -> Zoo:
    """The models of ``--models``, some of them replaced by those of ``--weights``."""
    return Zoo(models, own_weights(weights, store, models), store, numerics)


def _labelled(suite: suites.Suite, own: bool) -> suites.Suite:
    """The suite; if ``own``, its label says that its settings are used on a user's own data, and no family is known."""
    label = f"own data under the settings of the suite {suite.name}; not comparable with GenImage numbers"
    return suite.model_copy(update={"label": label, "families": {}}) if own else suite


def _device(options: RunOptions) -> str:
    values.choose_device(options.device)
    return devices.present(options.device)


def check(options: RunOptions, progress: Progress) -> Prepared:
    """Check all options without importing torch. Raises UserError for those that cannot be used."""
    require_run()
    load_plugins(options.plugin or (), progress)
    suite = suite_of(options)
    options = _with_downloads(with_null(options, suite, progress), progress)
    files = released.named(options.checkpoint or (), suite)
    trained = _trained(files, suite, options)
    protocols = values.choose_protocols(",".join(suite.protocols) if options.protocols is None else options.protocols)
    seeds = values.choose_seeds(",".join(map(str, suite.seeds)) if options.seeds is None else options.seeds)
    limits = _limits(suite, options)
    home = writable_home(suite, options)
    train = _check_names(suite, options)
    device, cluster = _device(options), values.choose_executor(options.executor, options.ray_address)
    numerics = choose_numerics(options.precision, options.deterministic, device)
    numerics = numerics.for_fits(options.micro_batch, options.devices_per_fit, alone=cluster is None)
    models = options.models or ("hub" if files and not trained else suite.models)
    zoo = new_zoo(options.weights or (), models, options.store, numerics)
    places = places_of(suite, options, progress, trained, limits)
    folders = {name: subsets for name, (_, subsets) in places.items()}
    chosen = sources.choose_sources(train, folders[sources.TRAIN_DATASET]) if trained else ()
    requests.check_tasks(trained, chosen)
    request = Request(
        suite=_labelled(suite, own=bool(options.data) and (suite.data == "mini" or zoo.is_mini)),
        methods=(*trained, *(one for one, _ in files.values())),
        sources=chosen,
        tests=_tests(suite, options, folders) if not chosen or any(not s.target for s in chosen) else (),
        protocols=protocols,
        controls=suite.controls,
        seeds=seeds,
        limits=limits,
        roots={name: home for name, (home, _) in places.items()},
        folders=folders,
        perturbations=suite.perturbations,
        probes=_probes(suite, zoo, options, progress),
        released=released.with_digests(files, zoo.digest),
    )
    _check_methods(request, zoo, options, progress)
    processes = _processes(request, zoo, options, device)
    return Prepared(request, zoo, Store(options.store), Results(home), device, processes, cluster)


def keep_released(prepared: Prepared) -> None:
    """Write the released weights of a request to the store as finished fits. Raises UserError if one does not match."""
    from bench.predict.predict import keep_checkpoint

    for one in prepared.request.released.values():
        fit = one.fit(prepared.zoo.hash)
        keep_checkpoint(one.chosen, fit, one.path, (prepared.zoo, prepared.store))


def plan_of(prepared: Prepared, options: RunOptions, progress: Progress) -> Plan:
    """Scan the images and build the matrix."""
    with devices.without_collection():
        data = gather(prepared.request, options.store / "index", progress)
        return build(prepared.request, data, prepared.zoo.hash, prepared.zoo.numerics)
