"""What a user may set about the analysis."""

from __future__ import annotations

from dataclasses import dataclass

from streamser.analysis.voice import GateSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Raises ValueError for values that make no sense."""

    interval: float = 0.24
    """Seconds of speech from one `emotion` event to the next; whole hops of 80 ms."""

    aggressiveness: int = 2
    """WebRTC VAD's own mode, 0 (lets much through) to 3 (strict)."""

    onset: float = 0.24
    """Seconds over which voice must prevail before an utterance begins."""

    hangover: float = 0.64
    """Seconds without voice after which the utterance is over."""

    half_life: float = 30.0
    """Seconds of a long monologue after which what was heard counts half."""

    def __post_init__(self) -> None:
        if self.aggressiveness not in (0, 1, 2, 3):
            raise ValueError("aggressiveness has to be 0, 1, 2 or 3")
        for name, low, high in (
            ("interval", 0.08, 3600.0),
            ("onset", 0.02, 2.0),
            ("hangover", 0.08, 30.0),
            ("half_life", 1.0, 86_400.0),
        ):
            if not low <= getattr(self, name) <= high:
                raise ValueError(f"{name} has to be between {low:g} and {high:g} seconds")

    @property
    def gate(self) -> GateSettings:
        """What the voice gate needs to know."""
        return GateSettings(
            aggressiveness=self.aggressiveness, onset=self.onset, hangover=self.hangover
        )
