"""The content of a scene of the miniature world, and its captions.

A scene is an object of one colour on a ground (the three captioned facts) with details that no caption mentions:
texture, pose, shading, vignette. The long caption adds clutter and its count, stripes and light.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

OBJECTS = ("disc", "square", "triangle", "star", "ring", "cross", "flower", "crescent", "heart", "house")
COLOURS = ("red", "orange", "yellow", "green", "blue", "purple", "white", "pink")
GROUNDS = ("grass", "sand", "water", "brick", "sky", "wood", "snow", "night")
CLUTTER = ("leaves", "pebbles", "twigs")
LIGHTS = ("left", "right", "above")
COUNTS = ("no", "one", "two", "three", "four", "five", "many")

#: One number per stream, so that no two streams share a scene.
STREAMS = {"generators": 1, "wide": 2, "detectors": 3, "heldout": 4}


@dataclass(frozen=True)
class Scene:
    """One scene: facts of the short and of the long caption, pose, and the seed of all other details.

    ``size`` is the object's radius as a share of the shorter image side (0.2 to 0.36), ``centre`` its offset from the
    middle in the same unit, ``angle`` is in radians, ``squash`` the ratio of its axes.
    """

    object: str
    colour: str
    ground: str
    clutter: str
    count: int
    striped: bool
    light: str
    size: float
    centre: tuple[float, float]
    angle: float
    squash: float
    seed: tuple[int, ...]

    @property
    def caption(self) -> str:
        """The short caption: object, colour, ground."""
        article = "an" if self.colour == "orange" else "a"
        return f"{article} {self.colour} {self.object} on {self.ground}"

    @property
    def long_caption(self) -> str:
        """The long caption: the facts of the short one, stripes, clutter and its count, and light."""
        pattern = "striped" if self.striped else "plain"
        count = COUNTS[min(self.count, len(COUNTS) - 1)]
        facts = f"a {pattern} {self.colour} {self.object} on {self.ground}"
        return f"{facts} with {count} {self.clutter} , light from the {self.light}"

    def generator(self) -> np.random.Generator:
        """A new random generator for this scene's uncaptioned details, in the same state at every call."""
        return np.random.default_rng([*self.seed, 1])


def sample_scene(stream: str, *path: int) -> Scene:
    """Scene number ``path`` of a stream; the same arguments always give the same scene.

    ``stream`` is a key of :data:`STREAMS`. Object, colour and ground are independent and uniform in every stream, so
    they carry no information about an image's origin.
    """
    seed = (STREAMS[stream], *path)
    rng = np.random.default_rng([*seed, 0])
    colour, ground = str(rng.choice(COLOURS)), str(rng.choice(GROUNDS))
    return Scene(
        object=str(rng.choice(OBJECTS)),
        colour=colour,
        ground=ground,
        clutter=str(rng.choice(CLUTTER)),
        count=int(rng.integers(0, 10)),
        striped=bool(rng.random() < 0.35),
        light=str(rng.choice(LIGHTS)),
        size=float(rng.uniform(0.22, 0.36)),
        centre=(float(rng.uniform(-0.12, 0.12)), float(rng.uniform(-0.12, 0.12))),
        angle=float(rng.normal(0.0, 0.25)),
        squash=float(np.exp(rng.normal(0.0, 0.08))),
        seed=seed,
    )


def scene_class(scene: Scene) -> int:
    """A number for object, colour and ground: the miniature's ImageNet class."""
    of_colour = OBJECTS.index(scene.object) * len(COLOURS) + COLOURS.index(scene.colour)
    return of_colour * len(GROUNDS) + GROUNDS.index(scene.ground)


def class_words() -> list[str]:
    """The description of every class, by its number."""
    return [f"{colour} {thing} on {ground}" for thing in OBJECTS for colour in COLOURS for ground in GROUNDS]
