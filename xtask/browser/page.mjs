// The files of the console as the admin port serves them: the page with a nonce, the rest as it is.

import { randomBytes } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

const FOLDER = new URL("../../chaos-http-admin/src/routes/console/", import.meta.url);

/** Answers a request for a file of the console; `null` if it is none. `base` is where the routes are, relative to the page. */
export function page(path, base, isTokenRequired) {
  if (path === "/") return html(base, isTokenRequired);
  if (path === "/console.css") return file("console.css", "text/css");
  const script = /^\/console\/([a-z_]+\.js)$/.exec(path);
  return script && file(script[1], "text/javascript");
}

function html(base, isTokenRequired) {
  const nonce = randomBytes(16).toString("hex");
  const scripts = readdirSync(FOLDER).filter((name) => name.endsWith(".js")).sort();
  const preloads = scripts.map((name) => `<link rel="modulepreload" nonce="${nonce}" href="${base}/console/${name}">\n`).join("");
  const body = readFileSync(new URL("console.html", FOLDER), "utf8")
    .replaceAll("{nonce}", nonce).replaceAll("{base}", base).replace("{preloads}", preloads)
    .replace("{access_token}", isTokenRequired ? "required" : "none");
  const policy = `default-src 'none'; script-src 'nonce-${nonce}'; style-src 'nonce-${nonce}'; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'`;
  return { type: "text/html; charset=utf-8", body, headers: { "content-security-policy": policy } };
}

const file = (name, type) => ({ type: `${type}; charset=utf-8`, body: readFileSync(new URL(name, FOLDER)), headers: {} });
