import os
import signal

import pytest

from cohortsmith.errors import ScanRejected
from cohortsmith.execution import run_items


def square(number: int) -> int:
    return number * number


def reject_odd(number: int) -> int:
    if number % 2:
        raise ScanRejected("odd", where=f"item {number}")
    return number


def die_at_two(number: int) -> int:
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return number


def break_down(number: int) -> int:
    raise ZeroDivisionError(number)


def threads(_: int) -> str:
    return os.environ["OMP_NUM_THREADS"] + os.environ["ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS"]


def items(count: int) -> dict[str, tuple[int]]:
    return {str(number): (number,) for number in range(count)}


def test_every_item_comes_back_under_its_key():
    outcomes = {outcome.key: outcome.value for outcome in run_items(square, items(5), workers=2, title="square")}

    assert outcomes == {"0": 0, "1": 1, "2": 4, "3": 9, "4": 16}


def test_a_rejected_item_carries_its_reason_and_the_others_go_on():
    outcomes = {outcome.key: outcome for outcome in run_items(reject_odd, items(4), workers=2, title="reject")}

    assert [outcomes[key].value for key in ("0", "2")] == [0, 2]
    assert "item 3" in str(outcomes["3"].error)


def test_a_killed_worker_costs_only_its_own_item():
    outcomes = {outcome.key: outcome for outcome in run_items(die_at_two, items(5), workers=2, title="die")}

    assert [key for key, outcome in outcomes.items() if outcome.error] == ["2"]
    assert "worker process died" in str(outcomes["2"].error)


def test_a_programming_error_is_not_swallowed():
    with pytest.raises(ZeroDivisionError):
        list(run_items(break_down, items(1), workers=1, title="break"))


def test_workers_compute_with_one_thread_and_the_caller_keeps_its_own_setting(monkeypatch):
    monkeypatch.delenv("ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", raising=False)

    outcomes = list(run_items(threads, items(1), workers=1, title="threads"))

    assert outcomes[0].value == "11"
    assert "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS" not in os.environ


def test_progress_speaks_in_tenths_where_no_bar_can_be_drawn(capfd):
    list(run_items(square, items(20), workers=1, title="count"))

    spoken = [line for line in capfd.readouterr().err.splitlines() if line.startswith("count")]
    assert len(spoken) == 10
    assert spoken[-1].startswith("count: 20 of 20")
