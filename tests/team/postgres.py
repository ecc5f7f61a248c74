"""Throwaway PostgreSQL servers: a primary, a synchronous standby, and what can happen to them.

`initdb` refuses root, so that they run as another user; their files are below one folder, which goes with them.
"""

import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time

PATIENCE = 30


def bin_folder():
    """Where the server's own programs are: the newest of Debian's, or those of the path."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    if not on_path:
        raise SystemExit("there is no PostgreSQL server (Debian: postgresql)")
    return pathlib.Path(on_path).parent


def as_other_user():
    """What a command begins with so that it does not run as root."""
    if os.geteuid() != 0:
        return [], os.geteuid(), os.getegid()
    import pwd

    for name in ("postgres", "nobody"):
        try:
            who = pwd.getpwnam(name)
        except KeyError:
            continue
        ids = [f"--reuid={who.pw_uid}", f"--regid={who.pw_gid}", "--clear-groups"]
        return ["setpriv", *ids], who.pw_uid, who.pw_gid
    raise SystemExit("there is no user to run PostgreSQL as")


BIN = bin_folder()
PREFIX, UID, GID = as_other_user()


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def run(*words, check=True, timeout=90, **more):
    ran = subprocess.run([str(word) for word in words], capture_output=True, text=True, timeout=timeout, **more)
    if check and ran.returncode:
        raise RuntimeError(f"{words[0]} {words[1:3]}: {ran.returncode}\n{ran.stdout}{ran.stderr}")
    return ran


def until(what, holds, patience=PATIENCE):
    """Waits until something holds; a test that waits for what never comes fails by this."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        got = holds()
        if got:
            return got
        time.sleep(0.05)
    raise AssertionError(f"{what}: not within {patience} s")


def family(pid):
    """A process and all below it."""
    all_of = [pid]
    for one in all_of:
        try:
            text = pathlib.Path(f"/proc/{one}/task/{one}/children").read_text()
        except OSError:
            continue
        all_of.extend(int(child) for child in text.split())
    return all_of


def is_alive(pid):
    """Whether it still does something: who is dead and not yet taken in has no command line."""
    try:
        return bool(pathlib.Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


class Server:
    """One server; `of` is whose standby it is."""

    def __init__(self, folder, name, of=None, wal_segment=16, tls=None):
        self.folder, self.name, self.port = pathlib.Path(folder) / name, name, free_port()
        self.folder.mkdir(mode=0o700)
        self.sockets = self.folder.parent
        self.data, self.log = self.folder / "data", self.folder / "log"
        os.chown(self.folder, UID, GID)
        if of is None:
            self._initdb(wal_segment, tls)
        else:
            where = f"host={of.sockets} port={of.port} user=postgres application_name={name}"
            self._as_owner(BIN / "pg_basebackup", "-D", self.data, "-d", where, "-R", "-X", "stream", "-c", "fast")
        self.start()

    def _as_owner(self, *words, **more):
        return run(*PREFIX, *words, cwd="/", **more)

    def _initdb(self, wal_segment, tls):
        self._as_owner(BIN / "initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "--no-sync",
                       f"--wal-segsize={wal_segment}", "-E", "UTF8", "--locale=C")
        settings = [
            "max_connections = 200",
            "max_wal_senders = 10",
            "wal_keep_size = 64MB",
            "min_wal_size = 32MB",
            "shared_buffers = 32MB",
            # Below the folder that goes with it, however it ends.
            "dynamic_shared_memory_type = mmap",
            "password_encryption = 'scram-sha-256'",
            # What is killed comes back at once, and what does not answer any more is noticed.
            "restart_after_crash = on",
            "wal_sender_timeout = 5s",
            "wal_receiver_status_interval = 1s",
            "log_min_messages = warning",
        ]
        if tls:
            settings += ["ssl = on", f"ssl_cert_file = '{tls['cert']}'", f"ssl_key_file = '{tls['key']}'"]
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write("\n".join(settings) + "\n")
        kind = "hostssl" if tls else "host"
        (self.data / "pg_hba.conf").write_text(
            "local all all trust\nlocal replication all trust\n"
            f"{kind} all all 127.0.0.1/32 scram-sha-256\nhost replication all 127.0.0.1/32 trust\n"
        )

    def start(self):
        options = f"-p {self.port} -h 127.0.0.1 -k {self.sockets}"
        self._as_owner(BIN / "pg_ctl", "-D", self.data, "-l", self.log, "-w", "-t", PATIENCE, "-o", options, "start")

    def pid(self):
        return int((self.data / "postmaster.pid").read_text().split("\n", 1)[0])

    def is_up(self):
        return run(BIN / "pg_isready", "-h", self.sockets, "-p", self.port, check=False).returncode == 0

    def stop(self, mode="fast"):
        self._as_owner(BIN / "pg_ctl", "-D", self.data, "-m", mode, "-w", "-t", PATIENCE, "stop", check=False)

    def kill(self):
        """As where the power goes: every process of it at once."""
        all_of = family(self.pid())
        for pid in all_of:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        until("the server is gone", lambda: not any(map(is_alive, all_of)))
        (self.data / "postmaster.pid").unlink(missing_ok=True)

    def freeze(self):
        self._signal(signal.SIGSTOP)

    def wake(self):
        self._signal(signal.SIGCONT)

    def _signal(self, number):
        for pid in family(self.pid()):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def promote(self):
        self.sql("SELECT pg_promote(true, 30)")

    def sql(self, text, database="grantor", check=True, timeout=PATIENCE):
        """What a statement gives, as text; a row a line, columns apart by `|`."""
        words = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", self.sockets, "-p", self.port,
                 "-U", "postgres", "-d", database if self._has(database) else "postgres", "-c", text]
        ran = run(*words, check=False, timeout=timeout)
        if check and ran.returncode:
            raise RuntimeError(ran.stderr.strip())
        return ran.stdout.rstrip("\n") if check else ran

    _known = False

    def _has(self, database):
        if database == "grantor" and not self._known:
            words = ["psql", "-X", "-A", "-t", "-h", self.sockets, "-p", self.port, "-U", "postgres", "-d", "postgres",
                     "-c", "SELECT 1 FROM pg_database WHERE datname = 'grantor'"]
            self._known = run(*words, check=False).stdout.strip() == "1"
            return self._known
        return True

    def wait_for_standby(self, name):
        self.sql(f"ALTER SYSTEM SET synchronous_standby_names = '{name}'")
        self.sql("SELECT pg_reload_conf()")
        if name:
            until(f"{name} is synchronous", lambda: self.sql(
                f"SELECT 1 FROM pg_stat_replication WHERE application_name = '{name}' AND sync_state = 'sync'") == "1")

    def url(self, user="grantor_app", port=None, password=None, host="127.0.0.1", more="?sslmode=disable"):
        return f"postgres://{user}:{password or PASSWORDS[user]}@{host}:{port or self.port}/grantor{more}"


PASSWORDS = {"grantor_owner": "owner-of-a-test", "grantor_app": "app-of-a-test"}


class Cluster:
    """A folder of servers, all of which end with it."""

    def __init__(self, room=None, wal_segment=16, tls=None):
        """`room` is the size of a file system of its own, in MiB."""
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pg-"))
        self.folder.chmod(0o711)
        os.chown(self.folder, UID, GID)
        self.mounted = False
        if room:
            ran = run("mount", "-t", "tmpfs", "-o", f"size={room}m,mode=0711,uid={UID},gid={GID}", "none",
                      self.folder, check=False)
            if ran.returncode:
                shutil.rmtree(self.folder)
                raise Unavailable(f"no file system can be mounted here: {ran.stderr.strip()}")
            self.mounted = True
        self.servers = []
        self.primary = self._started("first", wal_segment=wal_segment, tls=tls)
        self.primary.sql(f"CREATE ROLE grantor_owner LOGIN PASSWORD '{PASSWORDS['grantor_owner']}'")
        self.primary.sql(f"CREATE ROLE grantor_app LOGIN PASSWORD '{PASSWORDS['grantor_app']}'")
        self.primary.sql("CREATE DATABASE grantor OWNER grantor_owner")

    def _started(self, name, **more):
        server = Server(self.folder, name, **more)
        self.servers.append(server)
        return server

    def standby(self, name="second", synchronous=True):
        server = self._started(name, of=self.primary)
        if synchronous:
            self.primary.wait_for_standby(name)
        return server

    def fill(self):
        """Leaves no room on the file system."""
        filler = self.folder / "filler"
        with open(filler, "wb", buffering=0) as file:
            try:
                while file.write(b"\0" * 4096):
                    pass
            except OSError:
                pass
        return filler

    def close(self):
        for server in self.servers:
            try:
                for pid in family(server.pid()):
                    os.kill(pid, signal.SIGCONT)
                    os.kill(pid, signal.SIGKILL)
            except (OSError, ValueError):
                pass
        if self.mounted:
            until("the file system is let go", lambda: run("umount", self.folder, check=False).returncode == 0)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Unavailable(Exception):
    """What this machine does not let a test do, and why."""


class Pooler:
    """PgBouncer in transaction mode before a server."""

    def __init__(self, folder, server):
        self.port = free_port()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="pooler-", dir=folder))
        self.folder.chmod(0o755)
        program = shutil.which("pgbouncer") or "/usr/sbin/pgbouncer"
        if not os.path.exists(program):
            raise Unavailable("there is no pgbouncer (Debian: pgbouncer)")
        users = "".join(f'"{user}" "{password}"\n' for user, password in PASSWORDS.items())
        (self.folder / "users").write_text(users)
        (self.folder / "ini").write_text(
            f"[databases]\ngrantor = host=127.0.0.1 port={server.port}\n[pgbouncer]\nlisten_addr = 127.0.0.1\n"
            f"listen_port = {self.port}\nunix_socket_dir =\nauth_type = scram-sha-256\n"
            f"auth_file = {self.folder}/users\npool_mode = transaction\ndefault_pool_size = 20\n"
        )
        for file in self.folder.iterdir():
            os.chown(file, UID, GID)
        os.chown(self.folder, UID, GID)
        self.log = open(self.folder / "log", "w", encoding="utf-8")
        self.process = subprocess.Popen([*PREFIX, program, self.folder / "ini"], stdout=self.log, stderr=self.log)
        until("the pooler listens", self._listens)

    def _listens(self):
        with socket.socket() as one:
            return one.connect_ex(("127.0.0.1", self.port)) == 0

    def close(self):
        self.process.kill()
        self.process.wait()


def certificate(folder):
    """An authority of its own and a certificate of 127.0.0.1 by it."""
    folder = pathlib.Path(folder)
    key, cert = folder / "server.key", folder / "server.pem"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
        "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", key, "-out", cert)
    for file in (key, cert):
        os.chown(file, UID, GID)
        os.chmod(file, 0o600 if file == key else 0o644)
    return {"key": key, "cert": cert}


def severity(log, word):
    """Lines of a server's log that begin so."""
    return [line for line in pathlib.Path(log).read_text(errors="replace").splitlines() if re.search(word, line)]
