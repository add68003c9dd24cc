// Drives an echo server with the `ws` package: node node_ws.mjs URL
import assert from "node:assert/strict";
import { once } from "node:events";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.env.NODE_MODULES, "x.js"));
const { WebSocket } = require("ws");
const url = process.argv[2];

async function open(...protocols) {
  const ws = new WebSocket(url, protocols);
  await once(ws, "open");
  return ws;
}

async function echo(ws, data, options) {
  ws.send(data, options);
  const [message, isBinary] = await once(ws, "message");
  return [isBinary ? message : message.toString(), isBinary];
}

const ws = await open("chat", "echo");
assert.equal(ws.protocol, "echo");
assert.deepEqual(await echo(ws, "grüße 🦀"), ["grüße 🦀", false]);
assert.deepEqual(await echo(ws, ""), ["", false]);
const bytes = Buffer.from([0, 1, 254, 255]);
assert.deepEqual(await echo(ws, bytes), [bytes, true]);
const large = Buffer.alloc(1 << 20, 7);
assert.deepEqual(await echo(ws, large), [large, true]);

ws.send("frag", { fin: false });
ws.ping("between");
ws.send("ments", { fin: true });
const [[pong], [joined]] = await Promise.all([once(ws, "pong"), once(ws, "message")]);
assert.equal(pong.toString(), "between");
assert.equal(joined.toString(), "fragments");

const messages = [];
ws.on("message", (message) => messages.push(Number(message)));
for (let i = 0; i < 1000; i++) ws.send(String(i));
while (messages.length < 1000) await once(ws, "message");
assert.deepEqual(messages, [...Array(1000).keys()]);

ws.close(4001, "enough");
const [code] = await once(ws, "close");
assert.equal(code, 4001);

const none = await open();
assert.equal(none.protocol, "");
none.close();
await once(none, "close");
// What is offered and not known is not chosen; `ws` then gives up by itself.
await assert.rejects(open("chat"), /no subprotocol/);
console.log("node ws ok");
