"""The bench itself, with psql alone: kills, promotions, cuts and full disks do what the other rows rely on."""

import os
import subprocess

from between import Wire
from postgres import Cluster, PASSWORDS, Pooler, certificate, run, until
from rows import row

TABLE = "CREATE TABLE kept (n int PRIMARY KEY)"


def psql(server, text, port=None, more="sslmode=disable", check=True, timeout=30, background=False):
    """A statement as the application's role has it, over TCP."""
    where = f"host=127.0.0.1 port={port or server.port} dbname=grantor user=grantor_owner {more} connect_timeout=3"
    words = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", where, "-c", text]
    env = {**os.environ, "PGPASSWORD": PASSWORDS["grantor_owner"]}
    if background:
        return subprocess.Popen(words, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    return run(*words, env=env, check=check, timeout=timeout)


def kept(server):
    return server.sql("SELECT COALESCE(string_agg(n::text, ',' ORDER BY n), '') FROM kept")


@row("kill -9 and start: what was acknowledged is there", "bench", quick=True)
def killed(told):
    cluster = told.keep(Cluster())
    first = cluster.primary
    psql(first, TABLE)
    psql(first, "INSERT INTO kept VALUES (1)")
    first.kill()
    told.check(not first.is_up(), "it is up after kill -9")
    lost = psql(first, "INSERT INTO kept VALUES (2)", check=False)
    told.check(lost.returncode != 0, "a server that is dead took a line")
    first.start()
    told.state = f"rows {kept(first)}"
    told.equal(kept(first), "1", "rows")
    psql(first, "INSERT INTO kept VALUES (3)")
    told.says("it recovered and goes on")


@row("a synchronous standby is promoted: nothing acknowledged is lost", "bench")
def promoted(told):
    cluster = told.keep(Cluster())
    first, second = cluster.primary, cluster.standby()
    psql(first, TABLE)
    for number in range(20):
        psql(first, f"INSERT INTO kept VALUES ({number})")
    first.kill()
    second.promote()
    told.state = f"{second.sql('SELECT count(*) FROM kept')} of 20 rows on the new primary"
    told.equal(second.sql("SELECT count(*) FROM kept"), "20", "rows")


@row("an asynchronous standby that lags is promoted: lines are lost in silence", "bench")
def lossy(told):
    cluster = told.keep(Cluster())
    first, second = cluster.primary, cluster.standby(synchronous=False)
    psql(first, TABLE)
    psql(first, "INSERT INTO kept VALUES (0)")
    until("the standby has it", lambda: second.sql("SELECT count(*) FROM kept", check=False).stdout.strip() == "1")
    second.kill()
    for number in range(1, 21):
        psql(first, f"INSERT INTO kept VALUES ({number})")
    first.kill()
    second.start()
    second.promote()
    told.state = f"{second.sql('SELECT count(*) FROM kept')} of 21 acknowledged rows"
    told.equal(second.sql("SELECT count(*) FROM kept"), "1", "rows that survived")
    told.says("nothing said so: whoever relies on it has to notice by itself")


@row("the only synchronous standby is gone: a commit waits, and a cancelled one is a success with a WARNING", "bench")
def waits(told):
    cluster = told.keep(Cluster())
    first, second = cluster.primary, cluster.standby()
    psql(first, TABLE)
    second.kill()
    waiting = psql(first, "INSERT INTO kept VALUES (1)", background=True)
    until("it waits for the standby", lambda: first.sql(
        "SELECT 1 FROM pg_stat_activity WHERE wait_event = 'SyncRep'") == "1")
    told.equal(kept(first), "", "rows that others see while it waits")
    first.sql("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
    out, err = waiting.communicate(timeout=20)
    told.equal(waiting.returncode, 0, "status of the cancelled commit")
    told.check("WARNING" in err and "might not have been replicated" in err, f"no warning: {out}{err}")
    told.state = f"rows {kept(first)} on the primary alone"
    second.start()
    psql(first, "INSERT INTO kept VALUES (2)")
    told.says("the commit came back as a success with a WARNING; with the standby back the next one is taken")


@row("the answer to COMMIT is swallowed: the row is there, and its writer does not know", "bench", quick=True)
def swallowed(told):
    cluster = told.keep(Cluster())
    wire = told.keep(Wire(cluster.primary.port))
    psql(cluster.primary, TABLE)
    found = {}
    for what, expected in (("swallow", "1"), ("withhold", "1"), ("drop", "1,3")):
        number = {"swallow": 1, "withhold": 2, "drop": 3}[what]
        wire.arm(f"VALUES ({number})".encode(), what)
        script = f"BEGIN; INSERT INTO kept VALUES ({number})"
        words = ["-c", script, "-c", "COMMIT"]
        where = f"host=127.0.0.1 port={wire.port} dbname=grantor user=grantor_owner sslmode=disable"
        writer = subprocess.Popen(["psql", "-X", "-q", "-d", where, *words], stdout=subprocess.PIPE,
                                  stderr=subprocess.PIPE, env={**os.environ, "PGPASSWORD": PASSWORDS["grantor_owner"]})
        told.check(wire.sprung.wait(20), f"{what}: nothing was sprung")
        if what == "swallow":
            until("it is committed", lambda: kept(cluster.primary) == "1")
            told.check(writer.poll() is None, "it does not wait")
        wire.reset()
        writer.wait(20)
        told.check(writer.returncode != 0, f"{what}: its writer was told of a success")
        until(f"{what}: rows {expected}", lambda: kept(cluster.primary) == expected)
        found[what] = kept(cluster.primary)
    told.state = f"rows {kept(cluster.primary)}"
    told.says("swallowed and dropped COMMITs counted, the withheld one did not; all three writers saw a failure")


@row("a wire that is cut says nothing; SIGSTOP as well", "bench")
def cut(told):
    cluster = told.keep(Cluster())
    first = cluster.primary
    wire = told.keep(Wire(first.port))
    psql(first, TABLE, port=wire.port)
    wire.cut()
    told.check(psql(first, "SELECT 1", port=wire.port, check=False).returncode != 0, "a cut wire answers")
    wire.mend()
    told.equal(psql(first, "SELECT 1", port=wire.port).stdout.strip(), "1", "over the mended wire")
    first.freeze()
    told.check(psql(first, "SELECT 1", check=False).returncode != 0, "a frozen server answers")
    first.wake()
    told.equal(psql(first, "SELECT 1").stdout.strip(), "1", "from the woken server")
    told.state = "as before"
    told.says("both fell silent, and answered again")


@row("a full disk: an error, nothing half there, and on it goes once there is room", "bench", quick=True)
def full(told):
    cluster = told.keep(Cluster(room=192, wal_segment=1))
    first = cluster.primary
    psql(first, "CREATE TABLE big (body text)")
    psql(first, TABLE)
    psql(first, "INSERT INTO kept VALUES (1)")
    filler = cluster.fill()
    refused = psql(first, "INSERT INTO big SELECT repeat(md5(n::text), 200) FROM generate_series(1, 20000) n",
                   check=False)
    told.check(refused.returncode != 0, "a full disk took lines")
    said = refused.stderr.strip().splitlines()[0]
    filler.unlink()
    until("it answers again", lambda: psql(first, "SELECT 1", check=False).returncode == 0)
    told.equal(psql(first, "SELECT count(*) FROM big").stdout.strip(), "0", "rows of what was refused")
    psql(first, "INSERT INTO kept VALUES (2)")
    told.state = f"rows {kept(first)}"
    told.says(said)


@row("PgBouncer in transaction mode: a session's advisory lock is two clients' at once", "bench")
def pooled(told):
    cluster = told.keep(Cluster())
    pooler = told.keep(Pooler(told.folder, cluster.primary))
    held = [psql(cluster.primary, "SELECT pg_try_advisory_lock(7)", port=pooler.port).stdout.strip() for _ in range(2)]
    told.equal(held, ["t", "t"], "who holds it")
    told.state = "one lock, two holders, and it outlives both"
    told.says("why turns are rows and not session locks")


@row("TLS by a throwaway certificate, and channel binding", "bench")
def tls(told):
    folder = told.keep(Cluster()).folder
    own = certificate(folder)
    cluster = told.keep(Cluster(tls=own))
    bound = f"sslmode=verify-full sslrootcert={own['cert']} channel_binding=require"
    said = psql(cluster.primary, "SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid()", more=bound).stdout.strip()
    told.check(said.startswith("TLSv1."), said)
    plain = psql(cluster.primary, "SELECT 1", check=False)
    told.check(plain.returncode != 0, "it is reached without TLS")
    stranger = psql(cluster.primary, "SELECT 1", more="sslmode=verify-full sslrootcert=/etc/ssl/certs/ca-certificates.crt",
                    check=False)
    told.check(stranger.returncode != 0, "a certificate of nobody's is believed")
    told.state = said
    told.says("reached over TLS with the channel bound, and not without")
