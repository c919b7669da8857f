// Each state of the page, as the design's mock names it: how to come there from a fresh page.

import { until } from "./browser.mjs";

const press = (page, name) => page.getByRole("button", { name, exact: true }).click();
/** Waits until the rules are listed and the charts above them have their height, so that nothing moves below a press. */
export async function ready(page) {
  await page.locator("#rule-list h3").first().waitFor();
  await page.locator("#charts path").first().waitFor({ state: "attached" });
}
const more = async (page, id, item) => {
  await page.getByLabel(`More for ${id}`).click();
  if (item) await page.locator(".menu").getByRole("button", { name: item, exact: true }).click();
};
const tokens = { "secret-of-oncall": { name: "oncall", role: "arm" }, "secret-of-guest": { name: "guest", role: "observe" } };

/** @type {Record<string, { stub?: any, come?: (page: any, stub: any) => Promise<any> }>} */
export const scenes = {
  armed: { come: ready },
  idle: { stub: { isIdle: true }, come: (page) => page.getByText("No rules. Make one").waitFor() },
  old: { stub: { isOld: true }, come: ready },
  big: { stub: { isBig: true }, come: ready },
  menu: { come: async (page) => { await ready(page); await more(page, "checkout-503"); } },
  paused: { come: async (page) => { await ready(page); await press(page, "Pause"); } },
  table: { come: async (page) => { await ready(page); await page.getByText("As a table").first().click(); await page.getByText("Before and after").first().click(); } },
  "halt-reason": { come: async (page) => { await ready(page); await press(page, "Halt all"); await page.locator("#why").waitFor(); } },
  resume: { come: async (page) => { await ready(page); await press(page, "Halt all"); await press(page, "Resume…"); await page.locator("#again[open] li").first().waitFor(); } },
  breach: { come: async (page, { port }) => { await ready(page); port.breach(); await page.locator("#breach dl").waitFor(); } },
  lost: { come: async (page, stub) => { await ready(page); await page.locator("#charts path.hit").first().waitFor(); await stub.stop(); await page.locator("#lost").waitFor(); } },
  refused: { come: async (page, { port }) => { await ready(page); port.find("lost-stock").ends += 83_400_000; await page.getByLabel("+5 min for lost-stock").click(); await page.getByText("Refused:").waitFor(); } },
  form: { come: async (page) => { await ready(page); await press(page, "New rule"); await page.getByLabel("share of users").check(); await page.getByRole("button", { name: "+ header" }).click(); await press(page, "Count in shadow, 30 s"); await page.getByText(/calls? in [0-9]+ s/).waitFor(); } },
  "form-bad": { come: async (page) => { await ready(page); await page.getByLabel("Aim at db.read").click(); await page.getByLabel("Share, %").fill("130"); await page.getByText("is no rate").waitFor(); } },
  "form-warned": { come: async (page) => { await ready(page); await page.getByLabel("Aim at db.read").click(); await page.getByLabel("share of users").check(); await page.getByText("nobody would ever be hit").waitFor(); } },
  explain: { come: async (page) => { await ready(page); await more(page, "slow-payment", "Explain…"); await page.getByLabel("header x-user-id").fill("carol"); await press(page, "Explain this call"); await page.getByText("Matches, and is left alone. carol draws 0.71, hit below 0.10.").waitFor(); } },
  whom: { come: async (page) => { await ready(page); await more(page, "slow-payment", "Whom it hit"); await page.getByText("carol").waitFor(); } },
  delete: { come: async (page) => { await ready(page); await more(page, "checkout-503", "Delete"); await page.locator("#sure[open]").waitFor(); } },
  hand: { come: async (page) => { await ready(page); await press(page, "Hand over…"); await until("the text is there", () => page.locator("#over-text").inputValue()); } },
  login: { stub: { tokens }, come: (page) => page.locator("#login[open]").waitFor() },
  "login-wrong": { stub: { tokens }, come: async (page) => { await page.locator("#token").fill("guess"); await press(page, "Use it in this tab"); await page.getByText("none of the port's access tokens").waitFor(); } },
  observe: { stub: { tokens }, come: async (page) => { await page.locator("#token").fill("secret-of-guest"); await press(page, "Use it in this tab"); await ready(page); } },
};
