"""The recipe of a published system: features, network, training and its own protocol, as TOML."""

from __future__ import annotations

from dataclasses import dataclass, field

from train.recipe import SCRATCH, Recipe, Table, find_table, read_recipe


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """What the publication says of itself, for the report."""

    claim: str
    """Its figure and the split it was measured on."""

    accuracy: float | None = None
    """Percent."""

    parameters: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """How a clip's names become the class that the network learns."""

    emotions: tuple[str, ...] = ()
    """Only these; all that the corpora have if empty."""

    calm: bool = False
    """Whether RAVDESS' calm is a class of its own instead of neutral."""

    gender: bool = False
    """Whether each emotion is a class per gender, such as `female_angry`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """How the network is trained; every schedule depends on epochs and the watched loss alone."""

    optimiser: str = "adam"
    learning_rate: float = 1e-3
    batch: int = 32
    epochs: int = 100
    decay: float = 0.0
    """The rate is divided by 1 + decay x batches seen."""

    plateau_factor: float = 1.0
    plateau_patience: int = 0
    """Epochs without a lower watched loss before the rate is multiplied by the factor."""

    step_from: int = 0
    step_every: int = 0
    step_factor: float = 1.0
    """From an epoch on the rate is multiplied by the factor every so many epochs."""

    stop_patience: int = 0
    """Epochs without a lower watched loss before training ends; 0 never ends it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Own:
    """The publication's protocol: clips drawn at random, so that speakers stand on both sides."""

    test_share: float = 0.2
    copies_before_split: bool = False
    """Whether the augmented copies of a test clip may train the network."""

    choose: str = "last"
    """Which epoch is judged: `last`, or the best on the test side by `loss` or `accuracy`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemRecipe:
    """Everything that decides what a run of a published system makes, besides protocol and seed."""

    name: str
    description: str
    published: Published
    corpora: tuple[str, ...]
    features: Table
    """`name` of a front in train.systems.fronts, `rate`, where to cut, and its parameters."""

    network: Table
    """`name` of a module in train.networks and the parameters of its `build`."""

    alone: bool = False
    """Whether each corpus makes a network of its own."""

    labels: Labels = field(default_factory=Labels)
    copies: tuple[Table, ...] = ()
    """Augmented copies of each clip: `name` of a function in train.systems.sound, parameters."""

    fit: Fit = field(default_factory=Fit)
    own: Own = field(default_factory=Own)

    @property
    def pretrained(self) -> bool:
        """Whether the network begins with weights from a file."""
        return self.network.get("weights", SCRATCH) not in ("", SCRATCH)


def find_recipe(name: str) -> Recipe | SystemRecipe:
    """Read a recipe of either kind by its name in `train/recipes` or its path.

    Raises:
        RecipeError: there is none, or it says what cannot be done.
    """
    path, table = find_table(name)
    if "features" not in table:
        return read_recipe(Recipe, path, table)
    return read_recipe(SystemRecipe, path, table)
