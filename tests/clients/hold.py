"""A gate before one fake vendor: every request waits until the file `go` is there.

    hold.py UPSTREAM FOLDER

writes the address it listens at to FOLDER/address, and each request that came, as `METHOD path`,
to FOLDER/seen. It lets a client cancel a call at a moment that is known and not guessed.
"""

import http.client
import pathlib
import sys
import time
import urllib.parse
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

upstream = urllib.parse.urlsplit(sys.argv[1])
folder = pathlib.Path(sys.argv[2])


class Gate(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def pass_on(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        with (folder / "seen").open("a") as seen:
            seen.write(f"{self.command} {self.path}\n")
        while not (folder / "go").exists():
            time.sleep(0.02)
        vendor = http.client.HTTPConnection(upstream.netloc)
        vendor.request(self.command, self.path, body, dict(self.headers))
        reply = vendor.getresponse()
        data = reply.read()
        try:
            self.send_response(reply.status)
            self.send_header("content-type", reply.headers.get("content-type", "text/plain"))
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)
        except OSError:
            pass  # Whoever asked has gone.

    do_GET = do_POST = do_PUT = do_DELETE = pass_on

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Gate)
(folder / "address.new").write_text(f"http://127.0.0.1:{server.server_port}")
(folder / "address.new").rename(folder / "address")
server.serve_forever()
