// What happens to gateways, and to everything at once.

import { readFileSync } from "node:fs";
import { sleep } from "../integration/lib/proc.mjs";
import { server } from "../integration/lib/database.mjs";
import { lead } from "../integration/lib/bank.mjs";
import { until } from "../integration/lib/until.mjs";
import { configurationText, execute } from "./world.mjs";

const RESTART = "live: gap restart; durable: nothing";
const NOTHING = "nothing";

const one = (world, random) => world.victims[Math.floor(random() * world.victims.length)];
const startAll = (world) => world.restartTheDead();

/** A gateway stands still until heal. */
const frozen = (choose) => ({
    async inject(world, random) {
        const gateway = await choose(world, random);
        gateway.signal("SIGSTOP");
        return gateway;
    },
    heal: (_, gateway) => gateway.signal("SIGCONT"),
});

/** The gateway's file changes until heal, by reloads; each reload must go as `wanted` says. What else is to be done then, `then` does. */
const reloaded = (text, wanted, then = () => {}) => ({
    async inject(world, random) {
        const gateway = world.gateways[Math.floor(random() * world.gateways.length)];
        const said = await world.reload(gateway, text);
        if (!wanted.test(said)) throw new Error(`the reload: ${said}`);
        await then(world);
        return gateway;
    },
    heal: (world, gateway) => world.reload(gateway, configurationText()),
});

const ONE = [
    { name: "gateway: killed", cost: RESTART, lastS: 1, inject: (world, random) => one(world, random).kill(), heal: startAll },
    {
        name: "gateway: the lead is killed, if it is one of two",
        cost: RESTART,
        lastS: 2,
        async inject(world, random) {
            const gateway = await lead(world.gateways);
            await (world.victims.includes(gateway) ? gateway : one(world, random)).kill();
        },
        heal: startAll,
    },
    {
        name: "gateway: two of three are killed at once",
        cost: RESTART,
        lastS: 2,
        inject: (world) => Promise.all(world.victims.map((gateway) => gateway.kill())),
        heal: startAll,
    },
    { name: "gateway: stands still for 7 s", cost: "live: gap restart for who goes to another", lastS: 7, ...frozen(one) },
    { name: "gateway: the lead stands still for 5 s", cost: "live: gap restart for who goes to another", lastS: 5, ...frozen((world) => lead(world.gateways)) },
    { name: "gateway: restarted", cost: RESTART, inject: (world, random) => one(world, random).restart() },
    {
        name: "gateway: restarted one after the other",
        cost: RESTART,
        async inject(world) {
            for (const gateway of world.victims) {
                await gateway.restart();
                await gateway.ready(30_000);
            }
        },
    },
    {
        name: "gateway: reloaded with a good file",
        cost: NOTHING,
        lastS: 2,
        ...reloaded(configurationText({ streams: { heartbeat_ms: 1000 } }), /^(?!.*not reloaded)/),
    },
    { name: "gateway: reloaded with a bad file", cost: NOTHING, lastS: 2, ...reloaded("limits = { channel_memory_bytes = 0; };\n", /not reloaded/) },
    {
        name: "gateway: twenty reloads at once",
        cost: NOTHING,
        async inject({ gateways }) {
            for (let times = 0; times < 20; times++) {
                for (const gateway of gateways) gateway.signal("SIGHUP");
                await sleep(20);
            }
        },
    },
    {
        name: "gateway: has few descriptors for 5 s",
        cost: "new streams are told `busy`",
        lastS: 5,
        async inject(world, random) {
            const gateway = one(world, random);
            await limit(gateway.pid, 40);
            await world.fleet.all("cut", { share: 0.25 });
            return gateway;
        },
        heal: (_, gateway) => limit(gateway.pid),
    },
    {
        name: "gateway: may use 1 MiB only (limits.memory_bytes), 5 s",
        cost: "new streams may be told `busy`; live: gap expired or lagged for who comes back",
        lastS: 5,
        ...reloaded(configurationText({ limits: { memory_bytes: 1048576, channel_memory_bytes: 65536 } }), /^(?!.*not reloaded)/, (world) =>
            world.burst(100),
        ),
    },
    {
        name: "gateway: allocations fail, 5 s",
        cost: "streams may end, or live: gap",
        needs: "malloc",
        lastS: 5,
        inject({ malloc }, random) {
            // One after the other, at any place of the program or of its libraries but libpq.
            const arm = () => malloc.control.fail(1 + Math.floor(random() * 97));
            return setInterval(arm, 50);
        },
        heal({ malloc }, timer) {
            clearInterval(timer);
            malloc.control.fail(0);
            if (malloc.control.failed === 0) throw new Error("no allocation failed");
        },
    },
];

/** The soft limit alone, so that it can be raised again: to the hard one, when no count is given. */
async function limit(pid, count = "") {
    const hard = /^Max open files\s+\d+\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, "utf8"))[1];
    await execute("prlimit", [`--pid=${pid}`, `--nofile=${count || hard}:`]);
}

/** Puts the clock of gateway 1, which its answers show. */
async function putClock({ clock, gateways }, seconds) {
    await clock.put(seconds);
    const error = async () => Date.parse((await gateways[1].get("/livez")).headers.date) - Date.now() - seconds * 1000;
    await until(async () => Math.abs(await error()) < 60_000, "the clock is put", 30_000);
}

/** Its clock jumps there and stays so until heal, when it jumps back. */
const clockJumps = (seconds) => ({ needs: "clock", lastS: 4, inject: (world) => putClock(world, seconds), heal: (world) => putClock(world, 0) });

const EVERYTHING = [
    { name: "clock: a gateway's jumps a day ahead", cost: NOTHING, ...clockJumps(86400) },
    { name: "clock: a gateway's jumps a day back", cost: NOTHING, ...clockJumps(-86400) },
    {
        name: "everything stands still for 10 s (the machine sleeps)",
        cost: "nothing, or live: gap outage",
        lastS: 10,
        async inject({ gateways, front, fleet }) {
            await server("freeze");
            for (const { signal } of parts({ gateways, front, fleet })) signal("SIGSTOP");
        },
        async heal({ gateways, front, fleet }) {
            for (const { signal } of parts({ gateways, front, fleet })) signal("SIGCONT");
            await server("thaw");
        },
    },
];

function parts({ gateways, front, fleet }) {
    const all = [...gateways, front.haproxy, fleet];
    return all.map((part) => ({ signal: (name) => part.signal(name) }));
}

export default [...ONE, ...EVERYTHING];
