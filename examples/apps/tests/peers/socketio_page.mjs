// Uses the page of the `socketio` example: node socketio_page.mjs HTTP_URL
import assert from "node:assert/strict";
import { finish, open } from "./browser.mjs";

const page = await open(process.argv[2], { width: 400, height: 1300 });
await page.until(`document.getElementById("status")?.textContent === "connected"`);
await page.click("send");
await page.until(`document.getElementById("log").textContent.includes('< 431["hello"]')`);
const log = await page.text("log");
assert.match(log, /^< 0\{"maxPayload"/);
assert.match(log, /> 40 {2}connect/);
await page.screenshot("socketio.png");
finish("page ok");
