"""Many at once: eight replicas on one chain, kills of replicas and of the database under load, and round robin."""

import http.client
import itertools
import os
import pathlib
import random
import subprocess
import threading
import time

from matrix import LONG, Scene, swallow_errors, why
from postgres import Cluster, Unavailable, until
from replicas import ALL, ROOT, Browser, Handler, PEOPLE, PLACES, Seer, serve
from rows import row

LETTERS = (["R"], ["R", "W"], ["R", "X"])


class Crowd(Scene):
    """A scene in which everybody changes something at a tenant of their own: fake vendors for each."""

    def __init__(self, told, replicas, **more):
        shared = told.bench.shared
        self.crowd = [told.keep(shared.vendors_for(told.folder, f"w{number}")) for number in range(replicas)]
        super().__init__(told, replicas=replicas, more="".join(map(section, self.crowd)), **more)
        self.seer = told.keep(Seer(self.primary, self.chain))

    def own(self, number):
        """What the worker of that number changes, time and again."""
        change = {"project_or_space_path": PLACES[0], "grant_type": "USER", "grantee": f"{PEOPLE[0]}@example.com"}
        self.crowd[number].watch(change, self.seer)
        return {**change, "tenant": f"w{number}"}

    def others(self, number):
        """What is asked for once, for a time."""
        for who in PEOPLE[1:]:
            change = {"project_or_space_path": PLACES[1], "grant_type": "USER", "grantee": f"{who}@example.com"}
            self.crowd[number].watch(change, self.seer)
            yield {**change, "tenant": f"w{number}"}

    def writes(self):
        return sorted((write for one in self.crowd for write in one.log), key=lambda write: write["at"])


def section(vendors):
    """A tenant, as the configuration has it."""
    at = vendors.environment
    return (f'[tenants.{vendors.tenant}]\nvendor = "snaplogic"\nurl = "{at["SNAPLOGIC_URL"]}"\n'
            f'username = "{at["SNAPLOGIC_USERNAME"]}"\npassword = "{at["SNAPLOGIC_PASSWORD"]}"\norg = "{at["SNAPLOGIC_ORG"]}"\n')


def side_by_side(works):
    """Runs them all, and gives what they met."""
    errors = []

    def guarded(work):
        try:
            work()
        except Exception as error:  # noqa: BLE001
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(work,), daemon=True) for work in works]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    if errors:
        raise errors[0]


@row("eight replicas, each with its changes, on one chain", "load", quick=True, seconds=3600)
def eight(told):
    bench = told.bench
    scene = Crowd(told, policy=ALL, replicas=bench.replicas)
    outcomes, said, started = {}, set(), time.monotonic()

    def work(number):
        change, letters = scene.own(number), itertools.cycle(LETTERS)
        for _ in range(bench.changes):
            answer = scene[number].call("set_project_acl", {**change, "permission_list": next(letters)})
            outcomes[answer["outcome"]] = outcomes.get(answer["outcome"], 0) + 1
            if answer["outcome"] != "confirmed":
                said.add(why(answer))

    side_by_side([lambda number=number: work(number) for number in range(bench.replicas)])
    took = time.monotonic() - started
    all_of = bench.replicas * bench.changes
    told.state = scene.left()
    told.says(f"{all_of} changes in {took:.1f} s, {all_of / took:.0f} a second: {outcomes}")
    told.equal(outcomes, {"confirmed": all_of}, f"outcomes ({list(said)[:3]})")
    scene.judge(writes=all_of)
    rss = [int(text.split()[1]) for one in scene.team.replicas
           for text in pathlib.Path(f"/proc/{one.process.pid}/status").read_text().splitlines() if text.startswith("VmRSS")]
    links = scene.primary.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'grantor'")
    told.says(f"a replica had at most {max(rss) // 1024} MiB, all of them {links} connections")


@row("replicas and the database are killed under load", "load", quick=True, seconds=3600)
def kills(told):
    bench = told.bench
    cluster = told.keep(Cluster())
    scene = Crowd(told, replicas=bench.replicas, cluster=cluster)
    stop, heard, chance = threading.Event(), {}, random.Random(7)
    said = {}

    def work(number):
        change, letters = scene.own(number), itertools.cycle(LETTERS)
        own, browser, others = scene[number], None, scene.others(number)
        while not stop.is_set():
            try:
                # Now and then something for a minute: its end is somebody's to carry out, whoever lives then.
                asked = {**change, "permission_list": next(letters)}
                for_a_minute = next(others, None) if chance.random() < 0.3 else None
                if for_a_minute:
                    asked = {**for_a_minute, "permission_list": ["R"], "expires_in": "PT1M"}
                answer = own.call("set_project_acl", asked, timeout=30)
                heard[answer["outcome"]] = heard.get(answer["outcome"], 0) + 1
                if answer["outcome"] != "awaiting_consent":
                    said[why(answer)[:300]] = answer["outcome"]
                    time.sleep(0.2)
                    continue
                if browser is None:
                    browser = Browser("grace", [own])
                if not browser.log_in():
                    browser = None
                    continue
                browser.decides(answer["receipt"], "approve")
            except (OSError, http.client.HTTPException, AssertionError):
                browser = None
                time.sleep(0.2)

    def killer():
        for number in range(bench.kills):
            time.sleep(chance.uniform(0.3, 1.2))
            victim = scene[chance.randrange(bench.replicas)]
            victim.kill()
            swallow_errors(victim.start)
            if number % 10 == 9:
                cluster.primary.kill()
                time.sleep(chance.uniform(0.0, 1.0))
                cluster.primary.start()
        stop.set()

    try:
        side_by_side([killer, *[lambda number=number: work(number) for number in range(bench.replicas)]])
    finally:
        stop.set()
    for one in scene.team.replicas:
        if one.process.poll() is not None:
            one.start()
        until(f"{one.name} is ready", lambda one=one: one.get("/readyz")[0] == 200)
    told.says(f"{bench.kills} kills of replicas, {bench.kills // 10} of the database; callers heard {heard}")
    if bench.verbose:
        told.says(list(said)[:12])

    def quiet():
        lines = scene.lines()
        closed = {one["receipt"] for one in lines if one["event"] in ("close", "found")}
        return not [one for one in lines if one["event"] == "open" and one["receipt"] not in closed]

    until("nothing is open", quiet, LONG + 60)
    timed, ended, missed = ends(scene, LONG)
    told.state = scene.left()
    told.says(f"{timed} were carried out for a minute: {ended} ends were, {len(missed)} were missed")
    told.check(timed > 0, "nothing was for a time")
    told.check(not missed, f"ends that nobody carried out: {missed}")
    scene.judge()
    lines = scene.lines()
    opened = [one.get("consent") for one in lines if one["event"] == "open" and one.get("consent")]
    told.equal(len(opened), len(set(opened)), "opens that rest on a yes, against yeses")


@row("failover to a synchronous standby under load, twice", "load", seconds=900)
def failover_under_load(told):
    cluster = told.keep(Cluster())
    second = cluster.standby()
    scene = Crowd(told, policy=ALL, replicas=4, cluster=cluster)
    stop, heard, confirmed = threading.Event(), {}, {}

    def work(number):
        change, letters = scene.own(number), itertools.cycle(LETTERS)
        while not stop.is_set():
            answer = scene[number].call("set_project_acl", {**change, "permission_list": next(letters)}, timeout=40)
            heard[answer["outcome"]] = heard.get(answer["outcome"], 0) + 1
            if answer["outcome"] == "confirmed":
                confirmed[answer["receipt"]] = answer.get("warnings")
            else:
                time.sleep(0.2)

    def fail_over():
        try:
            first, standby = cluster.primary, second
            for number in ("third", None):
                time.sleep(8)
                first.kill()
                standby.promote()
                if number is None:
                    # There is none left to wait for.
                    standby.wait_for_standby("")
                else:
                    standby.wait_for_standby("")
                    cluster.primary = standby
                    following = cluster.standby(number)
                scene.move_to(standby)
                scene.seer.server = standby
                scene.seer.close()
                first, standby = standby, (following if number else None)
            time.sleep(8)
        finally:
            stop.set()

    side_by_side([fail_over, *[lambda number=number: work(number) for number in range(4)]])
    for one in scene.team.replicas:
        until(f"{one.name} is ready", lambda one=one: one.get("/readyz")[0] == 200)
    lines = scene.lines()
    opened = {one["receipt"] for one in lines if one["event"] == "open"}
    closed = {one["receipt"]: (one["event"], one["outcome"]) for one in lines if one["event"] in ("close", "found")}
    told.state = scene.left()
    told.says(f"callers heard {heard}")
    told.check(set(confirmed) <= opened, f"acknowledged, and gone: {set(confirmed) - opened}")
    # Where the database was away as it ended, its caller was told so, and somebody has looked since.
    for receipt, warnings in confirmed.items():
        if closed.get(receipt) != ("close", "confirmed"):
            told.says(f"confirmed to its caller, and {closed.get(receipt)} in the ledger; told {warnings}")
            told.check("ledger" in str(warnings), f"its caller was not told: {warnings}")
    scene.judge()


def ends(scene, patience):
    """How many changes that were for a time came about, how many ends, and which of them have none once it is due."""

    def looked():
        lines = scene.lines()
        outcome = {one["receipt"]: one["outcome"] for one in lines if one["event"] in ("close", "found")}
        timed = [one["receipt"] for one in lines if one["event"] == "open" and one.get("expires_at")
                 and not one.get("ends") and outcome.get(one["receipt"]) == "confirmed"]
        ended = {one["ends"] for one in lines if one["event"] == "open" and one.get("ends")
                 and outcome.get(one["receipt"]) in ("confirmed", "already_absent")}
        settled = ended | {one["receipt"] for one in lines if one["event"] == "over"}
        return len(timed), len(ended), [receipt for receipt in timed if receipt not in settled]

    end = time.monotonic() + patience
    while looked()[2] and time.monotonic() < end:
        time.sleep(1)
    return looked()


class Balancer:
    """Round robin: each request goes to the next replica."""

    def __init__(self, team):
        ways = itertools.cycle(team.replicas)
        balancer = self
        self.counts, self.lock = {}, threading.Lock()

        class Front(Handler):
            def do_GET(self):
                body = self.body()
                with balancer.lock:
                    to = next(ways)
                    balancer.counts[to.name] = balancer.counts.get(to.name, 0) + 1
                link = http.client.HTTPConnection("127.0.0.1", to.port, timeout=90)
                headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
                link.request(self.command, self.path, body or None, headers)
                answer = link.getresponse()
                content = answer.read()
                link.close()
                self.send_response(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                        self.send_header(name, value)
                self.send_header("content-length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_POST = do_DELETE = do_OPTIONS = do_HEAD = do_PUT = do_GET

        self.server, _ = serve(Front, team.port)

    def close(self):
        self.server.shutdown()


@row("the protocol's conformance suite, round robin over two replicas", "round", seconds=600)
def conformance(told):
    cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "grantor-clients"
    if not (cache / "conformance" / "pins").exists():
        raise Unavailable("the suite is not installed: tests/conformance/run does that")
    scene = Scene(told, policy=ALL)
    balancer = told.keep(Balancer(scene.team))
    words = [ROOT / "tests/conformance/run", "--at", scene.team.public, scene.team.issuer.bearer("ada")]
    ran = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=500)
    told.state = f"requests by replica {balancer.counts}"
    told.says(ran.stdout.strip().splitlines()[-1] if ran.stdout.strip() else ran.stderr)
    told.check(ran.returncode == 0, ran.stdout[-1500:])
    told.check(len(balancer.counts) == 2, "only one was asked")
