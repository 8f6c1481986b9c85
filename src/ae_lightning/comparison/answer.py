"""A comparison in words: which run is best for what, and by how much."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ae_lightning.comparison.contest import Contest, Row
from ae_lightning.judging.directions import measure_of
from ae_lightning.judging.goals import DECIDING
from ae_lightning.judging.measure import Goal

MAX_NAMED = 3
"""Rows of one place that are named; of more the number is told."""

IN_PLACE_OF = {
    "prior_swd": "tells how near codes lie to their prior, not what samples look like: "
    "sample_frechet does, which was not measured"
}
"""What it takes to read a metric that ranks for want of a better one."""

AT = {"compression_psnr": "bits_per_pixel"}
"""Metrics that say nothing without another, at which they were measured."""


@dataclass(frozen=True)
class Words:
    """A part of a sentence.

    Attributes:
        text: It.
        is_name: Whether it names a row that wins, and is to stand out.
    """

    text: str
    is_name: bool = False


Sentence = tuple[Words, ...]


def answer(contest: Contest, goal: Goal) -> list[Sentence]:
    """Say which rows of a contest are best for what, goal by goal, and what that leaves open.

    Args:
        contest: Rows that are held against one another.
        goal: Comes first.
    """
    goals = {one: contest.deciding(one) for one in dict.fromkeys((goal, *DECIDING))}
    sentences = [tuple(_verdict(contest, one, measure)) for one, measure in goals.items() if measure is not None]
    return [*sentences, *((Words(note),) for note in _notes(contest, [one for one in goals if goals[one] is None]))]


def _verdict(contest: Contest, goal: Goal, measure: str) -> Iterator[Words]:
    winners = contest.winners(measure)
    yield Words(f"Best to {goal}: ")
    yield from _named(winners, measure)
    if len(winners) > 1:
        yield Words(f", {_why_alike(winners)}")
    ranked = contest.in_order(measure)[: len(contest.ranks(measure))]
    best = winners[0]
    pca = next((row for row in ranked if row.is_baseline and row.latent_dim == best.latent_dim), None)
    if pca is None:
        yield Words("; PCA was not measured")
    elif pca not in winners:
        yield Words(f", {_apart(measure, best, pca)}")
    runner_up = next((row for row in ranked if not row.is_baseline and row not in winners), None)
    if runner_up is not None:
        place = "of the runs" if all(row.is_baseline for row in winners) else "next"
        yield Words(f"; {place} {runner_up.label} ({_said(runner_up, measure)})")
    yield Words(".")
    for name in DECIDING[goal]:
        by_it = contest.winners(name)
        if by_it and not any(row in winners for row in by_it):
            named = (words.text for words in _named(by_it, name, is_told=True))
            yield Words(f" Not so by {name}: {''.join(named)}.")
    if measure in IN_PLACE_OF:
        yield Words(f" {measure} {IN_PLACE_OF[measure]}.")


def _named(rows: Sequence[Row], measure: str, *, is_told: bool = False) -> Iterator[Words]:
    named = rows[:MAX_NAMED]
    for number, row in enumerate(named):
        if number:
            yield Words(" and " if number == len(named) - 1 and len(named) == len(rows) else ", ")
        yield Words(row.label, is_name=True)
        yield Words(f" ({'' if number or is_told else f'{measure} '}{_said(row, measure)})")
    if len(rows) > len(named):
        yield Words(f" and {len(rows) - len(named)} more")


def _why_alike(rows: Sequence[Row]) -> str:
    return "within the spread of seeds" if any(len(row.runs) > 1 for row in rows) else "alike"


def _said(row: Row, measure: str) -> str:
    at = AT.get(measure)
    said = str(row.values[measure])
    return said if at is None or at not in row.values else f"{said} at {at} {row.values[at]}"


def _apart(measure: str, best: Row, pca: Row) -> str:
    """Say by how much a value is better than PCA's: in per cent where less is better, else by the difference."""
    ours, theirs = best.values[measure], pca.values[measure]
    found = measure_of(measure)
    assert found is not None
    said = f"PCA's {_said(pca, measure)}"
    if found.metrics[measure] == "lower" and ours.mean > 0:
        return f"{1 - ours.mean / theirs.mean:.0%} below {said}"
    return f"{abs(ours.mean - theirs.mean):.4f} {'below' if ours.mean < theirs.mean else 'above'} {said}"


def _notes(contest: Contest, unmeasured: Sequence[Goal]) -> Iterator[str]:
    """Say what the sentences do not rest on."""
    finished = [row for row in contest.rows if row.is_finished and not row.is_baseline]
    for row in finished:
        goals = [goal for goal in DECIDING if (name := contest.deciding(goal)) and name not in row.values]
        if goals:
            yield f"Of {row.label} there is no measure to {_listed(goals)}."
    if unmeasured:
        yield f"Not measured: {', '.join(unmeasured)}."
    unfinished = [row.label for row in contest.rows if not row.is_finished]
    if unfinished:
        yield f"Not finished, and so not ranked: {', '.join(unfinished)}."
    repeated = [row for row in finished if len(row.runs) > 1]
    if repeated:
        once = [row.label for row in finished if len(row.runs) == 1]
        yield "After ± stands the deviation over seeds: what lies within it is no win."
        if once:
            yield f"Trained once, and taken to vary as much as the most of the others: {', '.join(once)}."
    elif finished:
        yield "Each was trained once: how much another seed would change is not known."


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
