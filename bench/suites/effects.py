"""What the papers claim, as quantities with a sign: ``claims/effects.toml``."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, get_args

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from bench.errors import UserError
from bench.recipe import content_key

FILE = Path(__file__).parent / "claims" / "effects.toml"
#: What an interval says of a claim: it lies on the claimed side, on the other side, or on both.
Verdict = Literal["shown", "opposite", "open"]
VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
#: Sources that are committed results folders instead of experiments begin with this.
BOARD = "board/"


class Measure(BaseModel):
    """One quantity that a claim is about.

    ``source`` is an experiment, or ``board/NAME`` for a folder of ``results/board``. Exactly one of these is given:

    * ``compare``: AUC of the first method minus that of the second, trained on ``train`` and tested on ``of``
      (``dataset:subset``, where a subset may be ``mean:all`` and the like). With ``each``, the mean over these
      generators of GenImage, for each of which there is a detector trained and tested on it.
    * ``shift``: of one value of the experiment, the mean of photographs minus that of fakes; of two, how much larger
      that is for the second. ``of`` names one generator; without it all images are taken together.
    * ``fakes``: the mean of the first value over fakes minus that of the second.
    * ``ratio``: the seconds per image of the first value over those of the second.

    The claim is that it is ``above`` the number ``than``, ``below`` it, or another number on ``either`` side. ``title``
    says what it is, if a claim has several.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    source: str
    title: str = ""
    compare: tuple[str, str] | None = None
    train: str = "sdv14"
    of: str = ""
    each: tuple[str, ...] = ()
    shift: tuple[str, ...] = ()
    fakes: tuple[str, str] | None = None
    ratio: tuple[str, str] | None = None
    side: Literal["above", "below", "either"] = "above"
    than: float = 0.0

    @model_validator(mode="after")
    def _one(self) -> Measure:
        if sum(map(bool, (self.compare, self.shift, self.fakes, self.ratio))) != 1:
            raise ValueError("a measure has exactly one of compare, shift, fakes and ratio")
        if len(self.shift) > 2:
            raise ValueError("shift names one value or two")
        return self

    @property
    def places(self) -> list[tuple[str, str]]:
        """(training source, ``dataset:subset``) of every comparison that is averaged."""
        each = [(name, f"genimage:{name}") for name in self.each]
        return each or [(self.train, self.of or "genimage:mean:all")]

    @property
    def key(self) -> str:
        """Content key of what is measured and claimed; the title is not part of it."""
        return content_key(self.model_dump(mode="json", exclude={"title"}))

    def verdict(self, low: float, high: float) -> Verdict:
        """What an interval says of the claim."""
        above, below = low > self.than, high < self.than
        if self.side == "below":
            above, below = below, above
        elif self.side == "either":
            above, below = above or below, False
        return "shown" if above else "opposite" if below else "open"


class Effect(BaseModel):
    """A claim of a paper: a short title, where it stands, the claim in words, and what measures it.

    ``paper`` is sare, lare2 or semgir; a claim that the paper implies without testing it says so in ``place``.
    ``because`` has a reason for each verdict that was reached.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    paper: Literal["sare", "lare2", "semgir"]
    place: str
    claim: str
    measures: tuple[Measure, ...]
    because: Mapping[Verdict, str] = {}


def load(path: Path = FILE) -> dict[str, Effect]:
    """All effects by name, in the order of the file. Raises UserError if it is not valid."""
    try:
        tables = tomllib.loads(path.read_text(encoding="utf-8"))
        return {name: Effect.model_validate(table) for name, table in tables.items()}
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        fix = "Each table has paper, place, claim and measures; bench/suites/effects.py says what a measure has."
        raise UserError(f"The effects in {path} are not valid.", f"{error}.", fix) from error


def pairs(effects: Mapping[str, Effect]) -> list[tuple[str, Measure]]:
    """Every measure with the name of its effect, in order."""
    return [(name, measure) for name, effect in effects.items() for measure in effect.measures]
