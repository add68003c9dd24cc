// Two processes are one chat, and a page whose process stops goes on with the
// other: node chat_move.mjs PROGRAM REDIS_URL
import assert from "node:assert/strict";
import { finish } from "./browser.mjs";
import { freeAddress, join, start, stop } from "./chat_tabs.mjs";

const redis = process.argv[3];
const addresses = [await freeAddress(), await freeAddress()];
const args = ["--redis", redis, "--peers", addresses.map((address) => `ws://${address}`).join()];
const servers = [];
for (const address of addresses) servers.push((await start(address, args)).child);

const ada = await join(addresses[0], "Ada", "garden");
const bob = await join(addresses[1], "Bob", "garden");
await ada.people("Ada", "Bob");
await bob.people("Ada", "Bob");
await ada.say("from here");
await bob.shows("Ada: from here");
await bob.fill("text", "x");
await ada.until(`document.getElementById("typing").textContent === "Bob is typing …"`);

await stop(servers[0]);
await bob.say("you missed this");
await ada.shows("Ada: from here", "Bob: you missed this");
assert.equal(await ada.evaluate("new URL(ws.url).host"), addresses[1]);
await bob.people("Ada", "Bob");
finish("chat moved");
