// What was counted in the last ten minutes: for the charts by site, and for each rule's line.

const KEPT = 600_000;
const LINE = 60_000;

/**
 * One second of the service, or what two readings of the rules' counts tell of it.
 * @typedef {{ at: number, state: string, matched: number | null, hit: number | null, active: number | null,
 *   sites: Record<string, any> }} Sample
 */

/** @type {Sample[]} */
export const samples = [];

/** The counts of each rule, as pairs of when and how many. @type {Map<string, [number, number][]>} */
const points = new Map();

/** Adds a sample at its place: a stream begins with those of the last minutes, and one that is opened anew repeats some. */
export function addSample(sample) {
  const before = samples.findLastIndex((other) => other.at <= sample.at);
  // The one before may have watched fewer sites.
  if (samples[before]?.at === sample.at) Object.assign(samples[before].sites, sample.sites);
  else samples.splice(before + 1, 0, sample);
  while (samples[0].at < samples.at(-1).at - KEPT) samples.shift();
}

/** Notes how many calls a rule has hit. */
export function note(id, at, number) {
  const known = points.get(id) ?? [];
  const last = known.at(-1);
  if (last && at <= last[0]) return;
  // A rule that is armed anew counts from nothing.
  if (last && number < last[1]) known.length = 0;
  if (last && number === last[1] && known.length > 1 && known.at(-2)[1] === number) last[0] = at;
  else known.push([at, number]);
  while (known.length > 2 && known[1][0] < at - LINE) known.shift();
  points.set(id, known);
}

/** Forgets the rules that are no longer there. */
export function keepOnly(ids) {
  for (const id of points.keys()) if (!ids.has(id)) points.delete(id);
}

/** Returns the hits a second of a rule in the last minute, in `buckets` parts. */
export function line(id, now, buckets = 30) {
  const known = points.get(id) ?? [];
  const values = new Array(buckets).fill(0);
  const width = LINE / buckets;
  for (let at = 1; at < known.length; at++) {
    const [[from, before], [to, after]] = [known[at - 1], known[at]];
    if (after === before || to === from) continue;
    const rate = (after - before) / ((to - from) / 1000);
    const first = Math.max(0, Math.floor((from - (now - LINE)) / width));
    const last = Math.min(buckets - 1, Math.floor((to - 1 - (now - LINE)) / width));
    for (let bucket = first; bucket <= last; bucket++) values[bucket] = rate;
  }
  return values;
}

/** Returns the part of the samples that is no older than `seconds`. */
export const recent = (seconds) => {
  const since = (samples.at(-1)?.at ?? 0) - seconds * 1000;
  return samples.filter((sample) => sample.at >= since);
};
