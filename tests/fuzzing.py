"""How many inputs a parser is given: few by default, as many as wanted with STREAMSER_FUZZ."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

INPUTS = int(os.environ.get("STREAMSER_FUZZ", "150"))

fuzz = settings(
    max_examples=INPUTS, deadline=None, suppress_health_check=list(HealthCheck), database=None
)
