// The service does not answer: how old everything is, and when the last rule ends by itself.

import { find, write } from "./dom.js";
import { refresh } from "./poll.js";
import { isLive, left, on, state } from "./state.js";
import { span, time } from "./words.js";

function show() {
  find("lost").hidden = !state.lost;
  if (!state.lost) return;
  write(find("lost-for"), span((performance.now() - state.answered) / 1000));
  write(find("lost-ends"), ends());
}

function ends() {
  if (!state.status) return "It has not answered since this page was opened.";
  const live = state.rules.filter(isLive);
  if (!live.length) return "No rule was armed when the service was last heard of.";
  const endless = live.filter((rule) => left(rule) === null);
  if (endless.length) return `Rules end by themselves at their deadlines, but ${endless[0].id} has none.`;
  const last = new Date(Date.now() + Math.max(...live.map(left)) * 1000);
  return `Rules end by themselves at their deadlines, the last one at ${time(last)}, even if this page never hears from the service again.`;
}

find("lost-now").onclick = refresh;
on("lost second", show);
