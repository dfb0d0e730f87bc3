"""Tasks on an executor: local processes, dask, or whatever the user brings.

Knows that workers die.  Does not know what the tasks are.
"""

from __future__ import annotations

import contextlib
import importlib
import multiprocessing
import os
import signal
import threading
from collections import deque
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from itertools import islice
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, TypeVar

from tcptrace_py.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Iterable, Iterator

T = TypeVar("T")
R = TypeVar("R")

AT_ONCE = 64  # tasks handed to an executor of unknown size
SCHEDULER_S = 10
PATIENCE_S = 1.5


def cores() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class LocalWorkers:
    """Processes of this machine.  They end with us, however we end, and leave the keyboard to us."""

    ready = 1  # tasks that lie ready for each worker that ends its own, so that it need not wait for us

    def __init__(self, workers: int) -> None:
        self.at_once = workers
        self._pool: ProcessPoolExecutor | None = None

    def executor(self) -> Executor:
        """The pool, made anew after it broke; its processes import the user's program, which has to allow for that."""
        if self._pool is None:
            spawn = multiprocessing.get_context("spawn")  # whatever threads the caller has, none comes along
            self._pool = ProcessPoolExecutor(self.at_once, mp_context=spawn, initializer=_begin)
            try:
                with _interrupts_held_back():  # a worker inherits that: interrupted at its start, it would complain
                    started = [self._pool.submit(os.getpid) for _ in range(self.at_once)]  # all of them, here
                for each in started:
                    each.result()
            except BrokenExecutor:
                self.stop(())
                raise UsageError(
                    'workers cannot start: call batch() in a file, under if __name__ == "__main__", or with executor='
                ) from None
        return self._pool

    def broken(self) -> None:
        """Give up a pool of which a worker has died."""
        self.stop(())

    def stop(self, _flying: Collection[Future[Any]]) -> None:
        """End all work now: what was being written is under hidden names, and goes."""
        if self._pool is not None:
            processes = list((self._pool._processes or {}).values())  # noqa: SLF001 - kill_workers() comes with 3.14
            for process in processes:
                process.kill()
            self._pool.shutdown(cancel_futures=True)  # waits until the pool has noticed, and has taken itself apart
            self._pool = None

    def close(self) -> None:
        """All is done."""
        if self._pool is not None:
            self._pool.shutdown()
            self._pool = None


class GivenExecutor:
    """An executor that somebody else made, and will end."""

    ready = 0

    def __init__(self, executor: Executor, at_once: int) -> None:
        self.at_once = at_once
        self._executor = executor

    def executor(self) -> Executor:
        """The executor."""
        return self._executor

    def broken(self) -> None:
        """It is not ours to mend."""

    def stop(self, flying: Collection[Future[Any]]) -> None:
        """It is not ours to stop: what it has not begun was called off, what it has is given a moment."""
        wait(flying, PATIENCE_S)

    def close(self) -> None:
        """It is not ours to close."""


class DaskCluster(GivenExecutor):
    """The workers of a dask scheduler, which must see inputs and dataset under the same names."""

    def __init__(self, address: str, at_once: int | None) -> None:
        try:
            dask: Any = importlib.import_module("distributed")  # so, because few have it
        except ModuleNotFoundError:
            raise UsageError("--scheduler needs dask: pip install 'tcptrace_py[dask]'") from None
        try:
            self._client = dask.Client(address, timeout=SCHEDULER_S, set_as_default=False)
        except (OSError, ValueError, TimeoutError) as error:
            raise UsageError(f"no dask scheduler at {address}: {error}") from None
        threads = sum(self._client.ncores().values()) or 1
        super().__init__(self._client.get_executor(pure=False), at_once or 2 * threads)

    def stop(self, flying: Collection[Future[Any]]) -> None:
        """Leave the cluster to itself."""
        super().stop(flying)
        self._client.close(1)

    def close(self) -> None:
        """Leave the cluster."""
        self._client.close()


Workers = LocalWorkers | GivenExecutor


def carried_out(
    work: Callable[[T], R], tasks: Iterable[T], workers: Workers, died: Callable[[T, str], R]
) -> Generator[tuple[T, R]]:
    """Each task with its result, as they come; to a deque of tasks, whoever takes a result may add others.

    Where a worker dies, every task that was under way is a suspect, and is done again alone; one with which a worker
    dies again gets the result that `died` makes.  What lay ready for a worker goes back among those that wait.
    """
    waiting = tasks if isinstance(tasks, deque) else deque(tasks)
    suspects = deque[T]()
    flying: dict[Future[R], T] = {}
    done: SimpleQueue[Future[R] | int] = SimpleQueue()
    alone = broken = complete = False
    with _signals_into(done) as heard:
        try:
            while waiting or suspects or flying:
                if not flying:
                    alone = bool(suspects)
                    if broken:
                        workers.broken()
                        broken = False
                most = 1 if alone else 0 if suspects else workers.at_once * (1 + workers.ready)
                _hand_over(work, suspects if alone else waiting, workers, flying, done, most)
                if not broken:
                    begun = set(islice(flying, workers.at_once))  # in the order in which they were handed over
                future = done.get()
                if isinstance(future, int):
                    heard[future](future, None)
                    continue
                task, error = flying.pop(future), future.exception()
                broken = broken or isinstance(error, BrokenExecutor)
                if error is None:
                    yield task, future.result()
                elif alone:
                    yield task, died(task, str(error) or type(error).__name__)
                else:
                    lay_ready = isinstance(error, BrokenExecutor) and future not in begun
                    (waiting if lay_ready else suspects).appendleft(task)
            complete = True
        finally:
            _end(workers, flying, complete=complete)


def _end(workers: Workers, flying: Collection[Future[Any]], *, complete: bool) -> None:
    """Leave the workers: nothing is left to do, or nothing more is wanted."""
    if complete:
        workers.close()
        return
    for future in flying:
        future.cancel()
    workers.stop(flying)


def _hand_over(  # noqa: PLR0913, PLR0917 - what is under way, and where it goes
    work: Callable[[T], R],
    source: deque[T],
    workers: Workers,
    flying: dict[Future[R], T],
    done: SimpleQueue[Future[R] | int],
    most: int,
) -> None:
    """Have so many tasks under way, if there are; those that are over come into `done`."""
    while source and len(flying) < most:
        future = workers.executor().submit(work, source[0])
        flying[future] = source.popleft()
        future.add_done_callback(done.put)


@contextlib.contextmanager
def _signals_into(done: SimpleQueue[Any]) -> Iterator[dict[int, Callable[[int, Any], Any]]]:
    """Have signals that end the program come as items, by their numbers; what they would do is in the answer.

    An exception out of a signal's handler may come between any two steps of an executor: a lock that was being taken
    then stays taken, and nobody can stop the workers any more.
    """
    heard: dict[int, Callable[[int, Any], Any]] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            handler = signal.getsignal(number)
            if callable(handler):
                heard[number] = handler
                signal.signal(number, lambda number, _frame: done.put(int(number)))
    try:
        yield heard
    finally:
        for before, handler in heard.items():
            signal.signal(before, handler)


@contextlib.contextmanager
def _interrupts_held_back() -> Iterator[None]:
    """Ctrl-C is heard, but a moment later."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    """Make a process a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the keyboard speaks to all; the batch decides
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """Nobody is left to tell of the result: end, and let the next batch have the dataset."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
