"""Rows of the table, and how they are run: each in a folder of its own, bounded in time, several side by side."""

import contextlib
import pathlib
import queue
import sys
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


def _run(one, folder, bench):
    told, started = Told(pathlib.Path(folder), bench), time.monotonic()
    told.folder.mkdir(parents=True, exist_ok=True)
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
        try:
            told.stack.close()
        except Exception as error:  # noqa: BLE001
            verdict = "fail"
            told.says(f"it could not be ended: {error}")
    return one, verdict, told, time.monotonic() - started


def run_rows(rows, folder, bench, side_by_side):
    """Runs them, prints a line for each as it ends, and gives how many passed, failed and were skipped."""
    counts, waiting, running = {"pass": 0, "fail": 0, "skip": 0}, list(enumerate(rows)), {}
    ended = queue.Queue()

    def work(number, one):
        ended.put((number, *_run(one, f"{folder}/{number}", bench)))

    while waiting or running:
        while waiting and len(running) < side_by_side:
            number, one = waiting.pop(0)
            running[number] = (one, time.monotonic())
            threading.Thread(target=work, args=(number, one), daemon=True).start()
        for number, (one, started) in list(running.items()):
            if time.monotonic() - started > one.seconds:
                # Nobody waits for it any more; what it started ends with the whole.
                del running[number]
                told = Told(folder, bench)
                told.says(f"it has not come to its end within {one.seconds} s")
                show(one, "fail", told, one.seconds, counts)
        try:
            number, one, verdict, told, took = ended.get(timeout=1)
        except queue.Empty:
            continue
        if running.pop(number, None):
            show(one, verdict, told, took, counts)
    return counts


def show(one, verdict, told, took, counts):
    counts[verdict] += 1
    print(f"{verdict:4}  {one.kind:9} {one.name}  ({took:.1f} s)")
    if told.state:
        print(f"      left: {told.state}")
    for text in told.happened:
        print(f"      then: {text}")
    if verdict == "fail":
        print("      at:   " + getattr(told, "where", ""))
    sys.stdout.flush()
