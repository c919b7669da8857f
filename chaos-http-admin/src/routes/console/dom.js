// Elements. Texts of the service become text nodes and properties, never HTML.

/** @param {string} id @returns {any} */
export const find = (id) => document.getElementById(id);

/**
 * Makes an element with properties, data and children. Children that are false or null are left out.
 * @param {string} name
 * @param {Record<string, any>} [properties]
 * @param {...any} children
 * @returns {any}
 */
export function element(name, properties = {}, ...children) {
  const { dataset = {}, ...rest } = properties;
  const made = Object.assign(document.createElement(name), rest);
  Object.assign(made.dataset, dataset);
  made.append(...children.filter((child) => child !== false && child !== null && child !== undefined));
  return made;
}

/** Makes an element of SVG with attributes. */
export function svg(name, attributes = {}, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/** Changes only what differs, so that an update keeps the focus and the selection. */
export function write(node, text) {
  text = String(text);
  if (node.textContent !== text) node.textContent = text;
}

/** Sets a property only if it differs. */
export function set(node, property, value) {
  if (node[property] !== value) node[property] = value;
}

/** Makes the children of `list` these nodes, and moves only those that are not in their place. */
export function place(list, nodes) {
  nodes.forEach((node, at) => {
    if (list.children[at] !== node) list.insertBefore(node, list.children[at] ?? null);
  });
  while (list.children.length > nodes.length) list.lastElementChild.remove();
}

/** Drops what was made for keys that are gone. */
export function forget(made, keys) {
  for (const key of made.keys()) if (!keys.has(key)) made.delete(key);
}

/** Returns a function that does `work` once the next frame is painted: what is typed comes first. */
export function soon(work) {
  let waiting = 0;
  return () => {
    cancelAnimationFrame(waiting);
    waiting = requestAnimationFrame(() => setTimeout(work));
  };
}

/** Returns a function that does `work` when it was not called again for some time, unless its `cancel` is called. */
export function later(work, milliseconds) {
  let waiting = 0;
  const cancel = () => clearTimeout(waiting);
  const wait = () => {
    cancel();
    waiting = setTimeout(work, milliseconds);
  };
  return Object.assign(wait, { cancel });
}

/** Fills `where` with one radio button for each option; the first one is chosen. */
export function chips(where, name, options, changed) {
  where.append(...options.map(([value, text], at) =>
    element("label", {}, element("input", { type: "radio", name, value, checked: at === 0, onchange: changed }), text)));
}

/** Returns the value of the radio button that is chosen. */
export const chosen = (name) => document.querySelector(`input[name="${name}"]:checked`)?.value;

/** Chooses a radio button. */
export function choose(name, value) {
  const button = [...document.querySelectorAll(`input[name="${name}"]`)].find((one) => one.value === value);
  if (button) button.checked = true;
}
