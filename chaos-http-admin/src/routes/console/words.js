// Numbers, durations and times in words.

const UNITS = { ns: 1e-9, us: 1e-6, µs: 1e-6, ms: 1e-3, s: 1, m: 60, min: 60, h: 3600, d: 86400 };

/** Returns a number with separators. */
export const count = (number) => Number(number).toLocaleString("en");

/** Returns `1 rule`, `2 rules`. */
export const many = (number, word) => `${count(number)} ${word}${number === 1 ? "" : "s"}`;

/** Returns a span of time as a clock shows it. */
export function clock(seconds) {
  const whole = Math.max(0, Math.ceil(seconds));
  const two = (number) => String(number).padStart(2, "0");
  if (whole >= 86400) return `${Math.floor(whole / 86400)} d ${Math.floor(whole / 3600) % 24} h`;
  if (whole >= 3600) return `${Math.floor(whole / 3600)} h ${Math.floor(whole / 60) % 60} min`;
  return `${Math.floor(whole / 60)}:${two(whole % 60)}`;
}

/** Returns how long ago something was. */
export function span(seconds) {
  if (seconds < 120) return `${Math.max(0, Math.floor(seconds))} s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)} min`;
  return `${Math.floor(seconds / 3600)} h`;
}

/** Returns the seconds of a duration of the wire format, such as `1m 30s`; `null` if it is none. */
export function seconds(text) {
  const parts = [...String(text).matchAll(/([0-9.]+)\s*([a-zµ]+)\s*/gi)];
  if (!parts.length || parts.some(([, , unit]) => !(unit in UNITS))) return null;
  return parts.reduce((sum, [, number, unit]) => sum + Number(number) * UNITS[unit], 0);
}

/** Returns a duration of the wire format with spaces between numbers and units: `5 min`. */
export const duration = (text) =>
  String(text).replace(/([0-9.]+)\s*([a-zµ]+)/gi, (_, number, unit) => `${number} ${unit === "m" ? "min" : unit}`);

/** Returns a size of the wire format with a space: `1 KiB`. */
export const size = (text) => String(text).replace(/([0-9.]+)\s*([a-z])/i, "$1 $2");

/** Returns the local time of day. */
export const time = (date) => date.toLocaleTimeString("en-GB");

/** Returns milliseconds. */
export function milliseconds(number) {
  if (number > 0 && number < 9.95) return `${number.toFixed(1)} ms`;
  return `${count(Math.round(number))} ms`;
}

/** Returns a fraction as percent. */
export function percent(fraction) {
  const value = fraction * 100;
  const text = value.toFixed(value >= 9.95 ? 0 : value < 0.1 ? 2 : 1);
  return `${Number(text)} %`;
}

/** Returns a number a second. */
export const rate = (number) => (number >= 10 ? count(Math.round(number)) : String(Number(number.toFixed(1))));

/** Returns a value as compact JSON, cut where it is long. */
export function json(value) {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

/** Returns the beginning of a text that may be of any length. */
export const cut = (text) => (text.length > 1000 ? `${text.slice(0, 1000)}…` : text);
