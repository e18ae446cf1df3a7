"""How many inputs a parser is given: few by default, as many as wanted with STREAMSER_FUZZ."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings


def inputs(default: int) -> settings:
    """Return settings for so many inputs, unless another number is asked for."""
    return settings(
        max_examples=int(os.environ.get("STREAMSER_FUZZ", default)),
        deadline=None,
        suppress_health_check=list(HealthCheck),
        database=None,
    )


fuzz = inputs(150)
fuzz_a_door = inputs(40)
"""Over real connections, some of which end only with a timeout."""
