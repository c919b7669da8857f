// What is known of the service, since when, and who wants to hear of changes.

/** @typedef {{ id: string, site: string, stats: any, sites: string[], warnings: any[], read: number } & Record<string, any>} Rule */

const ROLES = ["observe", "stop", "arm"];

export const state = {
  /** The answer of `/v1/status`, and when it came. @type {any} */
  status: null,
  statusRead: 0,
  /** @type {Rule[]} */
  rules: [],
  /** The ETag of the rules that are shown. */
  tag: "*",
  /** @type {any[]} */
  sites: [],
  /** Entries of the audit, the latest first. @type {any[]} */
  entries: [],
  /** Who this page is to the port; the role is `null` where the port does not say. @type {{ name: string | null, role: string | null }} */
  you: { name: null, role: null },
  /** When the port last answered, and whether it answers. */
  answered: 0,
  lost: false,
  paused: false,
  /** Whether a token is asked for: the port is asked nothing meanwhile. */
  isLocked: false,
};

/** Says whether the role suffices. A port without tokens allows everything. */
export const may = (role) => state.you.role === null || ROLES.indexOf(state.you.role) >= ROLES.indexOf(role);

const listeners = new Map();

/** Has `work` done after each change of one of these: status, rules, sites, entries, counts, samples, lost, stale, second (which comes four times in one), paused, you. */
export function on(names, work) {
  for (const name of names.split(" ")) listeners.set(name, [...(listeners.get(name) ?? []), work]);
}

/** Tells of a change. */
export function changed(name) {
  for (const work of listeners.get(name) ?? []) work();
}

/** Notes that the port has answered. */
export function heard() {
  state.answered = performance.now();
  if (!state.lost) return;
  state.lost = false;
  changed("lost");
}

/** Takes over a status that the port has answered with, and who this page is to it, which the answer says, too. */
export function takeStatus(status) {
  Object.assign(state, { status, statusRead: performance.now() });
  const { name, role } = status.you ?? state.you;
  if (name !== state.you.name || role !== state.you.role) {
    state.you = { name, role };
    changed("you");
  }
  changed("status");
}

export const isHalted = () => state.status?.state === "halted";

/** Returns the seconds until a rule ends: `null` if it has no end or is off, 0 if it has ended. */
export function left(rule) {
  const expires = rule.stats?.expires_in;
  if (expires === null || expires === undefined) return null;
  return Math.max(0, expires - (performance.now() - rule.read) / 1000);
}

export const isOn = (rule) => rule.enabled !== false;
/** Returns whether a rule hangs on a leash, which its holder extends for as long as it is alive. */
export const isLeashed = (rule) => rule.stats?.leash !== undefined;
export const isOver = (rule) => isOn(rule) && left(rule) === 0;
export const isLive = (rule) => isOn(rule) && !isOver(rule);
export const isShadow = (rule) => rule.mode === "shadow";
/** Returns how many calls a rule has hit, or would have. */
export const hits = (rule) => (isShadow(rule) ? rule.stats?.shadowed : rule.stats?.injected) ?? 0;

/** Returns the name in what is a name or an object with one. */
const nameOf = (who) => (typeof who === "string" ? who : who?.name) ?? null;

/** Who has made each rule, by the entries that are known. */
const makers = { of: null, names: new Map() };

/** Returns who has armed a rule: what the port says, or the latest entry of the audit that made it. */
export function owner(rule) {
  const said = nameOf(rule.stats?.armed_by) ?? nameOf(rule.armed_by);
  if (said) return said;
  if (makers.of !== state.entries) {
    const names = new Map();
    for (const { action, actor, changes = [] } of state.entries) {
      if (!["put", "replace", "edit"].includes(action)) continue;
      for (const { rule, after } of changes) if (after && !names.has(rule)) names.set(rule, actor);
    }
    Object.assign(makers, { of: state.entries, names });
  }
  return makers.names.get(rule.id) ?? null;
}

/** Returns the rule of this id. */
export const ruleOf = (id) => state.rules.find((rule) => rule.id === id);
/** Returns the site of this name. */
export const siteOf = (name) => state.sites.find((site) => site.name === name);
