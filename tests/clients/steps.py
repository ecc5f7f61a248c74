"""What a client prints for `run` to count: a line a step, `pass` or `fail`."""

import contextlib
import traceback


def steps(name):
    """A context for the steps of this client, which reports how each ended."""

    def report(ok, step, why=""):
        why = " ".join(str(why).split())[:400]
        print("\t".join(["pass" if ok else "fail", name, step] + ([why] if why else [])), flush=True)

    @contextlib.contextmanager
    def step(what):
        try:
            yield
            report(True, what)
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
            if not isinstance(error, AssertionError):
                traceback.print_exc()
            report(False, what, f"{type(error).__name__}: {error}")

    return step
