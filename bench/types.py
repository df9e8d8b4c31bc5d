"""Data types shared by all packages of the harness: what is named on disk, in tables and in function signatures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from bench.operations import Encoding, Operation
from bench.recipe import CLASSES, DONORS, SOURCE, Recipe, content_key

REAL, FAKE = 0, 1
BOTH = frozenset({REAL, FAKE})
OK = "ok"
#: Status of an image without a score because an artefact could not be made; the next run tries again.
NO_ARTEFACT = "no_artefact"
Use = Literal["measured", "shown", "timed"]


def label_of(method: str, variant: str) -> str:
    """A method as on the command line: ``dire``, or ``dire[adm]`` with a variant."""
    return f"{method}[{variant}]" if variant else method


#: Training source and protocol of fits with their authors' weights, and of scores computed elsewhere.
RELEASED, EXTERNAL = "released", "external"


@dataclass(frozen=True, slots=True)
class Item:
    """One image of a slice.

    ``row_id`` hashes the path inside the dataset, ``file_id`` the bytes, ``image_id`` width, height and decoded RGB.
    ``perceptual`` is the hash by which copies are found (:mod:`bench.data.copies`).
    ``label`` is 1 for fake, 0 for real, None if unknown; ``class_name`` is the class that its dataset gives for the
    image's content, or empty. ``quality`` is the JPEG quality estimated from the quantisation tables, 0 for other
    containers. An image whose ``status`` is not ``ok`` is quarantined; ``reason`` says why.
    """

    row_id: str
    path: Path
    label: int | None
    file_id: str = ""
    image_id: str = ""
    class_name: str = ""
    container: str = ""
    quality: int = 0
    width: int = 0
    height: int = 0
    bytes: int = 0
    perceptual: str = ""
    status: str = OK
    reason: str = ""

    @property
    def content(self) -> str:
        """Hash by which images are ordered: of the pixels, of the bytes if they cannot be decoded, else of the path."""
        return self.image_id or self.file_id or self.row_id


@dataclass(frozen=True)
class Slice:
    """A named set of images, and where their pixels come from.

    ``image`` is :data:`~bench.recipe.SOURCE` for the files as they are, or the recipe of a protocol. ``operations``
    maps a ``row_id`` to what that protocol does to the image; ``left_out`` counts the readable images not used.
    """

    dataset: str
    subset: str
    role: str
    items: tuple[Item, ...]
    protocol: str = "raw"
    image: Recipe | str = SOURCE
    operations: Mapping[str, Operation | Encoding] = field(default_factory=dict)
    left_out: int = 0

    @property
    def name(self) -> str:
        """``genimage-sdv14-test``, for messages and file names."""
        return f"{self.dataset}-{self.subset}-{self.role}"

    @cached_property
    def usable(self) -> tuple[Item, ...]:
        """The items that could be read."""
        return tuple(item for item in self.items if item.status == OK)

    @cached_property
    def image_ids(self) -> tuple[str, ...]:
        """The image ids of the readable items."""
        return tuple(item.image_id for item in self.usable)

    def count(self, label: int) -> int:
        """Number of readable images with a label."""
        return sum(item.label == label for item in self.usable)

    @cached_property
    def classes(self) -> str:
        """Digest of the images' class names, part of the key of everything that depends on them."""
        return content_key(sorted((item.image_id, item.class_name) for item in self.usable))

    def bound(self, need: Recipe) -> Recipe:
        """A method's need bound to this slice's pixels, and to its classes or images if the need depends on them."""
        members = content_key(sorted(self.donors)) if DONORS in need.of_slice else ""
        return need.bind(self.image, {CLASSES: self.classes, DONORS: members} if need.of_slice else {})

    @cached_property
    def donors(self) -> Mapping[str, Item]:
        """Another readable image for each image id, in an order that depends on the ids alone."""
        known = {item.image_id: item for item in reversed(self.usable)}
        order = sorted(known, key=lambda identity: content_key(["donor", identity]))
        return {identity: known[donor] for identity, donor in zip(order, order[1:] + order[:1], strict=True)}

    @cached_property
    def key(self) -> str:
        """Content key of the files, their labels and the protocol; file names are not part of it."""
        members = sorted((i.image_id, i.file_id, str(i.label), i.status) for i in self.items)
        image = self.image.key if isinstance(self.image, Recipe) else self.image
        return content_key([self.dataset, self.subset, self.role, members, image])


@dataclass(frozen=True)
class Fit:
    """Everything that determines one checkpoint.

    ``params`` and ``weights`` are resolved; ``recipes`` are the keys of all artefacts that training reads, ``source``
    is the training source, ``train`` and ``val`` are slice keys, ``numerics`` are a :class:`~bench.recipe.Recipe`'s,
    ``noise`` is added to the seeds of artefacts, and ``budget`` is the method's (:mod:`bench.training.budgets`).
    """

    method: str
    variant: str
    version: int
    params: Mapping[str, Any]
    weights: Mapping[str, str]
    recipes: tuple[str, ...]
    source: str
    train: tuple[str, ...]
    val: tuple[str, ...]
    protocol: str
    seed: int
    task: str = "detect"
    numerics: Mapping[str, str] = field(default_factory=dict)
    noise: int = 0
    budget: str = "recipe"

    @cached_property
    def key(self) -> str:
        """Content key; the name of the checkpoint's folder."""
        content = asdict(self)
        del content["variant"]  # Its parameters are in ``params``; its name must not change the key.
        for name, usual in (("numerics", {}), ("noise", 0), ("budget", "recipe")):
            if content[name] == usual:
                del content[name]
        return content_key(content)

    @property
    def label(self) -> str:
        """``dire`` or ``dire[adm]``, as on the command line."""
        return label_of(self.method, self.variant)

    @property
    def trained_on(self) -> tuple[str, ...]:
        """The keys of the slices that it is trained on; none for released weights, whose ``train`` is their file."""
        return self.train if self.protocol else ()

    @property
    def title(self) -> str:
        """Text for messages: method, training source, protocol and seed; for a checkpoint, method and digest."""
        trained = f"{self.label} on {self.source}, {self.protocol}, seed {self.seed}"
        return trained if self.protocol else f"{self.label}, {self.source}"


@dataclass(frozen=True)
class CellId:
    """What a cell of the matrix is, in words that tables use: a method's training, and what it is tested on.

    ``train`` is the training source, ``relation`` that of the test subset to it.
    """

    method: str
    variant: str
    train: str
    train_protocol: str
    seed: int
    task: str
    dataset: str
    subset: str
    role: str
    protocol: str
    perturbation: str
    relation: str

    @property
    def label(self) -> str:
        """``dire`` or ``dire[adm]``."""
        return label_of(self.method, self.variant)


@dataclass(frozen=True)
class Cell:
    """One fit scored on one slice: a row of a table before its metrics.

    ``classes`` is the digest of the slice's classes if the method uses them, else empty.
    """

    fit: Fit
    test: Slice
    perturbation: str = "none"
    relation: str = "out"
    classes: str = ""

    @cached_property
    def key(self) -> str:
        """Content key of the scores."""
        return content_key([self.fit.key, self.test.key, self.perturbation, *([self.classes] if self.classes else [])])

    @property
    def name(self) -> str:
        """File stem of the scores: ``genimage-sdv14-test@raw+permuted``."""
        suffix = "" if self.perturbation == "none" else f"+{self.perturbation}"
        return f"{self.test.name}@{self.test.protocol}{suffix}"

    @property
    def title(self) -> str:
        """Text for messages: method, training and test."""
        return f"{self.fit.label} ({self.fit.source}, {self.fit.protocol}, seed {self.fit.seed}) on {self.name}"

    @property
    def id(self) -> CellId:
        """The cell in words."""
        fit, test = self.fit, self.test
        trained = (fit.source, fit.protocol) if fit.protocol else (RELEASED, RELEASED)
        training = (fit.method, fit.variant, *trained, fit.seed, fit.task)
        return CellId(*training, test.dataset, test.subset, test.role, test.protocol, self.perturbation, self.relation)


@dataclass(frozen=True)
class Hole(CellId):
    """A cell of the matrix that cannot be computed, with the reason; no average that includes it is computed."""

    reason: str


@dataclass(frozen=True)
class Job:
    """Artefacts to make: one recipe over the images of one slice that have one of ``labels``."""

    recipe: Recipe
    slice: Slice
    labels: frozenset[int] = BOTH

    @property
    def usable(self) -> tuple[Item, ...]:
        """The readable images whose artefacts are made."""
        whole = self.slice.usable
        return whole if self.labels >= BOTH else tuple(item for item in whole if item.label in self.labels)

    def donor(self, item: Item) -> Item:
        """The image whose artefacts are the other inputs for an item: itself, or a donor if the recipe needs one."""
        return self.slice.donors[item.image_id] if DONORS in self.recipe.params else item


@dataclass(frozen=True)
class Probe:
    """A recipe applied to a slice, by its name in reports: measured, shown or timed; with a ``reason``, a hole."""

    name: str
    recipe: Recipe
    slice: Slice
    use: Use = "measured"
    reason: str = ""

    @property
    def key(self) -> str:
        """Content key of the values."""
        return content_key([self.recipe.key, self.slice.key, *([] if self.use == "measured" else [self.use])])


@dataclass(frozen=True)
class Plan:
    """What a run will do: jobs in an order that respects their dependencies, fits, cells, and holes with their reasons.

    ``passed`` counts what is in the image folders but is not an image, by split and kind.
    """

    slices: Mapping[str, Slice]
    jobs: tuple[Job, ...]
    fits: tuple[Fit, ...]
    cells: tuple[Cell, ...]
    holes: tuple[Hole, ...] = ()
    probes: tuple[Probe, ...] = ()
    passed: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
