// Opens the page of an echo server in a headless browser and uses it as a
// person would: node chromium.mjs CHROMIUM HTTP_URL PROFILE_DIR
// The browser is driven over its debugging protocol.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createRequire } from "node:module";
import path from "node:path";
import readline from "node:readline";

const require = createRequire(path.join(process.env.NODE_MODULES, "x.js"));
const { WebSocket } = require("ws");
const [chromium, url, profile] = process.argv.slice(2);

const browser = spawn(chromium, [
  "--ignore-certificate-errors", "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
  "--disable-dev-shm-usage", "--remote-debugging-port=0", `--user-data-dir=${profile}`, url,
], { stdio: ["ignore", "ignore", "pipe"] });
process.on("exit", () => browser.kill("SIGKILL"));
setTimeout(() => { console.error("the browser took too long"); process.exit(1); }, 90_000).unref();

async function debuggerUrl() {
  for await (const line of readline.createInterface({ input: browser.stderr })) {
    const found = line.match(/DevTools listening on (ws:\S+)/);
    if (found) return new URL(found[1]);
  }
  throw new Error("the browser ended");
}

const { host } = await debuggerUrl();
const retry = async (attempt) => {
  for (;;) {
    const result = await attempt();
    if (result) return result;
    await new Promise((done) => setTimeout(done, 50));
  }
};
const page = await retry(async () => {
  const targets = await (await fetch(`http://${host}/json`)).json();
  return targets.find((target) => target.type === "page" && target.url.startsWith(url));
});
const devtools = new WebSocket(page.webSocketDebuggerUrl);
await once(devtools, "open");

let id = 0;
async function evaluate(expression) {
  devtools.send(JSON.stringify({ id: ++id, method: "Runtime.evaluate", params: { expression } }));
  for (;;) {
    const message = JSON.parse((await once(devtools, "message"))[0]);
    if (message.id === id) return message.result.result.value;
  }
}

const text = (element) => evaluate(`document.getElementById("${element}")?.textContent ?? ""`);
await retry(async () => (await text("status")) === "echo ok");
await evaluate(`document.getElementById("message").value = "grüße 🦀"`);
await evaluate(`document.getElementById("send").click()`);
await retry(async () => (await text("log")).includes("< grüße 🦀"));
const log = await text("log");
assert.match(log, /^open, subprotocol echo$/m);
assert.match(log, /^> grüße 🦀$/m);
console.log(log.trim());
console.log("chromium ok");
process.exit(0);
