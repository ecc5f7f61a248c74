"""The failure matrix: what is killed, frozen, cut, filled or promoted, and what is left and happens then."""

import json
import os
import pathlib
import shutil
import threading
import time
import urllib.parse

from between import Wire
from postgres import Cluster, Pooler, Unavailable, certificate, run, until
from replicas import (ALL, ASKING, LEDGER_KEY, Browser, Handler, Replica, Seer, Team, Vendors, faults, forwarded,
                      lines_of, returned, serve, told as counted)
from rows import row

# Longer than a lease lasts, and than whoever is gone is taken to live.
LEASE = 120
LONG = 200


class Shared:
    """What rows share: keys of fake vendors, and a database for those that do not break it."""

    def __init__(self, bench):
        self.bench, self.lock, self.cluster, self.chains = bench, threading.Lock(), None, 0

    def vendors_for(self, folder, tenant=None):
        with self.lock:
            # Keys take long to make: each has those of the first.
            kept = folder.parent / "vendors"
            if not kept.exists():
                Vendors(self.bench.grantor, folder.parent).close()
                (kept / "sandbox" / "state.json").unlink(missing_ok=True)
        folder = folder / tenant if tenant else folder
        shutil.copytree(kept, folder / "vendors")
        return Vendors(self.bench.grantor, folder, tenant)

    def database(self, grantor):
        with self.lock:
            if self.cluster is None:
                self.cluster = Cluster()
                migrate(grantor, self.cluster.primary, self.cluster.folder)
            return self.cluster

    def chain(self):
        with self.lock:
            self.chains += 1
            return f"row-{self.chains}"

    def close(self):
        if self.cluster:
            self.cluster.close()


def migrate(grantor, server, folder, port=None, more="?sslmode=disable"):
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GRANTOR_STATE_DIR": str(folder / "owner"),
           "GRANTOR_LEDGER_KEY": LEDGER_KEY,
           "GRANTOR_STORE_URL": server.url(port=port, more=more),
           "GRANTOR_STORE_OWNER_URL": server.url("grantor_owner", port=port, more=more)}
    ran = run(grantor, "ledger", "migrate", env=env, check=False)
    if ran.returncode:
        raise AssertionError(f"ledger migrate: {ran.stdout}{ran.stderr}")


class Scene:
    """Replicas with a wire each to one database, on a chain of their own."""

    def __init__(self, told, policy=ASKING, replicas=2, cluster=None, more="", kept="?sslmode=disable"):
        self.told, self.grantor = told, told.bench.grantor
        shared = told.bench.shared
        self.vendors, self.chain = told.keep(shared.vendors_for(told.folder)), shared.chain()
        self.cluster = cluster or shared.database(self.grantor)
        self.primary = self.cluster.primary
        if cluster:
            migrate(self.grantor, self.primary, told.folder)
        self.team = told.keep(Team(self.grantor, told.folder / "team", self.vendors, policy))
        self.team.more, self.kept = more, kept
        self.team.store = {"GRANTOR_STORE_CHAIN": self.chain, "GRANTOR_STORE_URL": self.primary.url(more=kept)}
        self.wires, self.changes = [], []
        for _ in range(replicas):
            self.replica()

    def replica(self, **more):
        wire = self.told.keep(Wire(self.primary.port))
        self.wires.append(wire)
        url = self.primary.url(port=wire.port, more=self.kept)
        return self.team.replica(GRANTOR_STORE_URL=url, **more)

    def __getitem__(self, number):
        return self.team.replicas[number]

    def move_to(self, server):
        """Where the database is from now on: what a balancer or an address that moves does."""
        self.primary = server
        self.team.store["GRANTOR_STORE_URL"] = server.url(more=self.kept)
        for wire in self.wires:
            wire.to = server.port
            wire.reset()

    def change(self, before=None, after=None):
        change = self.vendors.fresh()
        seer = self.told.keep(Seer(self.primary, self.chain))
        self.vendors.watch(change, seer, before, after)
        self.changes.append(change)
        return change

    def ask(self, change, replica=0):
        answer = self[replica].call("set_project_acl", change)
        self.told.equal(answer.get("outcome"), "awaiting_consent", f"asked: {answer}")
        return answer["receipt"]

    def browser(self, *replicas):
        browser = Browser("grace", [self[number] for number in replicas])
        self.told.check(browser.log_in(), "nobody can log in")
        return browser

    def lines(self):
        return lines_of(self.primary, self.chain)

    def events(self, receipt=None):
        return [line["event"] for line in self.lines() if receipt in (None, line["receipt"])]

    def writes(self):
        return self.vendors.writes(*self.changes)

    def left(self):
        """The state, in a few words."""
        return f"{counted(self.lines())}; {len(self.writes())} writes"

    def judge(self, writes=None, lost=False):
        """What must hold after every row: whole, and nothing without a line, twice or out of turn."""
        told = self.told
        told.state = told.state or self.left()
        found = faults(self.lines(), self.writes())
        told.check(not found, "; ".join(found))
        if writes is not None:
            told.equal(len(self.writes()), writes, "writes at the vendor")
        verified = self.team.run("ledger", "verify")
        told.check(verified.returncode == 0, f"ledger verify: {verified.stdout}{verified.stderr}")

    def settled(self, receipt, patience=LONG):
        """Waits until nothing is open any more of what a request asked for; how it ended."""

        def ended():
            lines = self.lines()
            mine = [line for line in lines if line["receipt"] == receipt]
            done = [line.get("outcome") for line in mine if line["event"] in ("close", "found", "concluded")]
            return done and done[-1]

        return until(f"{receipt} is settled ({self.events(receipt)})", ended, patience)


def line(event):
    return f'"event":"{event}"'.encode()


def kill_at(event, is_after):
    """Approves a request, and kills the replica that has a line under way: before its COMMIT, or once everybody sees
    it and before the replica hears of it."""

    def work(told):
        scene = Scene(told)
        first = scene[0]
        wire = scene.wires[0]

        def spring():
            if not is_after:
                first.kill()
                return "withhold"

            def once_seen():
                until("the line can be seen", lambda: event in scene.events(), 20)
                first.kill()

            threading.Thread(target=once_seen, daemon=True).start()
            return "swallow"

        change = scene.change()
        if event == "asked":
            wire.arm(line(event), spring)
            answer = first.call("set_project_acl", change)
            told.equal(answer["outcome"], "lost", "what its caller hears")
            told.state = scene.left()
            receipts = [one["receipt"] for one in scene.lines()]
            told.equal(len(receipts), int(is_after), "requests that are there")
            if not is_after:
                told.says("nothing was asked; the caller asks again")
                first.start()
                receipts = [scene.ask(change, 1)]
            scene.browser(1).decides(receipts[0], "approve")
            outcome = scene.settled(receipts[0])
        else:
            receipt = scene.ask(change)
            browser = scene.browser(0)
            wire.arm(line(event), spring)
            try:
                browser.decides(receipt, "approve")
            except OSError:
                pass
            told.check(wire.sprung.wait(20), f"no {event} was written")
            until("it is dead", lambda: first.process.poll() is not None)
            told.state = scene.left()
            # Whose yes was not taken says it again, at the other one.
            if event == "answered" and not is_after:
                scene.browser(1).decides(receipt, "approve")
            if event == "spent" and is_after or event == "open" and not is_after:
                until("the other one can be asked", lambda: scene[1].get("/readyz")[0] == 200)
                time.sleep(8)
                told.says(f"the yes is used up and nothing was sent: {scene.events(receipt)}")
                scene.judge(writes=0)
                return
            outcome = scene.settled(receipt)
        told.says(f"the other replica went on: {outcome}")
        sends = not (event == "open" and is_after)
        scene.judge(writes=1 if sends else 0)
        told.equal(outcome, "confirmed" if sends else outcome, "how it ended")

    work.__doc__ = f"a replica is killed {'after' if is_after else 'before'} {event}"
    return work


for _event in ("asked", "answered", "spent", "open", "close"):
    for _is_after in (False, True):
        _name = f"killed {'after' if _is_after else 'before'} `{_event}`"
        row(_name, "killed", quick=_event == "answered" and _is_after, seconds=LONG + 60)(kill_at(_event, _is_after))


def killed_at_the_vendor(is_after):
    def work(told):
        scene = Scene(told)
        kill = lambda _: scene[0].kill()  # noqa: E731
        change = scene.change(**{"after" if is_after else "before": kill})
        receipt = scene.ask(change)
        try:
            scene.browser(0).decides(receipt, "approve")
        except OSError:
            pass
        until("it is dead", lambda: scene[0].process.poll() is not None)
        told.state = scene.left()
        told.says(f"found by the other one: {scene.settled(receipt)}")
        scene.judge(writes=1)

    return work


row("killed as the vendor has the write, before its answer", "killed", seconds=LONG + 60)(killed_at_the_vendor(False))
row("killed once the vendor has done it, before the reply", "killed", quick=True, seconds=LONG + 60)(
    killed_at_the_vendor(True))


@row("frozen after it sent, woken after another has looked", "frozen", seconds=2 * LONG)
def frozen(told):
    scene = Scene(told)
    held = threading.Event()

    def freeze(_):
        scene[0].freeze()
        held.set()

    change = scene.change(before=freeze)
    receipt = scene.ask(change)
    browser = scene.browser(0)
    threading.Thread(target=lambda: swallow_errors(lambda: browser.decides(receipt, "approve")), daemon=True).start()
    told.check(held.wait(30), "nothing was sent")
    started = time.monotonic()
    outcome = scene.settled(receipt, 2 * LONG)
    told.state = scene.left()
    told.says(f"after {time.monotonic() - started:.0f} s the other one looked, and found it {outcome}")
    time.sleep(max(0, told.bench.frozen - (time.monotonic() - started)))
    # Another change of the same access meanwhile.
    other = {**change, "permission_list": ["R"]}
    second = scene[1].call("set_project_acl", other)
    scene[0].wake()
    until("it answers again", lambda: scene[0].get("/readyz")[0] == 200)
    scene.browser(1).decides(second["receipt"], "approve")
    scene.settled(second["receipt"])
    time.sleep(3)
    told.says(f"woken, it wrote nothing that stands against that: {counted(scene.lines())}")
    scene.judge(writes=2)


@row("a turn is lost between the last look and `open`: nothing is opened with what was read", "frozen", quick=True)
def lost_turn(told):
    scene = Scene(told, replicas=1)
    free = told.folder / "all.cedar"
    free.write_text(ALL)
    unasked = scene.replica(GRANTOR_POLICY=str(free))
    wire, change = scene.wires[0], scene.change()
    other = {**change, "permission_list": ["R"]}
    receipt, theirs, held = scene.ask(change), [], []

    def taken_away():
        """As the transaction of `open` begins: the turn is over, and goes to somebody who changes the same access."""
        held.append(scene.primary.sql(
            "UPDATE grantor.lease SET until = clock_timestamp() - interval '1 second'"
            f" WHERE chain = '{scene.chain}' AND name LIKE 'turn%' AND until > clock_timestamp() RETURNING name"))
        theirs.append(unasked.call("set_project_acl", other))

    def spent():
        wire.before = (b"FOR UPDATE", taken_away)

    browser = scene.browser(0)
    wire.arm(line("spent"), spent)
    swallow_errors(lambda: browser.decides(receipt, "approve"))
    until("the first one has come to its end", lambda: {"close", "concluded"} & set(scene.events(receipt)), 60)
    told.check(held and held[0], f"no turn was taken away: {held}")
    told.equal(theirs[0]["outcome"], "confirmed", "the other one's change")
    told.state = scene.left()
    note = [one.get("note") for one in scene.lines() if one["event"] == "concluded"]
    told.says(f"{held[0]} was the other one's; the first one: {scene.events(receipt)}, {note}")
    told.check("open" not in scene.events(receipt), "it opened a change with what it had read before")
    # Other checks would find it too; this is the one that asks whose turn it is.
    told.check("away for so long" in str(note), f"the turn was not asked about: {note}")
    scene.judge(writes=1)


def why(answer):
    """What an answer says where it is none that one hopes for."""
    body = {name: value for name, value in answer.items() if name in ("outcome", "status", "message", "hint", "kind")}
    return json.dumps(body, ensure_ascii=False) if "message" in body else json.dumps(answer, ensure_ascii=False)[:600]


def swallow_errors(work):
    try:
        work()
    except Exception:  # noqa: BLE001 Whoever was told nothing looks at the ledger.
        pass


@row("frozen between the chain's lock and its COMMIT: the others go on", "frozen", quick=True)
def frozen_with_the_lock(told):
    scene = Scene(told)
    wire, first = scene.wires[0], scene[0]

    def freeze():
        first.freeze()
        return "hold"

    change, other = scene.change(), scene.change()
    wire.arm(line("asked"), freeze)
    thread, _ = first.begin("set_project_acl", change)
    told.check(wire.sprung.wait(20), "no line was under way")
    holder = scene.primary.sql("SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction'")
    told.check(holder != "0", "nobody holds the chain")
    started, refused = time.monotonic(), []

    def asked():
        answer = scene[1].call("set_project_acl", other)
        if answer["outcome"] != "awaiting_consent":
            refused.append(answer)
        return answer["outcome"] == "awaiting_consent" and answer

    answer = until("the other one can ask", asked, 60)
    told.says(f"the other one was in after {time.monotonic() - started:.0f} s, refused {len(refused)} times before")
    first.wake()
    thread.join(80)
    scene.browser(1).decides(answer["receipt"], "approve")
    scene.settled(answer["receipt"])
    scene.judge(writes=1)


@row("the database is down at the start, and comes", "database", quick=True)
def down_at_start(told):
    cluster = told.keep(Cluster())
    scene = Scene(told, replicas=0, cluster=cluster)
    cluster.primary.stop("immediate")
    wire = told.keep(Wire(cluster.primary.port))
    scene.wires.append(wire)
    url = cluster.primary.url(port=wire.port)
    class Unready(Replica):
        def start(self, wait=False):
            super().start(wait=False)

    one = Unready(scene.team, "replica-0", scene.team.folder / "replica-0", scene.team.grantor, {"GRANTOR_STORE_URL": url})
    scene.team.replicas.append(one)
    one.port = until("it listens", one._listens)
    told.equal(one.get("/livez")[0], 200, "/livez")
    until("its issuer's keys are held", lambda: "database" in one.get("/readyz")[1] or "ledger" in one.get("/readyz")[1])
    told.equal(one.get("/readyz")[0], 503, "/readyz")
    change = scene.change()
    refused = one.call("set_project_acl", change)
    told.check(refused["outcome"] not in ("awaiting_consent", "confirmed"), str(refused))
    told.says(f"readyz says {one.get('/readyz')[1].strip()!r}; a call: {why(refused)}")
    cluster.primary.start()
    until("it is ready", lambda: one.get("/readyz")[0] == 200)
    receipt = scene.ask(change)
    scene.browser(0).decides(receipt, "approve")
    told.says(f"then it serves: {scene.settled(receipt)}")
    scene.judge(writes=1)


@row("the database goes before `open`, and comes back", "database")
def down_before_open(told):
    cluster = told.keep(Cluster())
    scene = Scene(told, cluster=cluster)
    change = scene.change()
    receipt = scene.ask(change)
    browser = scene.browser(0)
    _, page = browser.go(f"/inbox/{receipt}")
    told.check("approve" in page, "no form is shown")
    cluster.primary.kill()
    swallow_errors(lambda: browser.decides(receipt, "approve"))
    told.equal(len(scene.writes()), 0, "writes while it was down")
    cluster.primary.start()
    told.state = scene.left()
    until("both are ready", lambda: all(scene[n].get("/readyz")[0] == 200 for n in (0, 1)))
    scene.browser(1).decides(receipt, "approve")
    told.says(f"then it is approved and carried out: {scene.settled(receipt)}")
    scene.judge(writes=1)


def at_commit(what, expected):
    def work(told):
        cluster = told.keep(Cluster())
        scene = Scene(told, cluster=cluster)

        def spring():
            if what == "kill":
                cluster.primary.kill()
                return "withhold"
            return what

        change = scene.change()
        receipt = scene.ask(change)
        browser = scene.browser(0)
        scene.wires[0].arm(line("open"), spring)
        swallow_errors(lambda: browser.decides(receipt, "approve"))
        told.check(scene.wires[0].sprung.wait(20), "no open was written")
        if what == "kill":
            told.equal(len(scene.writes()), 0, "writes while it is down")
            cluster.primary.start()
        told.state = scene.left()
        until("both are ready", lambda: all(scene[n].get("/readyz")[0] == 200 for n in (0, 1)))
        if expected:
            told.says(f"the line was looked for and is there: {scene.settled(receipt)}")
        else:
            time.sleep(8)
            told.says(f"nothing was sent: {scene.events(receipt)}")
        scene.judge(writes=expected)

    return work


row("the database dies at the COMMIT of `open`", "database")(at_commit("kill", 0))
row("the answer to the COMMIT of `open` is swallowed", "database", quick=True)(at_commit("swallow", 1))
row("the connection ends as `open` is committed", "database")(at_commit("drop", 1))
row("the COMMIT of `open` never arrives", "database")(at_commit("withhold", 0))


@row("the database dies after the write has left", "database", seconds=LONG + 60)
def down_after_send(told):
    cluster = told.keep(Cluster())
    scene = Scene(told, cluster=cluster)
    change = scene.change(before=lambda _: cluster.primary.kill())
    receipt = scene.ask(change)
    swallow_errors(lambda: scene.browser(0).decides(receipt, "approve"))
    until("the write is done", lambda: scene.writes() and scene.writes()[0]["status"])
    cluster.primary.start()
    told.state = scene.left()
    told.says(f"found out later: {scene.settled(receipt)}")
    scene.judge(writes=1)


@row("failover to a synchronous standby: nothing that was acknowledged is gone", "failover", quick=True)
def failover(told):
    cluster = told.keep(Cluster())
    second = cluster.standby()
    scene = Scene(told, cluster=cluster)
    change, other = scene.change(), scene.change()
    receipt = scene.ask(change)
    scene.browser(0).decides(receipt, "approve")
    scene.settled(receipt)
    waiting = scene.ask(other)
    before = scene.events()
    cluster.primary.kill()
    second.promote()
    second.wait_for_standby("")
    scene.move_to(second)
    told.equal(scene.events(), before, "lines on the new primary")
    told.state = scene.left()
    until("both are ready", lambda: all(scene[n].get("/readyz")[0] == 200 for n in (0, 1)))
    scene.vendors.watch(other, told.keep(Seer(second, scene.chain)))
    scene.browser(1).decides(waiting, "approve")
    told.says(f"what waited is approved and carried out on the new primary: {scene.settled(waiting)}")
    scene.judge(writes=2)


@row("failover to an asynchronous standby that lags: whoever saw more changes nothing", "failover", quick=True)
def lossy_failover(told):
    cluster = told.keep(Cluster())
    second = cluster.standby(synchronous=False)
    scene = Scene(told, cluster=cluster)
    doctor = scene.team.run("doctor", timeout=120)
    told.check("standby" in doctor.stdout, f"doctor says nothing of standbys: {doctor.stdout}")
    first = scene.change()
    scene.ask(first)
    until("the standby has it", lambda: second.sql(
        f"SELECT count(*) FROM grantor.line WHERE chain = '{scene.chain}'", check=False).stdout.strip() == "1")
    second.kill()
    lost = [scene.ask(scene.change()) for _ in range(3)]
    cluster.primary.kill()
    second.start()
    second.promote()
    scene.move_to(second)
    told.state = f"{len(scene.lines())} of 4 acknowledged lines; {len(scene.writes())} writes"
    until("it follows the new primary", lambda: "seen it" in scene[0].get("/readyz")[1] or "seen it" in json.dumps(
        scene[0].call("check_change", {"receipt": lost[0]})))
    said = why(scene[0].call("check_change", {"receipt": lost[0]}))
    refused = scene[0].call("set_project_acl", scene.change())
    told.check(refused["outcome"] != "awaiting_consent", f"it goes on as if nothing was: {refused}")
    told.check("back" in json.dumps(refused) or "seen it" in json.dumps(refused), str(refused))
    told.equal(scene[0].get("/readyz")[0], 503, "/readyz")
    told.says(f"a look: {said}")
    told.says(f"a change: {why(refused)}; {refused.get('hint')}")
    told.equal(len(scene.writes()), 0, "writes")


@row("only the standby is gone: nothing is sent until it is back", "failover", seconds=180)
def standby_gone(told):
    cluster = told.keep(Cluster())
    second = cluster.standby()
    scene = Scene(told, cluster=cluster)
    change = scene.change()
    receipt = scene.ask(change)
    browser = scene.browser(0)
    second.kill()
    swallow_errors(lambda: browser.decides(receipt, "approve"))
    told.equal(len(scene.writes()), 0, "writes without a standby")
    told.state = scene.left()
    second.start()
    until("the standby is back", lambda: cluster.primary.sql(
        "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'") == "1")
    until("both are ready", lambda: all(scene[n].get("/readyz")[0] == 200 for n in (0, 1)))
    time.sleep(2)
    if "answered" not in scene.events(receipt):
        scene.browser(1).decides(receipt, "approve")
    told.says(f"with it back: {scene.settled(receipt)}")
    scene.judge(writes=1)


@row("the wait for a standby is cancelled: a commit with a WARNING is no yes", "failover", quick=True, seconds=180)
def cancelled(told):
    cluster = told.keep(Cluster())
    second = cluster.standby()
    scene = Scene(told, cluster=cluster)
    receipt = scene.ask(scene.change())
    browser = scene.browser(0)
    stop, cancels = threading.Event(), []
    # The yes is recorded while the standby is there; what comes after it waits, and somebody cancels that.
    scene.wires[0].arm(line("spent"), second.kill)

    def cancel():
        while not stop.is_set():
            gone = cluster.primary.sql("SELECT count(*) FROM (SELECT pg_cancel_backend(pid) FROM pg_stat_activity"
                                       " WHERE wait_event = 'SyncRep') AS all_of")
            cancels.append(int(gone))
            time.sleep(0.1)

    canceller = threading.Thread(target=cancel, daemon=True)
    canceller.start()
    swallow_errors(lambda: browser.decides(receipt, "approve"))
    told.check(scene.wires[0].sprung.wait(20), "nothing was spent")
    time.sleep(8)
    stop.set()
    canceller.join()
    told.check(sum(cancels) > 0, "nothing was cancelled")
    told.equal(len(scene.writes()), 0, "writes after a commit that no standby has")
    told.state = f"{scene.left()}, on the primary alone; {sum(cancels)} waits were cancelled"
    second.start()
    until("the standby is back", lambda: cluster.primary.sql(
        "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync'") == "1")
    until("both are ready", lambda: all(scene[n].get("/readyz")[0] == 200 for n in (0, 1)))
    time.sleep(8)
    told.says(f"with the standby back: {scene.events(receipt)}")
    scene.judge(writes=0 if "open" not in scene.events(receipt) else 1)


@row("the old primary is cut off with one replica, and the standby promoted", "failover", seconds=180)
def partitioned(told):
    cluster = told.keep(Cluster())
    second = cluster.standby()
    scene = Scene(told, cluster=cluster)
    old = cluster.primary
    receipt = scene.ask(scene.change())
    # The standby no longer hears of the old primary; replica 0 still does, and replica 1 is led to the new one.
    second.stop("fast")
    (second.data / "postgresql.auto.conf").open("a").write("primary_conninfo = ''\n")
    second.start()
    second.promote()
    second.wait_for_standby("")
    scene.primary = second
    scene.team.store["GRANTOR_STORE_URL"] = second.url()
    scene.wires[1].to = second.port
    scene.wires[1].reset()
    stranded = scene[0].call("set_project_acl", scene.change())
    told.check(stranded["outcome"] != "awaiting_consent", f"a line on the old side alone counts: {stranded}")
    until("the other one is ready", lambda: scene[1].get("/readyz")[0] == 200)
    change = scene.changes[0]
    scene.vendors.watch(change, told.keep(Seer(second, scene.chain)))
    scene.browser(1).decides(receipt, "approve")
    told.says(f"on the new side: {scene.settled(receipt)}")
    told.says(f"on the old side: {why(stranded)}")
    told.state = scene.left()
    old.kill()
    scene.wires[0].to = second.port
    scene.wires[0].reset()
    until("the first one follows", lambda: scene[0].get("/readyz")[0] == 200)
    scene.ask(scene.change())
    scene.judge(writes=1)


@row("one replica is cut off from the database", "cut", quick=True)
def replica_cut(told):
    scene = Scene(told)
    change = scene.change()
    receipt = scene.ask(change)
    browser = scene.browser(1)
    scene.wires[0].cut()
    stranded = scene[0].call("set_project_acl", scene.change())
    told.check(stranded["outcome"] != "awaiting_consent", str(stranded))
    told.equal(scene[0].get("/readyz", 30)[0], 503, "/readyz of the one that is cut off")
    browser.decides(receipt, "approve")
    told.says(f"the other goes on: {scene.settled(receipt)}; the one that is cut off: {why(stranded)}")
    scene.wires[0].mend()
    scene.wires[0].reset()
    until("it is back", lambda: scene[0].get("/readyz")[0] == 200)
    seen = scene[0].call("check_change", {"receipt": receipt})
    told.check("done" in json.dumps(seen) or "confirmed" in json.dumps(seen), f"it did not catch up: {seen}")
    scene.judge(writes=1)


@row("the wire is slow: 300 ms a piece", "cut")
def slow(told):
    scene = Scene(told)
    for wire in scene.wires:
        wire.delay = 0.3
    change = scene.change()
    receipt = scene.ask(change)
    scene.browser(1).decides(receipt, "approve")
    told.says(f"{scene.settled(receipt)}")
    scene.judge(writes=1)


@row("a browser is led round two replicas: logged in, and its form counts at the other", "round", quick=True)
def browser_round(told):
    scene = Scene(told)
    receipt = scene.ask(scene.change())
    status, page = scene.browser(0, 1).decides(receipt, "approve")
    told.check(status == 200, f"{status}: {page}")
    told.says(f"{scene.settled(receipt)}")
    scene.judge(writes=1)


@row("the database's disk is full, and has room again", "disk", quick=True)
def disk_full(told):
    cluster = told.keep(Cluster(room=192, wal_segment=1))
    scene = Scene(told, cluster=cluster)
    scene.ask(scene.change())
    filler = cluster.fill()
    refusals = []

    def full():
        change = scene.vendors.fresh()
        answer = scene[0].call("set_project_acl", change)
        refusals.append(answer)
        return answer["outcome"] != "awaiting_consent"

    until("a line is refused", full, 60)
    told.state = f"refused: {why(refusals[-1])}"
    filler.unlink()
    until("there is room", lambda: scene[0].get("/readyz")[0] == 200, 60)
    change = scene.change()
    receipt = until("it is asked", lambda: (lambda one: one["outcome"] == "awaiting_consent" and one["receipt"])(
        scene[1].call("set_project_acl", change)), 60)
    scene.browser(1).decides(receipt, "approve")
    told.says(f"with room: {scene.settled(receipt)}")
    scene.judge(writes=1)


@row("a replica's clock is ten minutes ahead", "clock", quick=True)
def clock(told):
    library = next(pathlib.Path("/usr/lib").glob("*/faketime/libfaketime.so.1"), None)
    if not library:
        raise Unavailable("there is no libfaketime (Debian: faketime)")
    scene = Scene(told, policy=ALL, replicas=1)
    ahead = scene.replica(LD_PRELOAD=str(library), FAKETIME="+10m", DONT_FAKE_MONOTONIC="1")
    change = scene.change()
    change = {**change, "expires_in": "PT5M"}
    answer = scene[0].call("set_project_acl", change)
    told.equal(answer["outcome"], "confirmed", str(answer))
    time.sleep(12)
    early = [one for one in scene.lines() if one.get("ends")]
    told.says(f"an end five minutes away was taken back early {len(early)} times by the one that is ahead")
    lines = scene.lines()
    times = [one["time"] for one in lines]
    told.equal(times, sorted(times), "times of lines, which are the database's")
    now = scene.primary.sql("SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS')")
    told.check(all(one[:19] <= now for one in times), f"a line of the future: {times[-1]}, now {now}")
    other = ahead.call("set_project_acl", scene.change())
    told.says(f"by the one that is ahead: {other['outcome']} {why(other) or ''}")
    last = scene.lines()[-1]["time"]
    told.check(last[:16] <= scene.primary.sql(
        "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI')"), f"a line at {last}")
    told.equal(len(early), 0, "ends that were carried out early")
    scene.judge()


@row("the identity provider is down", "identity", quick=True)
def identity_down(told):
    scene = Scene(told)
    scene.ask(scene.change())
    scene.team.issuer.is_down = True
    scene.ask(scene.change(), 1)
    told.says("keys that are held serve on")
    answer = scene[0].call("set_project_acl", scene.vendors.fresh(), token="x.y.z")
    told.equal(answer.get("status"), 401, "a token that is none")
    scene.team.issuer.is_down = False
    told.state = counted(scene.lines())
    scene.judge(writes=0)


@row("the identity provider's key is rotated, and the old one withdrawn as stolen", "identity", seconds=180)
def identity_rotated(told):
    scene = Scene(told)
    issuer = scene.team.issuer
    old = issuer.bearer("ada")
    scene.ask(scene.change())
    issuer.rotate("second", keep=True)
    new = issuer.bearer("eve")
    told.equal(scene[0].call("list_roles", {"vendor": "snaplogic"}, token=new).get("status"), None, "status of the new key")
    told.equal(scene[0].call("list_roles", {"vendor": "snaplogic"}, token=old).get("status"), None, "of the old one beside it")
    issuer.rotate("third")
    third = issuer.bearer("ida")
    time.sleep(31)
    for number in (0, 1):
        told.equal(scene[number].call("list_roles", {"vendor": "snaplogic"}, token=third).get("status"), None, "third key")
        told.equal(scene[number].call("list_roles", {"vendor": "snaplogic"}, token=old).get("status"), 401, "the stolen key")
    told.state = "the key that was withdrawn is refused by both"
    told.says("a new key counts when it is first seen; what is withdrawn goes with the next look")
    scene.judge(writes=0)


@row("who is told is down, and comes back: all of it, in order, once", "notices", quick=True, seconds=180)
def notices_down(told):
    got, down = [], threading.Event()
    down.set()

    class Receiver(Handler):
        def do_POST(self):
            body = json.loads(self.body())
            if down.is_set():
                self.answer(503)
                return
            got.append((self.headers["webhook-id"], body["type"], body["data"].get("receipt")))
            self.answer(204)

    server, url = serve(Receiver)
    told.stack.callback(server.shutdown)
    more = f'[notify.hook]\nurl = "{url}/hook"\nsecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"\nallow_private = true'
    scene = Scene(told, more=more)
    until("somebody begins to tell", lambda: "grantor_notices_waiting" in scene[0].get("/metrics")[1])
    time.sleep(2)
    receipts = [scene.ask(scene.change(), number % 2) for number in range(6)]
    waiting = until("they wait", lambda: [text for text in scene[0].get("/metrics")[1].splitlines()
                                          if text.startswith("grantor_notices_waiting")])
    told.state = waiting[0]
    down.clear()
    until("all are told", lambda: len(got) >= 6, 60)
    # Whoever was not the one that told tries again by now.
    time.sleep(15)
    told.equal(len({one[0] for one in got}), len(got), "ids that came once, from two replicas")
    # Who tells goes away, and another one does.
    scene[0].kill()
    more = [scene.ask(scene.change(), 1) for _ in range(2)]
    until("the other one tells on", lambda: {one[2] for one in got} >= set(more), LONG)
    time.sleep(3)
    asked = [one[2] for one in got if one[1] == "asked"]
    told.equal(asked, receipts + more, "what was told")
    told.equal(len({one[0] for one in got}), len(got), "ids that came once")
    told.says(f"{len(got)} notices in order, none twice, by two replicas")
    scene.judge(writes=0)


@row("a vendor asks to wait: no replica knocks meanwhile", "vendor", quick=True)
def busy(told):
    scene = Scene(told)
    # Nothing is asked and nothing sent: only what is there is read.
    looks = [{**scene.vendors.fresh(), "dry_run": True} for _ in range(2)]
    scene.vendors.busy = time.time() + 12
    first, heard = scene[0].begin("set_project_acl", looks[0])
    until("one has knocked", lambda: scene.vendors.knocked or heard)
    told.check(scene.vendors.knocked, "nobody has knocked" + (f": {why(heard[0])}" if heard else ""))
    time.sleep(1)
    knocks = len(scene.vendors.knocked)
    second, also = scene[1].begin("set_project_acl", looks[1])
    time.sleep(8)
    told.state = f"{knocks} knocks of the one that was told, and {len(scene.vendors.knocked) - knocks} later of both"
    first.join(80)
    second.join(80)
    told.says(f"then both have their answer: {heard[0].get('outcome')}, {also[0].get('outcome')}")
    told.equal(len(scene.vendors.knocked) - knocks, 0, "knocks after one replica was told to wait")


@row("a vendor documents a rate: replicas have it together", "vendor", seconds=200)
def rated(told):
    scene = Scene(told, replicas=0)
    came = paced(told, scene.vendors)
    replicas = [scene.replica() for _ in range(2)]
    answers = []

    def look(number):
        for time_ in range(40):
            query = {"vendor": "outsystems", "query": f"nobody-{number}-{time_}"}
            answers.append(replicas[number].call("find_principals", query))

    threads = [threading.Thread(target=look, args=(number,), daemon=True) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(150)
    wrong = [answer for answer in answers if answer.get("rows") != [] or answer.get("problems")]
    told.check(not wrong and len(answers) == 80, f"{len(answers)} answers: {why(wrong[0]) if wrong else ''}")
    # Of 100 a minute 60 may come at once, and another every one and a half seconds.
    least, took = (len(came) - 60) * 1.5 - 2, came[-1] - came[0]
    told.says(f"{len(came)} requests of both came within {took:.0f} s, and not before {least:.0f} s")
    told.check(took >= least, "each had the whole rate for itself")


def paced(told, vendors):
    """Stands before the vendor whose rate is lowest: when what counts there came."""
    to, came = urllib.parse.urlsplit(vendors.environment["OUTSYSTEMS_PORTAL_URL"]), []

    class Gate(Handler):
        def do_GET(self):
            if self.path.startswith("/api/"):
                came.append(time.monotonic())
            answer, content = forwarded(self, self.body(), to)
            # Where tokens are had is told by a whole address.
            returned(self, answer, content.replace(to.netloc.encode(), urllib.parse.urlsplit(url).netloc.encode()))

        do_POST = do_GET

    server, url = serve(Gate)
    told.stack.callback(server.shutdown)
    vendors.environment["OUTSYSTEMS_PORTAL_URL"] = url
    return came


@row("a newer version writes to the chain: this one may look, and adds nothing", "versions", quick=True)
def versions(told):
    scene = Scene(told)
    receipt = scene.ask(scene.change())
    scene.primary.sql(f"UPDATE grantor.chain SET writer_min = 99 WHERE name = '{scene.chain}'")
    seen = scene[1].call("check_change", {"receipt": receipt})
    told.check("lost" != seen["outcome"] and receipt in json.dumps(seen), f"it cannot look: {seen}")
    refused = scene[0].call("set_project_acl", scene.change())
    told.check("newer version" in json.dumps(refused), str(refused))
    told.state = counted(scene.lines())
    told.says(why(refused))
    scene.judge(writes=0)


@row("through PgBouncer in transaction mode", "pooler", quick=True)
def pooler(told):
    cluster = told.bench.shared.database(told.bench.grantor)
    pool = told.keep(Pooler(told.folder, cluster.primary))
    scene = Scene(told, replicas=0)
    for _ in range(2):
        wire = told.keep(Wire(pool.port))
        scene.wires.append(wire)
        scene.team.replica(GRANTOR_STORE_URL=scene.primary.url(port=wire.port))
    change = scene.change()
    receipt = scene.ask(change)
    scene.browser(1).decides(receipt, "approve")
    told.says(f"{scene.settled(receipt)}")
    scene.judge(writes=1)


@row("over TLS, whose certificate is checked", "tls", quick=True)
def over_tls(told):
    folder = told.folder / "tls"
    folder.mkdir()
    folder.chmod(0o711)
    for parent in (told.folder, told.folder.parent):
        parent.chmod(0o711)
    own = certificate(folder)
    cluster = told.keep(Cluster(tls=own))
    more = f"?sslrootcert={own['cert']}"
    migrate(told.bench.grantor, cluster.primary, told.folder, more=more)
    scene = Scene(told, replicas=0)
    scene.cluster, scene.primary = cluster, cluster.primary
    scene.team.store["GRANTOR_STORE_URL"] = cluster.primary.url(more=more)
    scene.team.replica()
    receipt = scene.ask(scene.change())
    tls = cluster.primary.sql("SELECT DISTINCT version FROM pg_stat_ssl s JOIN pg_stat_activity a USING (pid)"
                              " WHERE a.application_name = 'grantor' AND s.ssl")
    told.check(tls.startswith("TLSv1."), f"its connections: {tls}")
    other = told.keep(Cluster()).folder
    stranger = certificate(other)
    refused = scene.team.run("ledger", "tail", GRANTOR_STORE_URL=cluster.primary.url(more=f"?sslrootcert={stranger['cert']}"))
    told.check(refused.returncode != 0, "a certificate that nobody vouches for is believed")
    told.state = f"{tls}, request {receipt}"
    told.says(refused.stderr.strip().splitlines()[0] if refused.stderr else refused.stdout)
    scene.judge(writes=0)
