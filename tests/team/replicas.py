"""Replicas of Grantor over HTTP, who calls them, the fake vendors they change, and what left for those."""

import base64
import html
import http.client
import http.server
import itertools
import json
import os
import pathlib
import re
import secrets
import select
import signal
import socket
import subprocess
import threading
import time
import urllib.parse

from postgres import run, until

ROOT = pathlib.Path(__file__).resolve().parents[2]
LEDGER_KEY = bytes(range(32)).hex()
PEOPLE = ["user", "a.kim", "tomas.ferreira", "jonas.weber", "grace.okafor", "hiro.tanaka", "marta.lindqvist"]
PLACES = ["/Harbor/Finance", "/Harbor/Integrations"]
ALL = '@id("all") permit (principal, action, resource);\n'
ASKING = (
    '@id("look") permit (principal, action in Action::"look", resource);\n'
    '@id("expire") permit (principal, action == Action::"expire", resource);\n'
    '@id("ask") @ask permit (principal, action in [Action::"grant", Action::"revoke"], resource);\n'
    '@id("approve") permit (principal, action == Action::"approve", resource);\n'
    '@id("see") permit (principal, action == Action::"see", resource);\n'
)


def encoded(bytes_):
    return base64.urlsafe_b64encode(bytes_ if isinstance(bytes_, bytes) else bytes_.encode()).rstrip(b"=").decode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def body(self):
        return self.rfile.read(int(self.headers.get("content-length") or 0))

    def answer(self, status, body=b"", **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def json(self, status, value):
        self.answer(status, json.dumps(value).encode(), content_type="application/json")


class Quiet(http.server.ThreadingHTTPServer):
    """Says nothing of callers that are killed in the middle of a word."""

    daemon_threads, request_queue_size = True, 128

    def handle_error(self, *_):
        pass


def serve(handler, port=0):
    """A server on a thread of its own, and its URL."""
    server = Quiet(("127.0.0.1", port), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_port}"


class Issuer:
    """An identity provider: bearers of whoever is named, and log-ins of whoever is next."""

    def __init__(self, folder):
        self.folder, self.key, self.codes, self.who = pathlib.Path(folder), "first", {}, "grace"
        # Down is where it answers nobody.
        self.is_down, self.kept, self.audience = False, {}, None
        self.keys = {}
        self.rotate("first")
        issuer = self

        class Provider(Handler):
            def do_GET(self):
                issuer.get(self)

            def do_POST(self):
                issuer.token(self, dict(urllib.parse.parse_qsl(self.body().decode())))

        self.server, self.url = serve(Provider)

    def rotate(self, name, keep=False):
        """Signs with another key from now on, and publishes that one alone, or both."""
        path = self.folder / f"issuer-{name}.pem"
        if not path.exists():
            run("openssl", "genpkey", "-algorithm", "ed25519", "-out", path)
        der = subprocess.run(["openssl", "pkey", "-in", path, "-pubout", "-outform", "DER"], capture_output=True,
                             check=True).stdout
        jwk = {"kty": "OKP", "crv": "Ed25519", "kid": name, "use": "sig", "alg": "EdDSA", "x": encoded(der[-32:])}
        self.keys = {**(self.keys if keep else {}), name: jwk}
        self.key = name

    def jwt(self, header, claims, key=None):
        key = key or self.key
        text = f"{encoded(json.dumps({'alg': 'EdDSA', 'kid': key, **header}))}.{encoded(json.dumps(claims))}"
        file = self.folder / f"signed-{secrets.token_hex(6)}"
        file.write_text(text)
        words = ["openssl", "pkeyutl", "-sign", "-rawin", "-inkey", self.folder / f"issuer-{key}.pem", "-in", file]
        signature = subprocess.run([str(word) for word in words], capture_output=True, check=True).stdout
        file.unlink()
        return f"{text}.{encoded(signature)}"

    def bearer(self, who, key=None, **more):
        """A token that counts; the same one as long as it does."""
        named = (who, key or self.key, tuple(sorted(more.items())))
        if named not in self.kept:
            now = int(time.time())
            claims = {"iss": self.url, "aud": self.audience, "sub": who, "client_id": "assistant", "iat": now,
                      "exp": now + 7200, "scope": "grantor:read grantor:change", **more}
            self.kept[named] = self.jwt({"typ": "at+jwt"}, claims, key)
        return self.kept[named]

    def get(self, request):
        if self.is_down:
            request.answer(503)
            return
        url = urllib.parse.urlsplit(request.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        if url.path == "/.well-known/openid-configuration":
            request.json(200, {"issuer": self.url, "jwks_uri": f"{self.url}/keys",
                               "authorization_endpoint": f"{self.url}/authorize", "token_endpoint": f"{self.url}/token",
                               "authorization_response_iss_parameter_supported": True})
        elif url.path == "/keys":
            request.json(200, {"keys": list(self.keys.values())})
        elif url.path == "/authorize":
            code = secrets.token_hex(9)
            self.codes[code] = {**query, "who": self.who}
            back = {"code": code, "state": query["state"], "iss": self.url}
            request.answer(303, location=f"{query['redirect_uri']}?{urllib.parse.urlencode(back)}")
        else:
            request.json(404, {})

    def token(self, request, form):
        asked = None if self.is_down else self.codes.pop(form.get("code"), None)
        if not asked:
            request.json(400, {"error": "invalid_grant"})
            return
        now = int(time.time())
        claims = {"iss": self.url, "aud": "inbox", "sub": asked["who"], "nonce": asked["nonce"], "iat": now,
                  "exp": now + 300, "auth_time": now, "email": f"{asked['who']}@example.com"}
        request.json(200, {"token_type": "Bearer", "access_token": "opaque", "id_token": self.jwt({}, claims)})


def pair_of_change(change):
    return change["project_or_space_path"], change["grantee"]


def pair_of_write(path, body):
    """What a write is about: the place, and whom."""
    url = urllib.parse.urlsplit(path)
    place = urllib.parse.unquote(url.path).removeprefix("/api/1/rest/public/assetapi/acl")
    said = json.loads(body) if body else dict(urllib.parse.parse_qsl(url.query))
    return place, said.get("grantee")


def forwarded(request, body, to):
    """What whoever is at that URL answers to it."""
    link = http.client.HTTPConnection(to.hostname, to.port, timeout=60)
    headers = {name: value for name, value in request.headers.items() if name.lower() not in ("host", "connection")}
    link.request(request.command, request.path, body, headers)
    answer = link.getresponse()
    content = answer.read()
    link.close()
    return answer, content


def returned(request, answer, content):
    """Gives an answer on to whoever asked."""
    try:
        request.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                request.send_header(name, value)
        request.send_header("content-length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)
    except OSError:
        # Whoever asked is gone.
        request.close_connection = True


class Vendors:
    """The sandbox's fakes, and before one of them who sees what leaves."""

    def __init__(self, grantor, folder, tenant=None):
        self.folder, self.tenant = pathlib.Path(folder) / "vendors", tenant
        words = [grantor, "sandbox", "--json", "--state-dir", self.folder]
        self.out = open(pathlib.Path(folder) / "vendors.json", "w+", encoding="utf-8")
        self.process = subprocess.Popen([str(word) for word in words], stdout=self.out, stderr=subprocess.DEVNULL,
                                        env={"PATH": os.environ["PATH"], "HOME": str(folder)})
        self.environment = until("the fake vendors answer", self._said, 120)
        self.to = urllib.parse.urlsplit(self.environment["SNAPLOGIC_URL"])
        self.log, self.lock, self.pairs = [], threading.Lock(), itertools.product(PLACES, PEOPLE)
        # By place and person: who is asked what can be seen, and what is done before a write and after it.
        self.watched = {}
        # Called with what was read, before whoever asked has it.
        self.on_read = None
        # Until when everybody is told to wait, and who came meanwhile.
        self.busy, self.knocked = 0.0, []
        vendors = self

        class Watcher(Handler):
            def do_GET(self):
                vendors.pass_on(self)

            do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

        self.server, url = serve(Watcher)
        self.environment["SNAPLOGIC_URL"] = url

    def _said(self):
        self.out.seek(0)
        text = self.out.read()
        return json.loads(text) if text.rstrip().endswith("}") else None

    def watch(self, change, seer, before=None, after=None):
        """Whatever is written about this is seen by that, and may kill, freeze or wait; a look is none."""
        self.watched[pair_of_change(change)] = (seer, before, after)

    def writes(self, *changes):
        """What left about these, the oldest first."""
        wanted = {pair_of_change(change) for change in changes}
        with self.lock:
            return [entry for entry in self.log if entry["pair"] in wanted]

    def pass_on(self, request):
        left = self.busy - time.time()
        if left > 0:
            self.knocked.append(time.time())
            request.body()
            request.answer(429, retry_after=str(int(left) + 1))
            return
        body, is_write = request.body(), request.command != "GET"
        entry, after = None, None
        if is_write:
            pair = pair_of_write(request.path, body.decode())
            seer, before, after = self.watched.get(pair, (None, None, None))
            entry = {"method": request.command, "path": request.path, "body": body.decode(), "at": time.time(),
                     # The last line that everybody could see as this came.
                     "seen": seer() if seer else None, "status": None, "pair": pair, "tenant": self.tenant}
            with self.lock:
                self.log.append(entry)
            if before:
                before(entry)
        answer, content = forwarded(request, body, self.to)
        if not is_write and self.on_read:
            self.on_read(request.path)
        if entry:
            entry["status"] = answer.status
            if after:
                after(entry)
        returned(request, answer, content)

    def fresh(self):
        """A change that nothing else here is about."""
        with self.lock:
            place, who = next(self.pairs)
        return {"project_or_space_path": place, "grant_type": "USER", "grantee": f"{who}@example.com",
                "permission_list": ["R", "W"], "reason": "OPS-7"}

    def close(self):
        self.process.kill()
        self.process.wait()
        self.server.shutdown()
        self.out.close()


class Seer:
    """The last line that a look at the database shows, asked on a connection that is kept."""

    def __init__(self, server, chain):
        self.server, self.chain, self.psql, self.lock = server, chain, None, threading.Lock()

    def __call__(self):
        with self.lock:
            try:
                return self._ask()
            except (OSError, ValueError):
                self.close()
                return None

    def _ask(self):
        if self.psql is None:
            words = ["psql", "-X", "-q", "-A", "-t", "-h", self.server.sockets, "-p", self.server.port, "-U", "postgres",
                     "grantor"]
            self.psql = subprocess.Popen([str(word) for word in words], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                         stderr=subprocess.DEVNULL, text=True, bufsize=1)
        self.psql.stdin.write(f"SELECT COALESCE(max(seq), 0) FROM grantor.line WHERE chain = '{self.chain}';\n")
        self.psql.stdin.flush()
        ready, _, _ = select.select([self.psql.stdout], [], [], 2)
        return int(self.psql.stdout.readline()) if ready else int("none came")

    def close(self):
        if self.psql:
            self.psql.kill()
            self.psql.wait()
            self.psql = None


class Team:
    """What all replicas share: issuer, vendors, rules, and one store."""

    def __init__(self, grantor, folder, vendors=None, policy=ALL):
        self.grantor, self.folder = str(grantor), pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.issuer, self.replicas = Issuer(self.folder), []
        self.own_vendors = vendors is None
        self.vendors = vendors or Vendors(grantor, folder)
        # Whom clients and browsers know, wherever a request goes: a balancer's port, or nobody's.
        with socket.socket() as one:
            one.bind(("127.0.0.1", 0))
            self.port = one.getsockname()[1]
        self.public = f"http://127.0.0.1:{self.port}/mcp"
        self.issuer.audience = self.public
        self.policy = self.folder / "rules.cedar"
        self.policy.write_text(policy)
        self.store, self.more, self.kept = {}, "", "GRANTOR_STATE_DIR"

    def environment(self, state, **more):
        """What a process of Grantor's is given; `GRANTOR_STORE_URL` among it where there is a database."""
        return {"PATH": os.environ["PATH"], "HOME": str(state), "GRANTOR_STATE_DIR": str(state),
                "GRANTOR_CONFIG": str(self.config(state)), "GRANTOR_POLICY": str(self.policy),
                "GRANTOR_LEDGER_KEY": LEDGER_KEY, **self.vendors.environment, **self.store, **more}

    def config(self, state):
        path = pathlib.Path(state) / "config.toml"
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.touch(mode=0o600)
        path.write_text(f'[http]\npublic_url = "{self.public}"\n[http.issuers.test]\nissuer = "{self.issuer.url}"\n'
                        f'client_id = "inbox"\n{self.more}\n')
        return path

    def run(self, *words, state=None, timeout=90, **more):
        """A command of Grantor's, as somebody at a machine has it."""
        state = state or self.folder / "own"
        return run(self.grantor, *words, env=self.environment(state, **more), timeout=timeout, check=False)

    def replica(self, state=None, grantor=None, **more):
        name = f"replica-{len(self.replicas)}"
        one = Replica(self, name, state or self.folder / name, grantor or self.grantor, more)
        self.replicas.append(one)
        return one

    def close(self):
        for one in self.replicas:
            one.kill()
        self.issuer.server.shutdown()
        if self.own_vendors:
            self.vendors.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Replica:
    def __init__(self, team, name, state, grantor, more):
        self.team, self.name, self.state, self.grantor, self.more = team, name, pathlib.Path(state), grantor, more
        self.log = team.folder / f"{name}.log"
        self.start()

    def start(self, wait=True):
        with open(self.log, "a", encoding="utf-8") as log:
            start = log.tell()
            words = [self.grantor, "serve", "--http", "127.0.0.1:0"]
            environment = self.team.environment(self.state, **self.more)
            self.process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        self.begins = start
        if wait:
            self.port = until(f"{self.name} listens", self._listens)
            until(f"{self.name} is ready", lambda: self.get("/readyz")[0] == 200)

    def said(self):
        return self.log.read_text(errors="replace")[self.begins:]

    def _listens(self):
        found = re.search(r"serving MCP over HTTP at 127\.0\.0\.1:(\d+)", self.said())
        if not found and self.process.poll() is not None:
            raise RuntimeError(f"{self.name} ended with {self.process.returncode}: {self.said()}")
        return found and int(found[1])

    def _alive(self):
        return self.process.poll() is None

    def kill(self):
        if self._alive():
            self.process.kill()
        self.process.wait()

    def freeze(self):
        self.process.send_signal(signal.SIGSTOP)

    def wake(self):
        self.process.send_signal(signal.SIGCONT)

    def end(self):
        self.process.terminate()
        self.process.wait(60)

    def send(self, method, path, body=None, timeout=75, **headers):
        """One request on a connection of its own, under the name that the team is known by."""
        link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            headers = {name.replace("_", "-"): value for name, value in headers.items()}
            link.request(method, path, body, {"host": f"127.0.0.1:{self.team.port}", **headers})
            answer = link.getresponse()
            return answer.status, answer.read().decode(), answer.headers
        finally:
            link.close()

    def get(self, path, timeout=10):
        try:
            return self.send("GET", path, timeout=timeout)[:2]
        except OSError as error:
            return 0, str(error)

    def call(self, tool, arguments, who="ada", token=None, timeout=75):
        """What a tool answered; `lost` where no answer came, and `http` where it was none of a tool."""
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": tool, "arguments": arguments}}
        try:
            status, text, _ = self.send(
                "POST", "/mcp", json.dumps(message), timeout,
                authorization=f"Bearer {token or self.team.issuer.bearer(who)}", content_type="application/json",
                accept="application/json, text/event-stream")
        except (OSError, http.client.HTTPException) as error:
            return {"outcome": "lost", "message": str(error)}
        if status != 200:
            return {"outcome": "http", "status": status, "message": text}
        result = json.loads(text)
        body = result.get("result", {}).get("structuredContent") or {"message": text}
        body.setdefault("outcome", body.get("kind", "error"))
        return body

    def begin(self, tool, arguments, who="ada"):
        """The same on a thread: what it answers stands in the list that is given back."""
        answers = []
        thread = threading.Thread(target=lambda: answers.append(self.call(tool, arguments, who)), daemon=True)
        thread.start()
        return thread, answers


class Browser:
    """Somebody at the page: keeps cookies, follows where it is led, and sends the forms that it was shown."""

    def __init__(self, who, ways):
        """`ways` are the replicas that its requests go round."""
        self.who, self.ways, self.cookies = who, itertools.cycle(ways), {}
        self.team = ways[0].team

    def go(self, path, form=None):
        for _ in range(8):
            replica = next(self.ways)
            origin = f"http://127.0.0.1:{self.team.port}"
            headers = {"cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
            method, body = "GET", None
            if form is not None:
                method, body = "POST", urllib.parse.urlencode(form)
                headers.update(origin=origin, content_type="application/x-www-form-urlencoded")
            status, text, answer = replica.send(method, path, body, **headers)
            for cookie in answer.get_all("set-cookie") or []:
                name, value = cookie.split(";")[0].split("=", 1)
                self.cookies[name] = value
                if not value or "max-age=0" in cookie.lower():
                    self.cookies.pop(name)
            to = answer.get("location")
            if status // 100 != 3 or not to:
                return status, text
            if to.startswith(self.team.issuer.url):
                to = self._logged_in(to)
            path, form = to.removeprefix(origin), None
        raise AssertionError("it is led about for ever")

    def _logged_in(self, url):
        self.team.issuer.who = self.who
        at = urllib.parse.urlsplit(url)
        link = http.client.HTTPConnection(at.hostname, at.port, timeout=10)
        link.request("GET", f"{at.path}?{at.query}")
        return link.getresponse().headers["location"]

    def log_in(self):
        """Presses the one button there is; whether the page knows who it is then."""
        _, text = self.go("/inbox")
        button = re.search(r'<a class="button" href="([^"]*)">Log in', text)
        if button:
            _, text = self.go(html.unescape(button[1]))
        return self.who in text and "Log out" in text

    def decides(self, receipt, decision):
        """Reads a request, and sends the form of that decision; the status, and the page."""
        status, text = self.go(f"/inbox/{receipt}")
        for found in re.finditer(r'<form class="act" method="post" action="([^"]*)">(.*?)</form>', text, re.S):
            fields = dict(re.findall(r'name="([^"]*)" value="([^"]*)"', found[2]))
            if fields.get("decision") == decision:
                return self.go(html.unescape(found[1]), {name: html.unescape(value) for name, value in fields.items()})
        return status, f"no such form: {text}"


def lines_of_files(state):
    """All lines of a ledger of files, the oldest first."""
    text = ""
    for path in [*sorted((pathlib.Path(state) / "ledger.jsonl").glob("*.jsonl")), pathlib.Path(state) / "lines.jsonl"]:
        text += path.read_text() if path.exists() else ""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def lines_of(server, chain):
    text = server.sql(f"SELECT body FROM grantor.line WHERE chain = '{chain}' ORDER BY seq")
    return [json.loads(line) for line in text.splitlines()]


def key_of_write(write):
    url = urllib.parse.urlsplit(write["path"])
    query = dict(urllib.parse.parse_qsl(url.query))
    return as_key(write["tenant"], write["method"], url.path, json.loads(write["body"]) if write["body"] else query)


def key_of_line(line):
    asked = line.get("request") or {}
    url = urllib.parse.urlsplit(asked.get("path") or "")
    query = dict(asked.get("query") or urllib.parse.parse_qsl(url.query))
    return as_key(line.get("tenant_name"), asked.get("method"), url.path, asked.get("body") or query)


def as_key(tenant, method, path, said):
    """What a request does, however it is written."""
    said = {name: value for name, value in said.items() if name in ("grantee", "permission_list")}
    return json.dumps([tenant, method, urllib.parse.unquote(path), said], sort_keys=True)


def faults(lines, log, is_shared=True):
    """What must never be: each as a sentence; none where all is well.

    A write without a line before it that everybody could see, one that left twice, a consent that was spent twice,
    an end that was carried out twice.
    """
    found, opened = [], {}
    for line in lines:
        if line["event"] == "open":
            opened.setdefault(key_of_line(line), []).append(line)
    sent = {}
    for write in log:
        sent.setdefault(key_of_write(write), []).append(write)
    for key, writes in sent.items():
        known = opened.get(key, [])
        for number, write in enumerate(sorted(writes, key=lambda one: one["at"]), 1):
            before = known[:number]
            if len(before) < number:
                found.append(f"a write without an open line: {key}, number {number} of {len(writes)}")
            elif is_shared and write["seen"] is not None and before[-1]["seq"] > write["seen"]:
                found.append(f"a write left before line {before[-1]['seq']} could be seen: {key}")
    spent = [line["receipt"] for line in lines if line["event"] == "spent"]
    found += [f"a consent was spent twice: {one}" for one in set(spent) if spent.count(one) > 1]
    ended = [line["ends"] for line in lines if line["event"] == "open" and line.get("ends")]
    closed = {line["receipt"]: line["outcome"] for line in lines if line["event"] in ("close", "found")}
    for one in set(ended):
        of = [line["receipt"] for line in lines if line["event"] == "open" and line.get("ends") == one]
        done = [receipt for receipt in of if closed.get(receipt) == "confirmed"]
        if len(done) > 1:
            found.append(f"an end was carried out twice: {one}")
    numbers = [line["seq"] for line in lines]
    if numbers != list(range(1, len(numbers) + 1)):
        found.append("the chain has a hole")
    return found


def told(lines):
    """The events of a ledger in a few words, as `open 2, close 2`."""
    counts = {}
    for line in lines:
        counts[line["event"]] = counts.get(line["event"], 0) + 1
    return ", ".join(f"{event} {count}" for event, count in counts.items()) or "no lines"
