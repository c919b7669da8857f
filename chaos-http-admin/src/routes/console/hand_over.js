// Hand over: the state in a few lines, for a colleague or a chat.

import { base } from "./api.js";
import { find, write } from "./dom.js";
import { link } from "./filter.js";
import { reasons } from "./halt.js";
import { serviceName } from "./header.js";
import { sentence } from "./sentence.js";
import { hits, isLive, isShadow, left, owner, state } from "./state.js";
import { entryWords } from "./timeline.js";
import { count } from "./words.js";

const LISTED = 20;

const utc = (date) => `${date.toISOString().slice(11, 19)} UTC`;

function line(rule) {
  const end = left(rule);
  const until = end === null ? "no end" : `until ${utc(new Date(Date.now() + end * 1000))}`;
  const did = `${count(hits(rule))} ${isShadow(rule) ? "would be hit" : "hit"} of ${count(rule.stats?.matched ?? 0)}`;
  return `- ${rule.id}: ${sentence(rule)} at ${rule.site}; ${did}; ${until}; ${owner(rule) ?? "not known whose"}${rule.reason ? `, ${rule.reason}` : ""}`;
}

function text() {
  const live = state.rules.filter(isLive), [latest] = state.entries;
  const is = state.lost ? "not known" : state.status?.state;
  const halted = state.status?.halted;
  return [
    `${serviceName()}, ${is}, ${utc(new Date())}`,
    ...(halted ? [`Halted by ${reasons().join("; ") || `${halted.by}: ${halted.reason}`}`] : []),
    ...live.slice(0, LISTED).map(line),
    ...(live.length > LISTED ? [`- and ${live.length - LISTED} more`] : []),
    ...(latest ? [`Last: ${utc(new Date(latest.at))} ${latest.actor} ${entryWords(latest)}`] : []),
    `Stop all: chaosctl -e ${location.origin}${base} halt`,
  ].join("\n");
}

async function copy(what, done) {
  try {
    await navigator.clipboard.writeText(what);
    write(find("over-said"), done);
  } catch {
    // A page that came without TLS from another machine may not write there.
    find("over-text").value = what;
    find("over-text").select();
    write(find("over-said"), "The browser does not let this page copy. The text is selected: copy it by hand.");
  }
}

find("hand").onclick = () => {
  find("over-text").value = text();
  write(find("over-said"), "");
  find("over").showModal();
  find("over-text").setSelectionRange(0, 0);
  find("over-text").focus();
};
find("over-copy").onclick = () => copy(text(), "The text is copied.");
find("over-link").onclick = () => copy(link(), "The link is copied.");
