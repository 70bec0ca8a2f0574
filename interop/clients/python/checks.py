"""How a program of checks is written in Python: a list of functions, run in order, told in the Test Anything Protocol.

A check fails by raising. `ask` has the caller of the program do something to the connection or to the server.
"""

import sys
import threading
import time
import traceback

_checks = []


def check(feature, name):
    """Registers a function as a check of the feature."""

    def register(function):
        _checks.append((feature, name, function))
        return function

    return register


def ask(request):
    """Has the connection or the server handled: cut, down, up, restart, kill."""
    print("@" + request, flush=True)
    answer = sys.stdin.readline().strip()
    assert answer == "done", answer


def equal(actual, expected):
    assert actual == expected, "%r is not %r" % (actual, expected)


def raises(error, function, *args, **kwargs):
    """Calls the function, which must raise exactly that error."""
    try:
        result = function(*args, **kwargs)
    except Exception as raised:
        assert type(raised) is error, "raised %r, not %s" % (raised, error.__name__)
        return raised
    raise AssertionError("returned %r, didn't raise %s" % (result, error.__name__))


def eventually(condition, timeout=10.0, what="it"):
    """Waits until the condition holds."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, "%s didn't happen in %s s" % (what, timeout)
        time.sleep(0.01)


def event(awaited, what="the event", timeout=10.0):
    """Waits for a threading.Event."""
    assert awaited.wait(timeout), "%s didn't come in %s s" % (what, timeout)


class Seen:
    """A watcher that keeps what it is called with."""

    def __init__(self):
        self.events = []
        self._some = threading.Condition()

    def __call__(self, watched):
        with self._some:
            self.events.append((watched.type, watched.path))
            self._some.notify_all()

    def wait(self, *expected):
        """Waits for as many events as expected, then compares them."""
        with self._some:
            self._some.wait_for(lambda: len(self.events) >= len(expected), 10)
        equal(self.events, list(expected))


def run():
    """Runs all checks, and exits with 1 if any failed."""
    print("1..%d" % len(_checks), flush=True)
    failed = 0
    for number, (feature, name, function) in enumerate(_checks, 1):
        try:
            function()
            print("ok %d - %s: %s" % (number, feature, name), flush=True)
        except Exception as error:
            failed += 1
            print("not ok %d - %s: %s" % (number, feature, name))
            print("# %s: %s" % (type(error).__name__, str(error).replace("\n", " ")))
            for line in traceback.format_exc().splitlines()[-12:-1]:
                print("# " + line)
            sys.stdout.flush()
    sys.exit(1 if failed else 0)
