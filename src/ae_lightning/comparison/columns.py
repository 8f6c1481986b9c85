"""Which measures are columns, and how their headings and values are written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

from ae_lightning.comparison.contest import Contest, Row
from ae_lightning.judging.directions import ARROWS, BEST, measure_of
from ae_lightning.judging.goals import DECIDING
from ae_lightning.judging.measure import Goal

NUM_FIRST = 6
"""Measures shown at first: with place and name, eight columns."""

UNKNOWN = "terms of objectives, and measures of your own"
"""Heading of what this package does not know which way is better."""

LEGEND = f"↓ less is better, ↑ more is better, {BEST} best, or no further from it than the spread of seeds."


@dataclass(frozen=True)
class Columns:
    """Rows of a contest in the order of a goal, with a choice of their measures.

    Attributes:
        title: The goal that all of the measures are of; empty where they are of several.
        rows: The best first.
        places: Place by label; none of rows that are not ranked.
        measures: Names.
        best: Labels of the best rows by measure.
    """

    title: str
    rows: tuple[Row, ...]
    places: Mapping[str, int]
    measures: tuple[str, ...]
    best: Mapping[str, frozenset[str]]

    def is_best(self, row: Row, measure: str) -> bool:
        """Whether no other row is better in a measure."""
        return row.label in self.best[measure]

    def place(self, row: Row) -> str:
        """Return a row's place, with a mark where it shares it; nothing where it has none."""
        place = self.places.get(row.label)
        if place is None:
            return ""
        return f"={place}" if list(self.places.values()).count(place) > 1 else str(place)


def first_columns(contest: Contest, goal: Goal, measures: Sequence[str] = ()) -> Columns:
    """Rank rows by what decides a goal, with a choice of measures.

    Args:
        contest: The rows.
        goal: What an autoencoder is wanted for.
        measures: The choice; by default what is seen at first: what decides the goal, what decides each other, and more
            of the goal.
    """
    return _columns("", contest, contest.deciding(goal), measures or _first_measures(contest, goal))


def _first_measures(contest: Contest, goal: Goal) -> list[str]:
    measured = contest.measures()
    deciding = contest.deciding(goal)
    others = [name for other in DECIDING if other != goal and (name := contest.deciding(other))]
    more = [name for name in DECIDING[goal] if name in measured]
    second = [name for other in DECIDING for name in DECIDING[other] if name in measured]
    # What PCA has too is a measure, perhaps of a user's own, and no term of an objective.
    rest = [name for name in measured if any(name in row.values for row in contest.rows if row.is_baseline)]
    wanted = dict.fromkeys([*([deciding] if deciding else []), *others, *more, *second, *rest])
    return _by_goal(list(wanted)[:NUM_FIRST], goal)


def all_columns(contest: Contest, goal: Goal) -> list[Columns]:
    """Return a table of each goal, ranked by what decides it, and one of what has none.

    Args:
        contest: Its rows.
        goal: Comes first, and ranks where a table has nothing to rank by.
    """
    tables = []
    measured = contest.measures()
    for title in (goal, *(other for other in get_args(Goal) if other != goal), UNKNOWN):
        names = [name for name in measured if goal_of(name) == title]
        deciding = contest.deciding(title) if title in DECIDING else contest.deciding(goal)
        if names:
            tables.append(_columns(title, contest, deciding, names))
    return tables


def goal_of(measure: str) -> str:
    """Return the goal that a measure tells something about, as far as that is known."""
    found = measure_of(measure)
    return UNKNOWN if found is None else found.goal


def heading(measure: str) -> str:
    """Return a measure's name and which way it is better."""
    found = measure_of(measure)
    return f"{measure} {'' if found is None else ARROWS.get(found.metrics[measure], '')}".rstrip()


def _by_goal(measures: Sequence[str], goal: Goal) -> list[str]:
    """Put measures of one goal side by side, those of the chosen one first."""
    order = [goal, *(other for other in DECIDING if other != goal)]
    return sorted(measures, key=lambda name: order.index(found) if (found := goal_of(name)) in order else len(order))


def _columns(title: str, contest: Contest, deciding: str | None, measures: Sequence[str]) -> Columns:
    return Columns(
        title=title,
        rows=tuple(contest.in_order(deciding)),
        places={} if deciding is None else contest.ranks(deciding),
        measures=tuple(measures),
        best={name: frozenset(row.label for row in contest.winners(name)) for name in measures},
    )
