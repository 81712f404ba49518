"""How far a step is: a bar with an ETA on a terminal, a line at every tenth elsewhere."""

import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)


@contextlib.contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a bar with an ETA on a terminal, a line at every tenth elsewhere; yield the function that advances it."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description:<34}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal, refresh_per_second=2) as bar:
        task = bar.add_task(title, total=total)
        spoken = _spoken_progress(console, title, total)

        def advance() -> None:
            bar.advance(task)
            spoken(bar.tasks[0].time_remaining)

        yield advance


def _spoken_progress(console: Console, title: str, total: int) -> Callable[[float | None], None]:
    """Progress for logs of scheduled jobs, where a bar cannot be drawn."""
    done = 0

    def speak(seconds_left: float | None) -> None:
        nonlocal done
        done += 1
        crossed_a_tenth = done * 10 // total > (done - 1) * 10 // total
        if not console.is_terminal and crossed_a_tenth:
            eta = "" if seconds_left is None else f", ETA {seconds_left:.0f} s"
            console.print(f"{title}: {done} of {total}{eta}", highlight=False)

    return speak
