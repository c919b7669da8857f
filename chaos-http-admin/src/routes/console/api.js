// The port's API: one function that asks, and the two ways in which it fails.

import { heard } from "./state.js";

/** The page may be served at / or under any prefix, with or without a trailing slash. */
export const base = location.pathname.replace(/\/+$/, "");

/** The token is in the storage of this tab, which ends with it, and in a header, never in an address. */
const STORE = `chaos-token${base}`;
/** A poll gives up before the state counts as not known. */
const PATIENCE = 2000;
/** A list may be long. */
const LIST_PATIENCE = 10_000;

/** The port has refused something: `field` and `allowed` say where and what instead. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail || `the port answered ${status}`);
    Object.assign(this, { status, field: problem.field, allowed: problem.allowed, rule: problem.rule });
  }
}

/** There is no answer, or none of an admin port. */
export class NoAnswer extends Error {}

export const token = {
  get: () => sessionStorage.getItem(STORE),
  set: (secret) => sessionStorage.setItem(STORE, secret),
  forget: () => sessionStorage.removeItem(STORE),
};

let refused = () => {};
/** Sets what is done when the port no longer accepts the token. */
export const whenRefused = (work) => { refused = work; };

/** Returns the headers of a request, with the token if there is one. */
export function headers(more = {}) {
  const secret = token.get();
  return secret ? { ...more, authorization: `Bearer ${secret}` } : more;
}

/**
 * Asks the port. `tag` refuses the change if the rules are no longer those that are shown, and `isNew` if there is
 * such a rule already.
 * @param {string} method
 * @param {string} path
 * @param {{ body?: any, tag?: string | null, isNew?: boolean, patience?: number }} [asked]
 * @returns {Promise<{ body: any, tag: string | null, bytes: number }>}
 */
export async function ask(method, path, { body, tag, isNew = false, patience = PATIENCE } = {}) {
  const more = {};
  if (body !== undefined) more["content-type"] = "application/json";
  if (tag) more["if-match"] = tag;
  if (isNew) more["if-none-match"] = "*";
  let answer, text;
  try {
    answer = await fetch(base + path, {
      method, headers: headers(more), cache: "no-store", signal: AbortSignal.timeout(patience),
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    text = await answer.text();
  } catch (error) {
    throw new NoAnswer(error.message);
  }
  let json = null;
  try {
    json = text === "" ? null : JSON.parse(text);
  } catch {
    throw new NoAnswer(`what answers is no admin port (${answer.status})`);
  }
  heard();
  if (answer.ok) return { body: json, tag: answer.headers.get("etag"), bytes: text.length };
  if (answer.status === 401) refused();
  throw new Refusal(answer.status, json ?? {});
}

/** Reads one thing. */
export const get = async (path) => (await ask("GET", path)).body;

/** Returns the path of a rule. Without a name it would be that of the list; a space is refused as a name. */
export const rulePath = (id) => `/v1/rules/${encodeURIComponent(id || " ")}`;

/** Reads all rules, page by page, with the tag and the size of what was read. */
export async function allRules() {
  const rules = [];
  for (let next = null, sum = 0; ;) {
    const { body, tag, bytes } = await ask("GET", `/v1/rules${next === null ? "" : `?after=${encodeURIComponent(next)}`}`, { patience: LIST_PATIENCE });
    rules.push(...body.rules);
    sum += bytes;
    next = body.next ?? null;
    if (next === null) return { rules, tag, bytes: sum };
  }
}
