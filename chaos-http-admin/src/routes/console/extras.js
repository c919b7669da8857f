// Further conditions of the form: a row each, of a kind, a name and a value.

import { EXTRAS } from "./compose.js";
import { element, find } from "./dom.js";

/** Returns what the rows hold. */
export const extras = () => [...find("f-extra").children].map((row) => ({
  kind: row.querySelector("select").value,
  name: row.querySelector(".extra-name").value.trim(),
  value: row.querySelector(".extra-value").value,
}));

/** Adds a row, and returns its first field. */
export function addExtra({ kind = "headers", name = "", value = "" }, changed) {
  const field = (more) => element("input", { autocomplete: "off", oninput: changed, ...more });
  const of = element("select", { ariaLabel: "Kind of condition" },
    ...Object.entries(EXTRAS).map(([kind, textContent]) => element("option", { value: kind, textContent })));
  const called = field({ className: "w8 extra-name", value: name, placeholder: "name", ariaLabel: "Name" });
  const is = field({ className: "grow extra-value", value, placeholder: "value", ariaLabel: "Value" });
  const drop = element("button", { type: "button", className: "plain", textContent: "Remove" });
  const row = element("div", { className: "row" }, of, called, is, drop);
  const showName = () => { called.hidden = of.value === "host"; };
  of.value = kind;
  of.onchange = () => { showName(); changed(); };
  drop.onclick = () => { row.remove(); find("f-add").focus(); changed(); };
  showName();
  find("f-extra").append(row);
  return of;
}
