"""One measured figure beside its budget."""

from typing import Literal, NamedTuple


class Figure(NamedTuple):
    """`budget` bounds `value` from the side `must_be` says; None: told, not judged."""

    name: str
    value: float
    unit: str
    must_be: Literal["at most", "at least"] = "at most"
    budget: float | None = None

    @property
    def ok(self) -> bool:
        if self.budget is None:
            return True
        return self.value <= self.budget if self.must_be == "at most" else self.value >= self.budget

    def line(self) -> str:
        """The figure as one line of the bench."""
        shown = (
            f"{self.name} {self.value:,.0f} {self.unit}"
            if self.value >= 1000
            else f"{self.name} {self.value:.3g} {self.unit}"
        )
        if self.budget is None:
            return shown
        return f"{shown}  ({self.must_be} {self.budget:g})  {'ok' if self.ok else 'MISSED'}"


def percentile(samples: list[float], percent: float) -> float:
    """By nearest rank; 0 without samples."""
    ordered = sorted(samples)
    return ordered[max(0, -(-len(ordered) * int(percent) // 100) - 1)] if ordered else 0.0
