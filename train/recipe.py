"""A recipe: everything that decides what a run makes, as a small TOML file."""

from __future__ import annotations

import inspect
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from streamser import strict
from streamser.analysis.voice import GateSettings
from streamser.model.manifest import Features

SCRATCH = "none"
"""In place of a file of weights that a network could begin with."""

RECIPES = Path(__file__).parent / "recipes"
SPLIT = r"(pooled|emobox|sentence-out|\w+/left-out)/[1-9]\d*(/refit)?"
"""Names of the splits that streaming networks are trained on (train.splits)."""

T = TypeVar("T")
Table = dict[str, Any]


class RecipeError(Exception):
    """A recipe cannot be read; the message is one line for the user."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkSettings:
    """The shape of the network."""

    stem: int = 96
    """Channels after the first convolution, where coefficients are channels."""

    stem_dilations: tuple[int, ...] = (1, 2)
    bands: tuple[int, ...] = ()
    """Channels of convolutions over time and mel bands, one after another, instead of the stem."""

    join: int = 2
    """Steps over which the body's first convolution joins what all bands hold."""

    strides: tuple[int, ...] = (2, 2)
    """In time, to a step of the body together: of stem and body, or of each of `bands`."""

    body: int = 128
    """Channels from there on."""

    body_dilations: tuple[int, ...] = (1, 2, 4, 8)
    kernel: int = 3
    hidden: int = 128
    block_dropout: float = 0.1
    head_dropout: float = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class AugmentSettings:
    """How often and how strongly; probabilities are per clip."""

    gain_db: float = 8.0
    """Uniform, either way: how loud the microphone is set."""

    tilt_db: float = 6.0
    """Uniform, either way, from the lowest to the highest band."""

    warp: float = 0.0
    """Largest stretch of the band axis, either way: longer and shorter vocal tracts."""

    ripple_db: float = 3.0
    """Standard deviation of a slow curve over the bands: colour of microphone and room."""

    noise: float = 0.5
    snr_db: tuple[float, float] = (3.0, 30.0)
    paste: float = 0.0
    """Share of the draws joined with another clip of the same voice, as emotional or neutral."""

    rooms: float = 0.0
    """Share of the draws that are heard in a simulated room (train.rooms)."""

    reverb: float = 0.3
    """A diffuse tail, without a room's early reflections."""

    reverb_seconds: tuple[float, float] = (0.15, 0.8)
    band_limit: float = 0.15
    time_masks: int = 2
    time_mask_seconds: float = 0.15
    """The longest."""

    band_masks: int = 2
    band_mask_bands: int = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """How long and how a network learns."""

    taught: float = 0.0
    """Share of the targets that comes from a pretrained teacher (train.teacher; knowledge
    distillation, Hinton et al., 2015)."""

    hinted: float = 0.0
    """Weight of guessing at each hop what of the teacher's layers tells emotions (train.bottleneck;
    hints, Romero et al., ICLR 2015); only where it has a share of the targets."""

    passes: int = 40
    draws: int = 14_000
    """Clips per pass, drawn by corpus, then by emotion."""

    batch: int = 64
    optimiser: str = "muon"
    """Or `adamw`."""

    learning_rate: float = 2e-3
    warmup: float = 1.0
    """Passes."""

    weight_decay: float = 0.02
    label_smoothing: float = 0.1
    ema: float = 0.999
    """Share of the averaged weights that survives one batch (Polyak averaging)."""

    max_hops: int = 40
    short_crops: float = 0.3
    """Share of the draws cut to a random shorter stretch, so that early answers are learnt too."""

    prefixes: int = 0
    """Random beginnings of each clip that are judged too, so that early answers are learnt; they
    have half of the loss together."""

    mixup: float = 0.0
    """Alpha of the beta distribution from which the share of a second voice is drawn."""

    class_balance: float = 0.5
    """0 draws the clips of a corpus evenly, 1 its emotions."""

    listener_votes: float = 0.3
    """Share of CREMA-D's targets that comes from listeners who heard the voice alone."""

    prior_seconds: float = 1.0
    half_life: float = 30.0
    synthetic_sounds: int = 660
    bfloat16: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What `python -m train fit` needs besides a seed."""

    name: str
    description: str
    corpora: dict[str, float]
    """Corpus to the share of draws it gets; those that are absent leave theirs to the others."""

    mfcc: Features
    shipped: str = ""
    """The split whose bundle, with seed 0, lies in `models/`: `pooled/1/refit`; none at first."""

    labels: tuple[str, ...] = (
        "neutral", "happy", "sad", "angry", "fearful", "disgust", "surprised", "unknown",
    )  # fmt: skip
    gate: GateSettings = field(default_factory=GateSettings)
    network: NetworkSettings = field(default_factory=NetworkSettings)
    augment: AugmentSettings = field(default_factory=AugmentSettings)
    fit: FitSettings = field(default_factory=FitSettings)

    def __post_init__(self) -> None:
        if self.shipped and not re.fullmatch(SPLIT, self.shipped):
            raise RecipeError(f"{self.name}: shipped: no split {self.shipped}: say pooled/1/refit")


def load_recipe(name: str) -> Recipe:
    """Read a recipe by its name in `train/recipes` or by its path. Raises RecipeError."""
    return read_recipe(Recipe, *find_table(name))


def find_table(name: str) -> tuple[Path, Table]:
    """Return the path of a recipe, by its name in `train/recipes` or by its path, and what it says.

    Raises RecipeError.
    """
    path = Path(name) if name.endswith(".toml") else RECIPES / f"{name}.toml"
    try:
        return path, tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        known = ", ".join(sorted(p.stem for p in RECIPES.glob("*.toml")))
        raise RecipeError(f"no recipe {name}: there are {known}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: {error}") from None


def read_recipe(kind: type[T], path: Path, table: Table) -> T:
    """Return what the file `path` says as a recipe of a kind. Raises RecipeError."""
    try:
        return strict.read(kind, table)
    except ValueError as error:
        raise RecipeError(f"{path}: {error}") from None


def call(function: Callable[..., T], settings: Table, *given: Any, where: str) -> T:
    """Call `function` with what a recipe sets, `name` aside. Raises RecipeError for a wrong key."""
    keywords = {key: value for key, value in settings.items() if key != "name"}
    try:
        inspect.signature(function).bind(*given, **keywords)
    except TypeError as error:
        raise RecipeError(f"{where}: {settings['name']}: {error}") from None
    return function(*given, **keywords)
