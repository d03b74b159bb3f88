"""The bands of a risk score, of an agent or of an action. Pure: no Django, no I/O."""

BANDS = ((80, 5, "Severe"), (60, 4, "High"), (40, 3, "Raised"), (20, 2, "Low"), (0, 1, "Quiet"))
"""From score, band number 1 to 5, its word."""


def band(score: int) -> tuple[int, str]:
    """The band of a score from 0 to 100, 1 to 5, and its word."""
    return next((number, word) for least, number, word in BANDS if score >= least)
