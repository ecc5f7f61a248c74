"""Runs the rows: see `run`."""

import argparse
import os
import pathlib
import sys

import bench  # noqa: F401 Its rows.
import load  # noqa: F401
import matrix
import stay
import tampered  # noqa: F401
import told  # noqa: F401
from rows import ROWS, run_rows


def arguments():
    parser = argparse.ArgumentParser(prog="tests/team/run")
    parser.add_argument("--matrix", action="store_true", help="every row; without it, those of the short run")
    parser.add_argument("--only", default="", help="rows whose name or kind has this in it")
    parser.add_argument("--list", action="store_true", help="what rows there are")
    parser.add_argument("--stay", action="store_true", help="no rows: replicas, balancer and standby for people to look at")
    parser.add_argument("--side-by-side", type=int, default=4, help="how many rows at a time")
    parser.add_argument("--replicas", type=int, default=8)
    parser.add_argument("--changes", type=int, default=0, help="changes of each replica; 1000 with --matrix")
    parser.add_argument("--kills", type=int, default=0, help="kills of replicas under load; 200 with --matrix")
    parser.add_argument("--frozen", type=int, default=0, help="seconds that a replica is frozen; 300 with --matrix")
    parser.add_argument("--verbose", action="store_true", help="what callers heard, in full")
    parser.add_argument("grantor")
    return parser.parse_args()


def main():
    given = arguments()
    given.changes = given.changes or (1000 if given.matrix else 20)
    given.kills = given.kills or (200 if given.matrix else 20)
    given.frozen = given.frozen or (300 if given.matrix else 130)
    rows = [one for one in ROWS if given.matrix or one.quick or given.only]
    rows = [one for one in rows if given.only in f"{one.kind} {one.name}"]
    if given.list:
        for one in ROWS:
            print(f"{'short' if one.quick else 'all':5}  {one.kind:9} {one.name}")
        return 0
    given.shared = matrix.Shared(given)
    try:
        if given.stay:
            return stay.stay(pathlib.Path(os.environ["WORK"]) / "stay", given)
        counts = run_rows(rows, pathlib.Path(os.environ["WORK"]), given, given.side_by_side)
    finally:
        given.shared.close()
    print(f"\n{counts['pass']} passed, {counts['fail']} failed" + (f", {counts['skip']} skipped" if counts["skip"] else ""))
    strict = os.environ.get("CI") and counts["skip"]
    return 1 if counts["fail"] or strict or not counts["pass"] else 0


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    # A row that was given up may still hang on something.
    os._exit(status)
