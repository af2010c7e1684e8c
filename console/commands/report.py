"""A run told again from the record: report."""

import json
from typing import Final

from console import say
from console.commands.books import ask, books_of
from console.commands.where import Where
from console.exits import Exit, Quit
from engine.review.essay import essay
from engine.review.performance import KINDS, Performing
from engine.review.reviewed import Review, review, told
from engine.session.artifacts import write_review
from store.recovery import UnknownRun
from store.spans import read_span

LATEST: Final = "latest"


def report(where: Where, what: str) -> Exit:
    """Write the pages of a run anew and say what they say."""
    found = reviewed(where, what)
    folder = where.home.run(found.report["run_id"])
    problems = write_review(folder, found) if folder.path.is_dir() else [f"{folder.path} is gone: nothing was written"]
    for problem in problems:
        say.aside(problem)
    if where.json:
        say.as_json(told(found))
    else:
        say.line(essay(found).rstrip())
    return Exit.ERROR if problems else Exit.DONE


def reviewed(where: Where, what: str) -> Review:
    """A run that ended, from the record alone. Raises Quit where there is none, or it left no report."""
    path = books_of(where)
    try:
        run = ask(where, lambda queries: queries.run("" if what == LATEST else what))
    except UnknownRun as unknown:
        raise Quit(Exit.USAGE, str(unknown)) from unknown
    if run.report is None:
        text = (
            f"run {run.run_id} left no report: it runs, or was cut off; `analyze {run.run_id}` has its figures so far"
        )
        raise Quit(Exit.USAGE, text)
    span = read_span(path, KINDS, (run.run_id,))
    return review(json.loads(run.report), Performing(span.calendar, held=span.held).take_all(span.facts))
