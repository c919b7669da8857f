// `node service.mjs PORT SERVICE [ROUTE PATH]` plays the story against a running service: PORT is the address of its
// admin port, SERVICE its own, ROUTE a route of it that some of its calls take, and PATH a path of that route.

import { expect, judge, launch, open, until } from "./browser.mjs";
import { story } from "./story.mjs";

const [port, service, route = "/checkout/{id}", path = "/checkout/1"] = process.argv.slice(2);
const browser = await launch();
const { page, complaints } = await open(browser, port);

const call = async () => (await fetch(service + path, { method: "POST" })).status;
const write = async (method, to, body) => {
  const headers = { "content-type": "application/json" };
  const answer = await fetch(port.replace(/\/$/, "") + to, { method, headers, body: JSON.stringify(body) });
  expect(answer.ok, `${method} ${to}: ${answer.status} ${await answer.clone().text()}`);
};

await story(page, {
  route,
  failing: () => until("calls fail", async () => (await call()) === 503),
  halted: async () => {
    // From the press on, which this page's own script sees first.
    const pressed = await page.evaluate(() => new Promise((done) => {
      document.getElementById("halt").addEventListener("click", () => done(Date.now()), { once: true, capture: true });
    }));
    let failed = 0;
    for (const end = Date.now() + 1000; Date.now() < end;) {
      const began = Date.now();
      if (await call() === 503) failed = began;
    }
    console.log(failed ? `the last failing call began ${failed - pressed} ms after the press` : "no call failed after the press");
    expect(failed - pressed <= 100, "calls fail after the halt");
  },
  breach: () => write("PUT", "/v1/rules/breach", {
    site: "http.server", ttl: "1m", faults: [{ status: 503 }],
    guards: [{ site: "http.server", error_ratio: 0.01, window: "5s", at_least: 3 }],
  }),
});
for (const one of await judge(page)) complaints.push(one);
for (const one of complaints) console.log(one);
console.log(complaints.length ? "the page complains" : "the story holds");
await browser.close();
process.exit(complaints.length ? 1 : 0);
