// What clients do, badly or in great numbers.

import net from "node:net";
import { sleep } from "../integration/lib/proc.mjs";
import { openSockets } from "./network_faults.mjs";

const NOTHING = "nothing";

const GARBAGE = [
    "\0\0\0\0\r\n\r\n",
    "GET / HTTP/9.9\r\n\r\n",
    "GET /streams/ticker_changes HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    "POST /triggers HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    `GET /streams/${"%00".repeat(50)} HTTP/1.1\r\nHost: a\r\n\r\n`,
    `GET /${"a".repeat(40_000)} HTTP/1.1\r\n`,
    "GET /streams?channel=ticker_changes&last_event_id=%ff%fe HTTP/1.1\r\nHost: a\r\n\r\n",
    "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
];

/** Sends a text and leaves after a moment. */
async function sendOne(port, text, stayMs) {
    const socket = net.connect(port, "127.0.0.1");
    socket.on("error", () => {}).on("data", () => {});
    socket.write(text, "latin1");
    await sleep(stayMs);
    socket.destroy();
}

const readOn = ({ fleet }) => fleet.all("readOn");

export default [
    {
        name: "clients: a fifth reads nothing for 8 s, while much is written",
        cost: "live: gap lagged, if they fall behind",
        lastS: 8,
        async inject({ fleet, burst }) {
            await fleet.all("stopReading", { share: 0.2 });
            await burst(400);
        },
        heal: readOn,
    },
    {
        name: "clients: a third crawls for 8 s, while much is written",
        cost: "live: gap lagged, if they fall behind",
        lastS: 8,
        async inject({ fleet, burst }) {
            await fleet.all("crawl", { share: 1 / 3, ms: 400 });
            await burst(400);
        },
        heal: readOn,
    },
    { name: "clients: all lose their connections at once", cost: "live: gap restart on another gateway", inject: ({ fleet }) => fleet.all("cut", { share: 1 }) },
    {
        name: "clients: they come and go, 4 s",
        cost: "live: gap restart on another gateway",
        async inject({ fleet }) {
            for (let times = 0; times < 10; times++) {
                await fleet.all("cut", { share: 0.25 });
                await sleep(400);
            }
        },
    },
    {
        name: "clients: a storm of 1,000 connects to one gateway",
        cost: NOTHING,
        lastS: 3,
        inject: ({ steady, storm = 1000 }) => openSockets(steady.port, storm),
        heal: (_, sockets) => sockets.forEach((socket) => socket.resetAndDestroy()),
    },
    {
        name: "clients: 1,000 requests of garbage",
        cost: NOTHING,
        async inject({ gateways, storm = 1000 }, random) {
            const pick = (list) => list[Math.floor(random() * list.length)];
            for (let sent = 0; sent < storm; sent += 50)
                await Promise.all(Array.from({ length: 50 }, () => sendOne(pick(gateways).port, pick(GARBAGE), 50)));
        },
    },
    {
        name: "clients: 300 heads that never end, 5 s",
        cost: NOTHING,
        async inject({ gateways }, random) {
            const text = "GET /streams/ticker_changes HTTP/1.1\r\nHost: a\r\nX-";
            await Promise.all(Array.from({ length: 300 }, () => sendOne(gateways[Math.floor(random() * gateways.length)].port, text, 5000)));
        },
    },
];
