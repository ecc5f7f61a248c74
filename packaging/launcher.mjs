#!/usr/bin/env node
// Starts the program that the package of this platform carries.
import { spawn } from "node:child_process";
import { createRequire } from "node:module";

const PACKAGES = {/* packages */};
const here = `${process.platform}-${process.arch}`;

function program() {
  if (!PACKAGES[here]) throw new Error(`there is no build of it for ${here}`);
  const { name, file } = PACKAGES[here];
  try {
    return createRequire(import.meta.url).resolve(`${name}/${file}`);
  } catch {
    throw new Error(`${name} is not installed: was npm told to leave out optional packages, or is this musl?`);
  }
}

let path;
try {
  path = program();
} catch (trouble) {
  console.error(`grantor: ${trouble.message}`);
  process.exit(1);
}
const child = spawn(path, process.argv.slice(2), { stdio: "inherit" });
// Who stops this one means the program, which may have a change to finish first. A terminal tells both by itself.
const signals = ["SIGTERM", "SIGHUP", "SIGINT"];
for (const signal of signals) process.on(signal, () => signal === "SIGINT" || child.kill(signal));
child.on("error", (trouble) => {
  console.error(`grantor: ${trouble.message}`);
  process.exit(1);
});
child.on("exit", (status, signal) => {
  if (!signal) process.exit(status);
  for (const one of signals) process.removeAllListeners(one);
  process.kill(process.pid, signal);
});
