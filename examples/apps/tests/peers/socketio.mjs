// Uses the `socketio` example by `socket.io-client`: node socketio.mjs HTTP_URL
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.env.NODE_MODULES, "x.js"));
const { io } = require("socket.io-client");
const url = process.argv[2];
setTimeout(() => { console.error("it took too long"); process.exit(1); }, 60_000).unref();

const client = (namespace = "", options = {}) => io(new URL(namespace, url).href, {
  transports: ["websocket"], forceNew: true, reconnectionDelay: 300, reconnectionDelayMax: 300, ...options,
});
// The arguments of the next event of this name.
const next = (socket, name) => new Promise((done) => socket.once(name, (...args) => done(args)));

async function open(namespace, options) {
  const socket = client(namespace, options);
  await next(socket, "connect");
  return socket;
}

const [ada, bob, eve] = await Promise.all([open(), open(), open()]);

// Rooms, acknowledgements and broadcasts. The last argument is the event's offset.
assert.equal(await ada.emitWithAck("join", "lobby"), 1);
assert.equal(await bob.emitWithAck("join", "lobby"), 2);
let heard = next(bob, "said");
eve.on("said", () => assert.fail("not in the room"));
ada.on("said", () => assert.fail("the sender"));
assert.equal(await ada.emitWithAck("say", "lobby", "grüße 🦀", { a: [1, null] }), 1);
assert.deepEqual((await heard).slice(0, 3), [ada.id, "grüße 🦀", { a: [1, null] }]);
heard = Promise.all([ada, bob, eve].map((socket) => next(socket, "shouted")));
eve.emit("shout", "all");
for (const args of await heard) assert.deepEqual(args.slice(0, 2), [eve.id, "all"]);
assert.match((await ada.emitWithAck("nonsense")).error, /unknown event/);

// Binary arguments, in events and acknowledgements.
const bytes = Buffer.from([0, 1, 254, 255]), large = Buffer.alloc(100_000, 7);
heard = next(bob, "said");
ada.emit("say", "lobby", { name: "a.bin", bytes }, large);
assert.deepEqual((await heard).slice(1, 3), [{ name: "a.bin", bytes }, large]);
const echoed = await new Promise((done) => ada.emit("echo", bytes, "between", { large }, (...args) => done(args)));
assert.deepEqual(echoed, [bytes, "between", { large }]);

// Namespaces, on one connection each.
const [refused] = await next(client("admin"), "connect_error");
assert.equal(refused.message, "not authorized");
const [unknown] = await next(client("unknown"), "connect_error");
assert.equal(unknown.message, "Invalid namespace");
const admin = await open("admin", { auth: { token: "secret" } });
assert.equal(await admin.emitWithAck("join", "lobby"), 1, "a room of its own");
// And two on the same connection.
const both = io(new URL("admin", url).href, { forceNew: false, transports: ["websocket"], auth: { token: "secret" } });
const other = both.io.socket("/");
other.connect();
await Promise.all([next(both, "connect"), next(other, "connect")]);
assert.equal(await other.emitWithAck("echo", "root"), "root");
assert.equal(await both.emitWithAck("echo", "admin"), "admin");

// Heartbeats: the server was told to send them often.
for (let count = 0; count < 3; count++) await next(bob.io, "ping");

// A lost connection: the session goes on with its id, its rooms and what it missed.
const { id } = bob;
const missed = [];
bob.on("said", (_, text) => missed.push(text));
const lost = next(bob, "disconnect");
bob.io.engine.close();
await lost;
await ada.emitWithAck("say", "lobby", "missed");
await next(bob, "connect");
assert.equal(bob.recovered, true);
assert.equal(bob.id, id);
assert.equal(await ada.emitWithAck("say", "lobby", "and after"), 1);
while (missed.length < 2) await next(bob, "said");
assert.deepEqual(missed, ["missed", "and after"]);

// One that says goodbye begins anew.
bob.disconnect();
bob.connect();
await next(bob, "connect");
assert.equal(bob.recovered, false);
assert.notEqual(bob.id, id);
assert.equal(await ada.emitWithAck("say", "lobby", "nobody"), 0);
console.log("socket.io-client ok");
process.exit(0);
