"""The latest job of a channel wins, urgent work goes first, nothing is left behind."""

from __future__ import annotations

import gc
import os
import random
import threading
import weakref
from collections.abc import Iterator
from typing import Any

import pytest

from lazy4d.plot.thread_pool import ThreadPool, shared_pool
from lazy4d.plot.worker import DRAG, FRAME, FULL, NAVIGATOR, PREFETCH, Cancelled, Job, Worker

LONG = 60


class Clock:
    """Time that stands still until it is told otherwise."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pool(clock: Clock) -> ThreadPool:
    """No threads: steps run when the test says so."""
    return ThreadPool(threads=False, clock=clock)


@pytest.fixture
def worker(pool: ThreadPool) -> Iterator[Worker]:
    with Worker(pool=pool) as made:
        yield made
        run_all(pool)


def run_all(pool: ThreadPool) -> None:
    while pool.run_next():
        pass


def steps(log: list[str], name: str, count: int) -> Any:
    def work(job: Job) -> Iterator[None]:
        for k in range(count):
            log.append(f"{name}{k}")
            job.publish(k)
            yield

    return work


def test_a_returned_value_is_a_final_result(worker: Worker, pool: ThreadPool, clock: Clock) -> None:
    def work(job: Job) -> str:
        clock.now += 2.5
        return "seen"

    job = worker.submit("frame", work)
    assert worker.busy
    assert worker.results() == []
    run_all(pool)
    (result,) = worker.results()
    assert (result.channel, result.value, result.final, result.error) == ("frame", "seen", True, None)
    assert (result.serial, result.seconds) == (job.serial, 2.5)
    assert job.done
    assert not worker.busy
    assert worker.results() == []


def test_the_latest_job_of_a_channel_wins(worker: Worker, pool: ThreadPool) -> None:
    ran = []
    first = worker.submit("frame", lambda job: ran.append("first"))
    other = worker.submit("navigator", lambda job: "other")
    worker.submit("frame", lambda job: "second")
    assert first.cancelled
    assert not other.cancelled
    run_all(pool)
    assert ran == []
    assert sorted(r.value for r in worker.results()) == ["other", "second"]
    worker.submit("frame", lambda job: "third")
    run_all(pool)
    worker.submit("frame", lambda job: "fourth")  # the third was not fetched yet
    assert worker.results() == []
    run_all(pool)
    assert [r.value for r in worker.results()] == ["fourth"]


def test_a_job_that_runs_learns_that_it_is_stale(worker: Worker, pool: ThreadPool) -> None:
    reached = []

    def work(job: Job) -> str:
        worker.submit("frame", lambda newer: "newer")
        assert job.cancelled
        reached.append("check")
        job.check()
        reached.append("beyond")
        return "stale"

    worker.submit("frame", work)
    run_all(pool)
    assert reached == ["check"]
    assert [r.value for r in worker.results()] == ["newer"]


def test_publishing_stale_results_ends_the_job(worker: Worker, pool: ThreadPool) -> None:
    def work(job: Job) -> str:
        worker.cancel("frame")
        with pytest.raises(Cancelled, match="'frame' is not wanted any more"):
            job.publish(1)
        return "stale"

    worker.submit("frame", work)
    run_all(pool)
    assert worker.results() == []


def test_of_partial_results_only_the_last_is_handed_out(worker: Worker, pool: ThreadPool) -> None:
    worker.submit("navigator", steps([], "n", 3), NAVIGATOR)
    for _ in range(3):
        pool.run_next()
    (result,) = worker.results()
    assert (result.value, result.final) == (1, False)
    run_all(pool)
    (result,) = worker.results()
    assert (result.value, result.final) == (2, True)  # the last one again, as final


def test_urgent_work_runs_between_the_steps_of_long_work(worker: Worker, pool: ThreadPool) -> None:
    log: list[str] = []
    worker.submit("prefetch", steps(log, "p", 2), PREFETCH)
    worker.submit("navigator", steps(log, "n", 3), NAVIGATOR)
    for _ in range(2):
        pool.run_next()  # begin, and the first step
    worker.submit("full", steps(log, "f", 1), FULL)
    worker.submit("frame", lambda job: log.append("frame"), FRAME)
    worker.submit("drag", lambda job: log.append("drag"), DRAG)
    run_all(pool)
    assert log == ["n0", "frame", "drag", "f0", "n1", "n2", "p0", "p1"]


def test_long_jobs_of_one_priority_take_turns(worker: Worker, pool: ThreadPool) -> None:
    log: list[str] = []
    for name in "ab":
        worker.submit(name, steps(log, name, 3), NAVIGATOR)
    run_all(pool)
    assert log == ["a0", "b0", "a1", "b1", "a2", "b2"]


def test_a_delayed_job_starts_only_if_nothing_replaces_it(worker: Worker, pool: ThreadPool, clock: Clock) -> None:
    worker.submit("full", lambda job: "first", FULL, delay=0.2)
    run_all(pool)
    assert worker.busy
    clock.now = 0.1
    worker.submit("full", lambda job: "second", FULL, delay=0.2)
    clock.now = 0.25
    run_all(pool)
    assert worker.results() == []
    clock.now = 0.31
    run_all(pool)
    assert [r.value for r in worker.results()] == ["second"]


def test_errors_are_results(worker: Worker, pool: ThreadPool) -> None:
    def broken(job: Job) -> Iterator[None]:
        job.publish("half")
        yield
        raise ValueError("no such frame")

    worker.submit("frame", broken)
    run_all(pool)
    (result,) = worker.results()
    assert (result.value, result.final, str(result.error)) == (None, True, "no such frame")
    assert not worker.busy


def test_errors_of_stale_jobs_are_nobodys_business(worker: Worker, pool: ThreadPool) -> None:
    def work(job: Job) -> None:
        worker.submit("frame", lambda newer: "newer")
        raise ValueError("too late")

    worker.submit("frame", work)
    pool.run_next()
    assert worker.results() == []
    run_all(pool)
    assert [(r.value, r.error) for r in worker.results()] == [("newer", None)]


def test_a_cancelled_generator_is_closed(worker: Worker, pool: ThreadPool) -> None:
    log: list[str] = []

    def work(job: Job) -> Iterator[None]:
        try:
            while True:
                yield
        finally:
            log.append("closed")

    worker.submit("navigator", work, NAVIGATOR)
    for _ in range(3):
        pool.run_next()
    worker.cancel()
    assert not worker.busy  # nobody waits for it
    run_all(pool)
    assert log == ["closed"]


def test_notified_whenever_results_wait(pool: ThreadPool) -> None:
    heard: list[int] = []
    with Worker(pool=pool) as worker:
        worker.submit("frame", lambda job: 1)
        run_all(pool)
        worker.notify = lambda: heard.append(len(heard))  # results wait already
        assert heard == [0]
        worker.submit("frame", lambda job: 2)
        run_all(pool)
        assert heard == [0, 1]
        worker.submit("frame", lambda job: worker.cancel())
        run_all(pool)
        assert heard == [0, 1]
    assert worker.notify is None


def test_nothing_runs_after_closing(pool: ThreadPool) -> None:
    worker = Worker(pool=pool)
    waiting = worker.submit("frame", lambda job: 1)
    run_all_later = threading.Timer(0, run_all, [pool])
    run_all_later.start()
    worker.close()
    worker.close()
    late = worker.submit("frame", lambda job: 1 / 0)
    run_all_later.join()
    assert waiting.done
    assert late.cancelled
    assert late.done
    assert worker.closed
    assert worker.results() == []
    assert worker.wait(0)


def test_jobs_of_a_forgotten_worker_are_cancelled(pool: ThreadPool) -> None:
    worker = Worker(pool=pool)
    job = worker.submit("frame", lambda job: 1)
    seen = weakref.ref(worker)
    del worker
    gc.collect()
    assert seen() is None
    assert job.cancelled
    run_all(pool)
    assert job.done


def test_a_finished_job_holds_nothing(worker: Worker, pool: ThreadPool) -> None:
    class Big:
        pass

    def submitted() -> tuple[Job, weakref.ref[Big]]:
        held = Big()
        return worker.submit("frame", lambda job: id(held)), weakref.ref(held)

    job, seen = submitted()
    run_all(pool)
    gc.collect()
    assert job.done
    assert seen() is None


def test_wait_for_channels(pool: ThreadPool) -> None:
    with Worker() as worker:
        go = threading.Event()
        worker.submit("navigator", lambda job: go.wait(LONG), NAVIGATOR)
        worker.submit("frame", lambda job: 1)
        assert worker.wait(LONG, "frame")
        assert worker.wait(LONG, ["frame", "prefetch"])
        assert not worker.wait(0, "navigator")
        assert worker.busy_in("navigator")
        assert not worker.busy_in("frame")
        go.set()
        assert worker.wait(LONG)


def test_long_work_leaves_a_thread_to_urgent_work(pool: ThreadPool) -> None:
    """Steps within steps stand for threads: two of long work at once, and a third one only for what is urgent."""
    log: list[str] = []
    with Worker(threads=2, pool=pool) as worker:

        def first(job: Job) -> None:
            log.append("first")
            pool.run_next()
            log.append("first ends")

        def second(job: Job) -> None:
            log.append("second")
            assert not pool.run_next()  # the third one has to wait
            worker.submit("frame", lambda job: log.append("frame"), FRAME)
            assert pool.run_next()
            log.append("second ends")

        worker.submit("a", first, FULL)
        worker.submit("b", second, FULL)
        worker.submit("c", lambda job: log.append("third"), FULL)
        run_all(pool)
    assert log == ["first", "second", "frame", "second ends", "first ends", "third"]


def test_urgent_work_goes_on_while_long_work_blocks() -> None:
    with Worker(threads=2) as worker:
        go, threads = threading.Event(), 8
        for k in range(threads):
            worker.submit(f"full {k}", lambda job: go.wait(LONG), FULL)
        worker.submit("frame", lambda job: "frame", FRAME)
        assert worker.wait(LONG, "frame")
        go.set()
        assert worker.wait(LONG)
        assert len(worker.results()) == threads + 1


def test_cancelled_long_work_counts_for_nothing(pool: ThreadPool) -> None:
    """As above, but work was cancelled while it waited: it was never counted, and must not be taken off."""
    log: list[str] = []
    with Worker(threads=2, pool=pool) as worker:

        def first(job: Job) -> None:
            worker.cancel("c")
            pool.run_next()
            log.append("first ends")

        def second(job: Job) -> None:
            assert not pool.run_next()
            log.append("second ends")

        worker.submit("a", first, FULL)
        worker.submit("b", second, FULL)
        worker.submit("c", lambda job: log.append("never"), FULL)
        worker.submit("d", lambda job: log.append("third"), FULL)
        run_all(pool)
    assert log == ["second ends", "first ends", "third"]


def test_nobody_waits_for_a_pool_that_was_stopped() -> None:
    pool = ThreadPool()
    worker = Worker(pool=pool)
    ended = threading.Event()

    def work(job: Job) -> Iterator[None]:
        try:
            while True:
                yield
        finally:
            ended.set()

    job = worker.submit("navigator", work, NAVIGATOR)
    pool.stop(LONG)
    assert pool.threads == 0
    assert not pool.alive
    assert job.done
    assert worker.wait(LONG)
    assert worker.submit("late", lambda job: 1).done
    worker.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no child processes of this kind")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_a_child_process_does_not_wait_for_threads_that_it_has_not() -> None:
    pool = ThreadPool()
    with Worker(pool=pool) as worker:
        go = threading.Event()
        worker.submit("frame", lambda job: go.wait(LONG))
        child = os.fork()
        if not child:
            os._exit(0 if not pool.alive and worker.submit("late", lambda job: 1).done else 1)
        assert os.waitpid(child, 0)[1] == 0
        go.set()


def test_closing_waits_for_the_running_job_and_the_threads_end() -> None:
    pool = ThreadPool()
    worker = Worker(pool=pool)
    started, ended = threading.Event(), threading.Event()

    def work(job: Job) -> None:
        started.set()
        while not job.cancelled:
            started.wait(0.001)
        ended.set()

    worker.submit("frame", work)
    assert started.wait(LONG)
    assert pool.threads == 3
    worker.close()
    assert ended.is_set()
    for thread in [t for t in threading.enumerate() if getattr(t, "pool", None) is pool]:
        thread.join(LONG)
    assert pool.threads == 0
    with Worker(pool=pool) as again:  # a pool can be used again
        again.submit("frame", lambda job: 5)
        assert again.wait(LONG)
        assert [r.value for r in again.results()] == [5]


def test_a_job_may_close_its_worker() -> None:
    worker = Worker()
    closed = threading.Event()

    def work(job: Job) -> None:
        worker.close()
        closed.set()

    worker.submit("frame", work)
    assert closed.wait(LONG)


def test_one_pool_for_all_workers() -> None:
    with Worker() as one, Worker() as two:
        assert one._pool is two._pool is shared_pool()
        one.submit("frame", lambda job: 1)
        two.submit("frame", lambda job: 2)
        assert one.wait(LONG)
        assert two.wait(LONG)
        assert [r.value for r in one.results()] == [1]
        assert [r.value for r in two.results()] == [2]


def test_a_notification_that_fails_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    told = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(str(args.exc_value)))

    def broken() -> None:
        raise RuntimeError("the front end is gone")

    with Worker(notify=broken) as worker:
        worker.submit("a", lambda job: 1)
        assert worker.wait(LONG)
        worker.submit("b", steps([], "s", 3))
        assert worker.wait(LONG)
        assert [r.value for r in worker.results()] == [1, 2]
    assert told == ["the front end is gone"] * 5


@pytest.mark.parametrize("seed", range(20))
def test_whatever_happens_only_the_latest_of_a_channel_is_handed_out(seed: int) -> None:
    """Submissions, steps, fetches and cancellations in any order."""
    rng, clock = random.Random(seed), Clock()
    pool = ThreadPool(threads=False, clock=clock)
    latest: dict[str, int | None] = {}
    shown: dict[str, int] = {}
    with Worker(pool=pool) as worker:

        def look() -> None:
            for result in worker.results():
                assert result.serial == result.value == latest[result.channel]
                shown[result.channel] = result.value

        for _ in range(200):
            action = rng.choice(["submit", "step", "step", "step", "look", "cancel", "clock"])
            channel = rng.choice("abc")
            if action == "submit":

                def work(job: Job, parts: int = rng.randint(0, 3)) -> Iterator[None]:
                    for _ in range(parts):
                        job.publish(job.serial)
                        yield
                    job.publish(job.serial, final=True)

                job = worker.submit(channel, work, rng.randint(0, 4), delay=rng.choice([0.0, 0.0, 0.3]))
                latest[channel] = job.serial
            elif action == "step":
                pool.run_next()
            elif action == "look":
                look()
            elif action == "cancel" and rng.random() < 0.2:
                worker.cancel(channel)
                latest[channel] = None
            else:
                clock.now += 0.1
        clock.now += 1
        run_all(pool)
        look()
        assert not worker.busy
        for channel, serial in latest.items():
            assert serial is None or shown[channel] == serial


def test_numbers_of_threads_are_checked() -> None:
    with pytest.raises(ValueError, match="a number of threads from 1, found 0"):
        Worker(threads=0)
