// Search, filters and pages of a list. The address holds them, so that a link carries them; the first page is short,
// and a row is made once and moved, not made anew at each key.

import { chips, choose, chosen, find, forget, later, place, set, soon, write } from "./dom.js";
import { count } from "./words.js";

const PAGE = 25;

/** Returns the address of this page with the filters, and nothing else. */
export function link() {
  remember();
  return `${location.origin}${location.pathname}${location.search}`;
}

/** What the address does not say yet: by name, the value and the usual one. @type {Map<string, [string, string]>} */
const typed = new Map();

/** Writes the address. A browser lets a page do so only now and then. */
function remember() {
  const query = new URLSearchParams(location.search);
  for (const [name, [value, usual]] of typed) {
    if (value === usual) query.delete(name);
    else query.set(name, value);
  }
  typed.clear();
  history.replaceState(null, "", `${location.pathname}${query.size ? `?${query}` : ""}${location.hash}`);
}

const rememberSoon = later(remember, 300);

/**
 * Makes a list with a search field, filters and pages.
 * @param {{ name: string, kinds: Record<string, (item: any) => boolean>, items: () => any[], words: (item: any) => string,
 *   key: (item: any) => string, row: (item: any) => any, head?: any, none: (any: boolean) => any }} of
 *   `row` makes an element with a method `update`; `none` returns what stands in place of rows, and is told
 *   whether there are any items.
 */
export function filtered({ name, kinds, items, words, key, row, head, none }) {
  const [list, field, more] = [find(`${name}-list`), find(`find-${name}`), find(`${name}-more`)];
  const made = new Map();
  const query = new URLSearchParams(location.search);
  let pages = 1;
  /** The rows that are shown, by key. @type {Map<string, any>} */
  let visible = new Map();
  const names = Object.keys(kinds);
  const kind = () => chosen(`${name}-kind`) ?? names[0];

  const show = () => {
    const word = field.value.trim().toLowerCase();
    const all = items();
    const found = all.filter((item) => kinds[kind()](item) && (!word || words(item).toLowerCase().includes(word)));
    const shown = found.slice(0, pages * PAGE);
    visible = new Map(shown.map((item) => {
      const id = key(item);
      if (!made.has(id)) made.set(id, row(item));
      made.get(id).update(item);
      return [id, made.get(id)];
    }));
    place(list, [...(head ? [head] : []), ...visible.values(), ...(found.length ? [] : [none(all.length > 0)])]);
    const [some, of] = [count(shown.length), found.length === all.length ? count(all.length) : `${count(found.length)} found, of ${count(all.length)}`];
    write(find(`${name}-count`), `${some} of ${of}`);
    more.hidden = shown.length === found.length;
    forget(made, new Set(all.map(key)));
  };

  const changed = () => {
    pages = 1;
    show();
    typed.set(name, [field.value.trim(), ""]).set(`${name}s`, [kind(), names[0]]);
    rememberSoon();
  };
  chips(find(`${name}-chips`), `${name}-kind`, names.map((one) => [one, one]), soon(changed));
  set(field, "value", query.get(name) ?? "");
  choose(`${name}-kind`, query.get(`${name}s`) ?? names[0]);
  field.oninput = soon(changed);
  more.firstElementChild.onclick = () => {
    const last = list.lastElementChild;
    pages += 1;
    show();
    last?.nextElementSibling?.querySelector("button, input, summary")?.focus();
  };
  /** Does something with each row that is shown, and its item. */
  const each = (work) => {
    for (const item of items()) {
      const row = visible.get(key(item));
      if (row) work(row, item);
    }
  };
  return { show, each, update: () => each((row, item) => row.update(item)) };
}
