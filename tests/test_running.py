"""Time budgets, progress and assets."""

import itertools
import os
import signal
import time

import pytest
import torch

from course_lib.running import Budget, Threads, budget, is_fast
from course_lib.shipped import asset


def test_a_budget_stops_after_its_steps(capsys):
    assert list(Budget(3, seconds=60.0, label="fit")) == [0, 1, 2]
    assert "fit: 3 steps" in capsys.readouterr().out


def test_a_budget_stops_after_its_seconds():
    start, steps = time.perf_counter(), 0
    for _ in Budget(10_000, seconds=0.2):
        time.sleep(0.01)
        steps += 1
    assert 1 <= steps <= 25 and time.perf_counter() - start < 5.0


def test_an_interrupt_ends_the_loop_and_nothing_else(capsys):
    before = signal.getsignal(signal.SIGINT)
    steps = []
    for step in Budget(100, seconds=60.0):
        steps.append(step)
        if step == 4:
            os.kill(os.getpid(), signal.SIGINT)
    assert len(steps) in (5, 6)
    assert "interrupted" in capsys.readouterr().out
    assert signal.getsignal(signal.SIGINT) is before


def test_leaving_a_loop_early_gives_the_interrupt_back():
    before = signal.getsignal(signal.SIGINT)
    for _ in Budget(100, seconds=60.0):
        break
    assert signal.getsignal(signal.SIGINT) is before


def test_leaving_a_loop_early_closes_the_bar(capsys):
    for _ in Budget(100, seconds=60.0, label="short"):
        break
    assert capsys.readouterr().out.startswith("short: 0 steps")


def test_the_bar_says_how_the_loop_ended(capsys):
    cut = Budget(10_000, seconds=0.05, label="cut")
    for _ in cut:
        time.sleep(0.01)
    assert cut.state == "time limit" and cut.fraction < 0.1
    assert f"stopped by the time limit at step {cut.done} of 10000" in capsys.readouterr().out
    timed = Budget(None, seconds=0.05)
    for _ in timed:
        time.sleep(0.01)
    assert timed.state == "done" and timed.fraction == 1.0
    for _ in Budget(2, seconds=5.0):
        break
    assert "left early" in capsys.readouterr().out


def test_a_slow_machine_gets_more_time_where_that_is_enough(monkeypatch):
    clock = itertools.count(0.0, 0.02)
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    late = Budget(10, seconds=0.1)
    for _ in late:
        assert late.expected == 10  # a schedule takes as long as the loop will
    assert late.done == 10 and late.elapsed > 0.15 and late.state == "done"


def test_a_loop_that_will_be_cut_expects_fewer_steps(capsys):
    for cut in (Budget(10_000, seconds=0.2), Budget(None, seconds=0.2)):
        for step in cut:
            assert cut.expected > step
            time.sleep(0.02)
        assert cut.done <= cut.expected < 12


def test_what_is_said_stands_beside_the_bar(capsys):
    progress = Budget(1, seconds=1.0)
    for _ in progress:
        progress.say("loss 0.5")
    assert " s, loss 0.5  ✓ done" in capsys.readouterr().out


def test_a_loop_may_say_how_much_of_it_is_over(capsys):
    bar = Budget(None, seconds=1e9)
    for _ in bar:
        bar.say("loss 0.5", over=0.25)
        assert bar.fraction == 0.25
        break
    assert bar.fraction == 0.25 and bar.state == "left"


@pytest.mark.parametrize(("steps", "seconds"), [(0, 1.0), (1, 0.0), (-1, 1.0)])
def test_an_impossible_budget_is_refused(steps, seconds):
    with pytest.raises(ValueError, match="expected steps"):
        Budget(steps, seconds=seconds)


def test_fast_mode_chooses_the_small_budget(monkeypatch):
    monkeypatch.setenv("COURSE_FAST", "1")
    assert is_fast() and budget(60, 2) == 2
    monkeypatch.delenv("COURSE_FAST")
    assert not is_fast() and budget(60, 2) == 60


def test_a_gpu_gets_the_large_budget_but_not_in_fast_mode(monkeypatch):
    monkeypatch.delenv("COURSE_FAST", raising=False)
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    assert budget(60, 2, gpu=300) == 300 and budget(60, 2) == 60
    monkeypatch.setenv("COURSE_FAST", "1")
    assert budget(60, 2, gpu=300) == 2
    monkeypatch.delenv("COURSE_FAST")
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert budget(60, 2, gpu=300) == 60


def test_a_missing_asset_says_how_to_make_it():
    with pytest.raises(FileNotFoundError, match="course_lib assets nothing"):
        asset("nothing/at/all")


@pytest.mark.parametrize("quicker", [1, 3])
def test_timed_steps_take_the_number_of_threads_that_is_quicker_and_ask_again(quicker):
    before, used, now = torch.get_num_threads(), [], 0.0
    torch.set_num_threads(3)
    threads = Threads()
    try:
        while now < 2 * Threads.KEPT:
            used.append(torch.get_num_threads())
            took = 0.01 if (used[-1] == quicker) == (now < Threads.KEPT) else 0.02
            now += took
            threads.after_step(took, now)
        assert set(used[:9]) == {1, 3} and set(used[9:200]) == {quicker}
        assert used[-1] == 4 - quicker  # another process has come, or gone
        threads.restore()
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


def test_a_loop_of_so_many_steps_keeps_its_threads_and_so_its_numbers():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    used = {torch.get_num_threads() for _ in Budget(15, seconds=60.0)}
    torch.set_num_threads(before)
    assert used == {2}
