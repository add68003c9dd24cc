// The chat's processes and its page, for the scripts that use them. PROGRAM is
// the first argument of each.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import readline from "node:readline";
import { open } from "./browser.mjs";

export async function start(address, args = []) {
  const child = spawn(process.argv[2], [address, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  process.on("exit", () => child.kill("SIGKILL"));
  const [first] = await once(readline.createInterface({ input: child.stdout }), "line");
  return { child, address: first.replace("listening on ws://", "") };
}

export async function stop(child) {
  child.kill("SIGINT");
  assert.deepEqual(await once(child, "exit"), [0, null]);
}

export async function freeAddress() {
  const server = net.createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  return `127.0.0.1:${port}`;
}

// A tab that has joined the room, and what it shows.
export async function join(address, name, room, size) {
  const tab = await open(`http://${address}/`, size);
  await tab.until(`document.getElementById("room")?.value === "lobby"`);
  await tab.screenshot(`chat-join-${size?.width ?? 1000}.png`);
  await tab.fill("name", name);
  await tab.fill("room", room);
  await tab.click("enter");
  await tab.until(`document.getElementById("status").textContent === "connected"`);
  tab.log = () => tab.evaluate(`[...document.querySelectorAll("#log li")].map(li =>
    li.dataset.name + ": " + (li.querySelector("img") ? "picture" : li.childNodes[1].data))`);
  tab.shows = async (...lines) => {
    await tab.until(`document.querySelectorAll("#log li").length >= ${lines.length}`);
    assert.deepEqual(await tab.log(), lines);
  };
  tab.people = (...names) => tab.until(`[...document.querySelectorAll("#people li")]
    .map(li => li.textContent).join() === ${JSON.stringify(names.join())}`);
  tab.say = async (text) => {
    await tab.fill("text", text);
    await tab.click("send");
  };
  return tab;
}
