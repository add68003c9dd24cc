// Reads what each way costs off the page: node http_vs_websocket.mjs HTTP_URL
import assert from "node:assert/strict";
import { finish, open } from "./browser.mjs";

const page = await open(process.argv[2], { width: 1000, height: 800 });
const ways = ["polling", "long-polling", "events", "websocket", "tcp"];
// Bytes for each update, updates a second, p50, p99, requests.
const figures = (way) => page.evaluate(
  `[...document.getElementById("${way}")?.querySelectorAll("dd") ?? []].map((cell) => parseFloat(cell.textContent.replaceAll(",", "")))`);
for (const way of ways)
  await page.until(`parseFloat(document.getElementById("${way}")?.querySelector("dd").textContent) > 0`);
const table = Object.fromEntries(await Promise.all(ways.map(async (way) => [way, await figures(way)])));
const bytes = (way) => table[way][0];
console.log(table);
assert.ok(bytes("websocket") < 60, "a header of 2 bytes");
assert.ok(bytes("tcp") < bytes("websocket"));
assert.ok(bytes("events") > bytes("websocket"));
for (const way of ["polling", "long-polling"]) assert.ok(bytes(way) > 2 * bytes("websocket"), "heads");
for (const way of ways) assert.ok(table[way][1] > 20, `${way} carries the updates`);
for (const way of ["events", "websocket"]) assert.equal(table[way][4], 1, "one request");
assert.match(await page.text("summary"), /times fewer/);
await page.portraits("http_vs_websocket");
await page.click("toggle");
assert.equal(await page.text("status"), "stopped");
finish("chromium ok");
