// All faults, and which of them this machine can do.

import bytes from "./bytes_faults.mjs";
import client from "./client_faults.mjs";
import database from "./database_faults.mjs";
import gateway from "./gateway_faults.mjs";
import network from "./network_faults.mjs";
import restore from "./restore_faults.mjs";
import schema from "./schema_faults.mjs";
import stranger from "./stranger_faults.mjs";
import transaction from "./transaction_faults.mjs";

export const FAULTS = [...database, ...transaction, ...schema, ...stranger, ...bytes, ...restore, ...network, ...gateway, ...client];

const NEEDS = {
    network: ["a network namespace of our own and nftables, both for root", (world) => world.network],
    volumes: ["a mount namespace of our own, for root", (world) => world.volumes],
    relay: ["a server that is reached by TCP", (world) => world.relay],
    dump: ["a pg_dump as new as the server", (world) => world.dumps],
    malloc: ["a build without sanitizers", (world) => world.malloc],
    clock: ["Debian's package faketime, and a build without sanitizers", (world) => world.clock],
};

/** What is missing here for a fault, in words; undefined when nothing is. */
export function lacks(world, fault) {
    if (!fault.needs) return undefined;
    const [words, has] = NEEDS[fault.needs];
    return has(world) ? undefined : words;
}

/** An endless row of faults: all of them once in a random order, then all in another one. */
export function* draw(faults, random) {
    for (;;) {
        const left = [...faults];
        while (left.length > 0) yield left.splice(Math.floor(random() * left.length), 1)[0];
    }
}
