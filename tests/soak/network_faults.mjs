// What happens to the network. Gateways reach the database over TCP, writers by a Unix socket: these go on.

import net from "node:net";
import { requestText } from "../integration/lib/wire.mjs";
import { until } from "../integration/lib/until.mjs";

const OUTAGE = "live: gap outage; durable: nothing";
const LOSS = "numgen random mod 5 == 0 drop";

/** One kind of rule for packets between gateways and database, until heal. */
const towardsDatabase = (what) => ({
    needs: "network",
    inject: ({ network, postgresPort }) => network.port(postgresPort, what),
    heal: ({ network }) => network.clear(),
});

/** The same between readers, HAProxy and gateways. */
const towardsReaders = (what) => ({
    needs: "network",
    async inject({ network, gateways, front }) {
        for (const { port } of [...gateways, front]) await network.port(port, what);
    },
    heal: ({ network }) => network.clear(),
});

/** Streams by bare sockets, of which nothing is read. */
async function openSockets(port, count, localAddress) {
    const sockets = Array.from({ length: count }, () => {
        const socket = net.connect({ port, host: "127.0.0.1", localAddress });
        socket.on("error", () => {});
        socket.write(requestText("/streams/ticker_changes"));
        return socket;
    });
    const connected = () => sockets.filter((socket) => socket.bytesRead > 0 || socket.destroyed).length;
    for (const socket of sockets) socket.on("data", () => socket.pause());
    await until(() => connected() === count, () => `${count} streams, there are ${connected()}`, 30_000);
    return sockets;
}

export default [
    { name: "network: cut off from the database, 9 s", cost: OUTAGE, lastS: 9, ...towardsDatabase("drop") },
    { name: "network: the database refuses (reset), 4 s", cost: OUTAGE, lastS: 4, ...towardsDatabase("tcp flags & rst == 0 reject with tcp reset") },
    { name: "network: 20 % loss to the database, 8 s", cost: `later, or ${OUTAGE}`, lastS: 8, ...towardsDatabase(LOSS) },
    {
        name: "network: 30 kB/s to the database, the rest is dropped, 8 s",
        cost: `later, or ${OUTAGE}`,
        lastS: 8,
        ...towardsDatabase("limit rate over 30 kbytes/second drop"),
    },
    {
        name: "network: 300 ms more to the database for each piece, 8 s",
        cost: "changes come later on one gateway",
        needs: "relay",
        lastS: 8,
        inject: ({ relay }) => (relay.delayMs = 300),
        heal: ({ relay }) => (relay.delayMs = 0),
    },
    {
        name: "network: the relay to the database stands still, then cuts, 8 s",
        cost: OUTAGE,
        needs: "relay",
        lastS: 8,
        inject: ({ relay }) => relay.freeze(),
        heal({ relay }) {
            relay.thaw();
            relay.cut();
        },
    },
    { name: "network: 20 % loss to readers, 8 s", cost: "changes come later", lastS: 8, ...towardsReaders(LOSS) },
    { name: "network: nothing passes to readers, 6 s", cost: "changes come later", lastS: 6, ...towardsReaders("drop") },
    { name: "network: all readers are cut off (reset)", cost: "nothing, or live: gap restart on another gateway", lastS: 1, ...towardsReaders("tcp flags & rst == 0 reject with tcp reset") },
    {
        name: "network: 200 streams vanish without a word (half-open)",
        cost: "nothing",
        needs: "network",
        lastS: 6,
        async inject({ network, steady }) {
            const sockets = await openSockets(steady.port, 200, "127.0.0.9");
            for (const match of ["ip saddr 127.0.0.9", "ip daddr 127.0.0.9"]) await network.rule(match);
            for (const socket of sockets) socket.resetAndDestroy();
        },
        heal: ({ network }) => network.clear(),
    },
    {
        name: "network: HAProxy is killed",
        cost: "nothing, or live: gap restart on another gateway",
        lastS: 2,
        inject: ({ front }) => front.haproxy.stop(),
        heal: ({ front }) => front.haproxy.start(),
    },
];

export { openSockets };
