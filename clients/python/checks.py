"""Runs the checks of one client against a broker and prints one line for each.

A check is a function without arguments that raises when the broker does not do what it should.
It is given ten seconds.
"""

import os
import signal
import subprocess
import sys
import uuid

URI = os.environ.get("LEVERET_URI", "amqp://guest:guest@127.0.0.1:5672/")
RESTART = os.environ.get("LEVERET_RESTART")
SECONDS_PER_CHECK = 10


class Skipped(Exception):
    """Says why a check cannot run here."""


def expect(what, actual, wanted):
    """Raises when what happened is not what was wanted."""
    if actual != wanted:
        raise AssertionError(f"{what}: got {actual!r}, wanted {wanted!r}")


def fresh(name):
    """Names an exchange or a queue that nobody else uses."""
    return f"check.{name}.{uuid.uuid4().hex[:12]}"


def restart_command():
    """Gives the shell command that kills the broker and starts it again on the same data."""
    if not RESTART:
        raise Skipped("LEVERET_RESTART is not set")
    return RESTART


def restart_broker():
    """Kills the broker and starts it again on the same data directory."""
    subprocess.run(restart_command(), shell=True, check=True, stdout=subprocess.DEVNULL)


def run(client, checks):
    """Runs every (name, function) pair; gives the process's exit status."""
    wanted = sys.argv[1:]
    failures = 0
    for name, check in checks:
        if wanted and name not in wanted:
            continue
        try:
            _within_time(check)
            print(f"ok {client} {name}", flush=True)
        except Skipped as reason:
            print(f"skip {client} {name}: {reason}", flush=True)
        except Exception as error:  # whatever the client raises is the report
            failures += 1
            print(f"FAIL {client} {name}: {_one_line(error)}", flush=True)
    return 1 if failures else 0


def _within_time(check):
    def expired(_signal, _frame):
        raise TimeoutError(f"not done after {SECONDS_PER_CHECK} s")

    signal.signal(signal.SIGALRM, expired)
    signal.alarm(SECONDS_PER_CHECK)
    try:
        check()
    finally:
        signal.alarm(0)


def _one_line(error):
    text = f"{type(error).__name__}: {error}" if str(error) else repr(error)
    return " ".join(text.split())
