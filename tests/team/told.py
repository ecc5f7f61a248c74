"""Where notices go: a name that changes between look-ups, and addresses that are never reached."""

import http.server
import json
import os
import socket
import ssl
import struct
import threading

from postgres import Unavailable, run
from replicas import LEDGER_KEY
from rows import row

NAME = "hooks.example.com"
# Of somebody else's network; in a namespace of our own it is this machine's, and nothing leaves.
PUBLIC = "1.1.1.1"


class Names(threading.Thread):
    """A name server: the first question for an address has one answer, and every later one another."""

    def __init__(self, answers):
        super().__init__(daemon=True)
        self.answers, self.asked = answers, 0
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.bind(("127.0.0.1", 53))
        self.start()

    def run(self):
        while True:
            try:
                question, who = self.socket.recvfrom(512)
            except OSError:
                return
            end = question.index(b"\0", 12) + 5
            kind = struct.unpack(">H", question[end - 4:end - 2])[0]
            answer = b""
            if kind == 1:
                to = self.answers[min(self.asked, len(self.answers) - 1)]
                self.asked += 1
                answer = b"\xc0\x0c" + struct.pack(">HHIH", 1, 1, 0, 4) + socket.inet_aton(to)
            head = question[:2] + struct.pack(">HHHHH", 0x8180, 1, bool(answer), 0, 0)
            self.socket.sendto(head + question[12:end] + answer, who)

    def close(self):
        self.socket.close()


class Here:
    """Somebody who listens at an address, with a certificate of that name."""

    def __init__(self, address, cert, key):
        self.connected, self.told = 0, []
        here = self

        class Receiver(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                here.told.append(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True

            def get_request(self):
                request = super().get_request()
                here.connected += 1
                return request

            def handle_error(self, *_):
                pass

        self.server = Server((address, 443), Receiver)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(cert, key)
        self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


@row("a name that changes between look-ups: what was judged is what is connected to", "notices", quick=True)
def rebinding(told):
    if os.environ.get("APART") != "1":
        raise Unavailable("it takes namespaces of one's own, as root")
    folder = told.folder
    cert, key = folder / "cert.pem", folder / "key.pem"
    run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
        "-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}", "-addext", "basicConstraints=critical,CA:FALSE",
        "-keyout", key, "-out", cert)
    run("ip", "address", "add", f"{PUBLIC}/32", "dev", "lo", check=False)
    resolv = folder / "resolv.conf"
    resolv.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
    # Of this mount namespace alone.
    run("mount", "--bind", resolv, os.path.realpath("/etc/resolv.conf"))
    told.stack.callback(lambda: run("umount", os.path.realpath("/etc/resolv.conf"), check=False))
    away, here = told.keep(Here(PUBLIC, cert, key)), told.keep(Here("127.0.0.1", cert, key))
    state = folder / "state"
    state.mkdir(mode=0o700)
    config = folder / "config.toml"
    config.touch(mode=0o600)
    config.write_text(f'[notify.hook]\nurl = "https://{NAME}/hook"\nsecret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"\n')
    policy = folder / "rules.cedar"
    policy.write_text('@id("all") @ask permit (principal, action, resource);\n')
    vendors = told.keep(told.bench.shared.vendors_for(folder))
    env = {"PATH": os.environ["PATH"], "HOME": str(folder), "GRANTOR_STATE_DIR": str(state), "SSL_CERT_FILE": str(cert),
           "GRANTOR_CONFIG": str(config), "GRANTOR_POLICY": str(policy), "GRANTOR_LEDGER_KEY": LEDGER_KEY,
           **vendors.environment}

    def grantor(*words):
        return run(told.bench.grantor, *words, env=env, check=False)

    def asked():
        grantor("call", "set_project_acl", json.dumps(vendors.fresh()))

    names = told.keep(Names([PUBLIC, "127.0.0.1"]))
    grantor("expire")
    asked()
    grantor("expire")
    grantor("expire")
    asked()
    names.asked, away.told[:], here.connected = 0, [], 0
    first = grantor("expire")
    told.equal((len(away.told), here.connected, names.asked), (1, 0, 1),
               f"told at the address that was judged, connections to this machine, look-ups ({first.stderr})")
    # And one whose first answer is this machine.
    asked()
    second = grantor("expire")
    told.check("allow_private" in second.stderr or "network" in second.stderr, second.stderr)
    told.equal((len(away.told), here.connected), (1, 0), "told, and connections to this machine")
    told.state = f"1 notice at {PUBLIC}, no connection to 127.0.0.1; one look-up a notice"
    told.says(second.stderr.strip().splitlines()[-1])
