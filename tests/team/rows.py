"""Rows of the table, and how they are run: each in a folder of its own, bounded in time, several side by side."""

import concurrent.futures
import contextlib
import pathlib
import signal
import threading
import time
import traceback

from postgres import Unavailable

ROWS = []


class Row:
    def __init__(self, work, name, kind, quick, seconds):
        self.work, self.name, self.kind, self.quick, self.seconds = work, name, kind, quick, seconds
        self.doc = " ".join((work.__doc__ or "").split())


def row(name, kind, quick=False, seconds=120):
    """Declares one: `kind` groups the table, `quick` is in the short run too."""

    def declared(work):
        ROWS.append(Row(work, name, kind, quick, seconds))
        return work

    return declared


class Told:
    """What a row has seen: the state that was left, and what happened."""

    def __init__(self, folder, bench):
        self.folder, self.bench, self.state, self.happened = folder, bench, "", []
        self.stack = contextlib.ExitStack()

    def keep(self, thing):
        """Ends it with the row, whatever happens."""
        self.stack.callback(thing.close)
        return thing

    def says(self, text):
        self.happened.append(" ".join(str(text).split()))

    def check(self, holds, text):
        if not holds:
            raise AssertionError(text)
        return holds

    def equal(self, got, expected, what):
        self.check(got == expected, f"{what}: {got!r}, and not {expected!r}")


class TooLong(Exception):
    pass


def _run(one, folder, bench):
    told, started = Told(pathlib.Path(folder), bench), time.monotonic()
    told.folder.mkdir(parents=True, exist_ok=True)
    ended = threading.Event()
    try:
        one.work(told)
        verdict = "pass"
    except Unavailable as why:
        verdict = "skip"
        told.says(why)
    except Exception as error:  # noqa: BLE001 Whatever a row meets, the others go on.
        verdict = "fail"
        told.says(f"{type(error).__name__}: {error}")
        own = [frame for frame in traceback.extract_tb(error.__traceback__) if "/tests/team/" in frame.filename]
        told.where = ", ".join(f"{frame.name}:{frame.lineno}" for frame in own)
    finally:
        ended.set()
        try:
            told.stack.close()
        except Exception as error:  # noqa: BLE001
            verdict = "fail"
            told.says(f"it could not be ended: {error}")
    return one, verdict, told, time.monotonic() - started


def run_rows(rows, folder, bench, side_by_side):
    """Runs them, prints a line for each as it ends, and gives how many passed, failed and were skipped."""
    counts = {"pass": 0, "fail": 0, "skip": 0}
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TooLong("the whole takes too long")))
    with concurrent.futures.ThreadPoolExecutor(side_by_side) as pool:
        waiting = {pool.submit(_run, one, f"{folder}/{number}", bench): one for number, one in enumerate(rows)}
        for done in concurrent.futures.as_completed(waiting):
            one, verdict, told, took = done.result()
            counts[verdict] += 1
            print(f"{verdict:4}  {one.kind:9} {one.name}  ({took:.1f} s)", flush=True)
            if told.state:
                print(f"      left: {told.state}")
            for text in told.happened:
                print(f"      then: {text}")
            if verdict == "fail":
                print("      at:   " + getattr(told, "where", ""), flush=True)
    return counts
