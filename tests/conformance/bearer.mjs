// A loopback proxy that adds a bearer to each request, for a client that has no way to send one.
//
//     node bearer.mjs TARGET TOKEN    prints where it listens

import http from "node:http";

const [target, token] = process.argv.slice(2);
const to = new URL(target);

const proxy = http.createServer((request, response) => {
  const headers = { ...request.headers, authorization: `Bearer ${token}` };
  // What is for the proxy is for the server; another host stays another's.
  if (/^(localhost|127\.0\.0\.1)(:|$)/.test(headers.host) && headers.host.endsWith(`:${proxy.address().port}`)) headers.host = to.host;
  const passed = http.request({ host: to.hostname, port: to.port, method: request.method, path: request.url, headers });
  passed.on("response", (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  passed.on("error", () => response.destroy());
  response.on("close", () => passed.destroy());
  request.pipe(passed);
});
proxy.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${proxy.address().port}${to.pathname}`));
