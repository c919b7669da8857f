// The real services that the console is tried at: programs that `cargo build` has made, each on ports of its own.

import { spawn } from "node:child_process";
import { createInterface } from "node:readline";

const FOLDER = new URL("../../target/debug/", import.meta.url);

/** The programs that run: none outlives the tests. */
const running = new Set();
process.on("exit", () => { for (const child of running) child.kill("SIGKILL"); });

/**
 * Starts a program, and waits until it has printed the address of its admin port and its own.
 * @param {string} name
 * @param {string[]} args
 * @param {Record<string, string>} [variables]
 */
async function start(name, args, variables = {}) {
  const child = spawn(new URL(name, FOLDER).pathname, args, { env: { ...process.env, CHAOS_SERVICE: name, ...variables }, stdio: ["ignore", "pipe", "pipe"] });
  running.add(child);
  let log = "";
  child.stderr.on("data", (bytes) => { log += bytes; });
  const ended = new Promise((done) => { child.once("exit", done); child.once("error", (error) => { log += error; done(); }); });
  ended.then(() => running.delete(child));
  const addresses = await new Promise((done, fail) => {
    const found = {};
    createInterface(child.stdout).on("line", (line) => {
      log += `${line}\n`;
      const [, word, address] = /^(\w+) +(?:http:\/\/)?([0-9.:]+)$/.exec(line) ?? [];
      if (word) found[word] = `http://${address}`;
      if (Object.keys(found).length === 2) done(found);
    });
    ended.then(() => fail(new Error(`${name} has ended: ${log}`)));
  });
  const port = addresses.admin ?? addresses.port, service = addresses.shop ?? addresses.service;
  return {
    port, service, log: () => log,
    /** Ends it at once, as a crash does. */
    kill: () => { child.kill("SIGKILL"); return ended; },
  };
}

/** Starts the shop, which sends itself a few requests a second. */
export const startShop = ({ tokens, admin = "127.0.0.1:0" } = {}) =>
  start("shop", ["--listen", "127.0.0.1:0", "--admin", admin], tokens && { CHAOS_ADMIN_TOKENS: tokens });

/** Starts a service with many sites, whose port asks for access tokens. */
export const startLarge = ({ tokens, sites }) => start("victim", ["--sites", String(sites)], { CHAOS_ADMIN_TOKENS: tokens });

/** Asks an admin port, and fails unless it does what it is asked. */
export async function ask(port, method, path, body, token) {
  const headers = { "content-type": "application/json", ...(token && { authorization: `Bearer ${token}` }) };
  const answer = await fetch(port + path, { method, headers, body: body && JSON.stringify(body) });
  if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${await answer.text()}`);
}

/**
 * Sends a request again and again until it is stopped, one at a time, and notes when each began and its status.
 * @param {string} url
 * @param {{ method?: string, pause?: number }} [of]
 */
export function visit(url, { method = "GET", pause = 40 } = {}) {
  const calls = [];
  let isOver = false;
  const going = (async () => {
    while (!isOver) {
      const began = Date.now();
      const status = await fetch(url, { method }).then(async (answer) => { await answer.arrayBuffer(); return answer.status; }, () => 0);
      calls.push({ began, took: Date.now() - began, status });
      await new Promise((done) => { setTimeout(done, pause); });
    }
  })();
  return { calls, last: () => calls.at(-1)?.status, stop: () => { isOver = true; return going; } };
}
