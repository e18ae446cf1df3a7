"""Networks of the published systems, one file each.

A module offers `build(shape, classes, **parameters)`: a Keras model from `features` of that shape
to one logit per class.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any

from train.recipe import RecipeError, call

if TYPE_CHECKING:
    import keras


def build(settings: dict[str, Any], shape: tuple[int, ...], classes: int) -> keras.Model:
    """Build the network that a recipe names. Raises RecipeError."""
    known = [module.name for module in pkgutil.iter_modules(__path__)]
    name = settings.get("name", "")
    if name not in known:
        raise RecipeError(f"[network]: no network {name}: there are {', '.join(known)}")
    module = importlib.import_module(f"train.networks.{name}")
    return call(module.build, settings, shape, classes, where="[network]")
