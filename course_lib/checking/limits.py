"""A time limit that works in any thread and on any system."""

import ctypes
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class TimeLimitReached(BaseException):
    """Not an Exception, so that a student's `except Exception` does not swallow it."""


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeLimitReached inside the block once `seconds` have passed.

    It strikes between two Python instructions: one long call into compiled code is waited for.
    """
    target = ctypes.c_ulong(threading.get_ident())
    raise_in_thread = ctypes.pythonapi.PyThreadState_SetAsyncExc
    lock, done = threading.Lock(), threading.Event()

    def strike() -> None:
        with lock:
            if not done.is_set():
                raise_in_thread(target, ctypes.py_object(TimeLimitReached))

    timer = threading.Timer(seconds, strike)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        with lock:
            done.set()
        raise_in_thread(target, None)  # a strike that was set but has not landed yet
        timer.cancel()
