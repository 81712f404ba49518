"""How far a step is: a bar with an ETA on a terminal, elsewhere a line at every tenth and in any case every minute."""

import contextlib
import time
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

LONGEST_SILENCE = 60.0  # seconds, while items are done at all


@contextlib.contextmanager
def progress(title: str, total: int) -> Iterator[Callable[[], None]]:
    """Show a bar with an ETA on a terminal, lines elsewhere; yield the function that advances it."""
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
    done, last = 0, time.monotonic()

    def speak(seconds_left: float | None) -> None:
        nonlocal done, last
        done += 1
        crossed_a_tenth = done * 10 // total > (done - 1) * 10 // total
        due = crossed_a_tenth or time.monotonic() - last >= LONGEST_SILENCE
        if not console.is_terminal and due:
            last = time.monotonic()
            eta = "" if seconds_left is None else f", ETA {seconds_left:.0f} s"
            console.print(f"{title}: {done} of {total}{eta}", highlight=False)

    return speak
