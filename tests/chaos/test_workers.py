"""Workers and model hosts killed and frozen while their job runs: the job does not restart, each row is there once."""

from __future__ import annotations

import os
import random
import signal
import statistics
import subprocess
import time
from collections import Counter
from pathlib import Path

import expected
import pytest
from killing import PATIENCE_S, Run, command, contention, kills_wanted, send

TIMEOUT_S = 0.6


def attack(run: Run, job: subprocess.Popen[str], number: int, times: int, pause_s: float) -> None:
    """Signals one of the job's workers after another while it runs."""
    frozen: list[int] = []
    while len(run.kills) < times and job.poll() is None:
        time.sleep(run.random.uniform(0.2, 1) * pause_s)
        noted = {pid for _, pid, _ in run.noted("calls")[-200:]}
        workers = [pid for pid in run.workers(job) if pid in noted or not noted]
        if not workers:
            continue
        victim = run.random.choice(workers)
        if send(victim, number):
            run.kills.append({"how": signal.Signals(number).name, "pid": victim, "ns": time.monotonic_ns()})
        if number == signal.SIGSTOP:
            time.sleep(TIMEOUT_S + run.random.uniform(0.1, 0.4))
            send(victim, signal.SIGCONT)
            frozen.append(victim)
    for victim in frozen:
        send(victim, signal.SIGCONT)


def replacement_s(run: Run) -> list[float]:
    """From each death to the first answer of a process that had answered nothing before it."""
    answers = run.noted("answers")
    taken = []
    for kill in run.kills:
        before = {pid for _, pid, ns in answers if ns <= kill["ns"]}
        later = [ns for _, pid, ns in answers if ns > kill["ns"] and pid not in before]
        if later:
            taken.append((min(later) - kill["ns"]) / 1e9)
    return taken


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
@pytest.mark.parametrize("busy", [False, True], ids=["quiet", "busy"])
def test_workers(number: int, busy: bool, tmp_path: Path) -> None:
    frozen = number == signal.SIGSTOP
    udf = {"timeout": TIMEOUT_S} if frozen else {}
    run = Run("numbers", tmp_path / "run", 10 + busy, rows=3000, pause=0.002, udf=udf)
    times = kills_wanted(0.03 if frozen else 0.07)
    with contention(busy):
        job = run.start()
        run.wait_until(lambda: len(run.noted("answers")) > 20 or job.poll() is not None, "answers")
        attack(run, job, number, times, 0.5)
        run.must_be(job, run.wait_end(job))
    report = run.report()
    if report["restarts"] != 0 or report["services"][0]["replicas_lost"] < len(run.kills) - 2:
        raise run.defect(f"restarts {report['restarts']}, {report['services'][0]}")
    calls = Counter(int(key) for key, _, _ in run.noted("calls"))
    batch_rows = 10
    if sum(calls.values()) - len(calls) > len(run.kills) * batch_rows * 3:
        raise run.defect(f"{sum(calls.values()) - len(calls)} calls were repeated")
    taken = replacement_s(run)
    name = f"worker {'frozen' if frozen else 'killed'}"
    figures = {"replacement_s": [round(value, 3) for value in taken]} if taken else {}
    print(name, "replaced in", statistics.median(taken) if taken else "?", "s")
    assert run.seen is not None
    run.seen.stop()
    run.check_rows(expected.rows_of("numbers", run.given))
    run.check_nothing_left()
    run.record(kind=f"{name}, {'busy' if busy else 'quiet'}", **figures)


def test_the_interpreter_that_workers_come_from_is_killed(tmp_path: Path) -> None:
    """Everything but the job's own process, again and again."""
    run = Run("numbers", tmp_path / "run", 1, rows=2000, pause=0.002)
    job = run.start()
    run.wait_until(lambda: len(run.noted("answers")) > 20 or job.poll() is not None, "answers")
    for _ in range(3):
        answers = len(run.noted("answers"))
        for pid in run.workers(job):
            send(pid, signal.SIGKILL)
        run.kills.append({"how": "SIGKILL", "ns": time.monotonic_ns()})
        run.wait_until(lambda before=answers: len(run.noted("answers")) > before + 50 or job.poll() is not None, "more")
    run.must_be(job, run.wait_end(job))
    assert run.report()["restarts"] == 0
    run.end(kind="all workers at once")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "frozen"])
def test_model_hosts(number: int, tmp_path: Path) -> None:
    import mainstem as ms

    if not any(entry["installed"] for entry in ms.models.list() if "embed_text" in entry["tasks"]):
        pytest.skip("needs the package of a model that embeds text")
    run = Run("model", tmp_path / "run", 1, watch=False, rows=800)
    job = run.start()
    chance = random.Random(1)
    hosts: list[int] = []
    deadline = time.monotonic() + PATIENCE_S
    while len(run.kills) < 3 and job.poll() is None and time.monotonic() < deadline:
        hosts = [pid for pid in run.workers(job) if "mainstem-host" in command(pid)]
        if not hosts:
            time.sleep(0.01)
            continue
        time.sleep(chance.uniform(0.2, 0.7))
        victim = chance.choice(hosts)
        if not send(victim, number):
            continue
        run.kills.append({"how": signal.Signals(number).name, "pid": victim, "ns": time.monotonic_ns()})
        if number == signal.SIGSTOP:
            # A model's call has no time limit: it waits and goes on.
            time.sleep(0.5)
            send(victim, signal.SIGCONT)
        run.wait_until(lambda v=victim: alive(v) != (number == signal.SIGKILL) or job.poll() is not None, "the signal")
    run.must_be(job, run.wait_end(job))
    assert run.report()["restarts"] == 0
    assert run.kills, "the model was faster than the signals"
    wanted = Counter((x, expected.digest(x * x)) for x in range(800))
    run.check_rows(wanted)
    run.check_nothing_left()
    run.record(kind=f"model host {'frozen' if number == signal.SIGSTOP else 'killed'}")


def alive(pid: int) -> bool:
    return os.path.exists(f"/proc/{pid}") and command(pid) not in ("", "gone")
