// The network of the soak's own namespace, which scripts/soak makes: what passes through it is decided by rules of nftables. The
// kernel's netem, which could also delay, is often missing; the relay of gateway 1 delays (lib/cutter.mjs).

import { execFile } from "node:child_process";
import { promisify } from "node:util";

const execute = promisify(execFile);
const nft = (text) => execute("nft", [text], { env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });

/** Nothing outside of a namespace of our own: rules there would be everybody's. */
export async function openNetwork(t, namespace) {
    if (!namespace) return undefined;
    await nft("add table inet soak; add chain inet soak in { type filter hook input priority 0; }");
    const network = {
        /** match as nftables writes it: "tcp dport 80". what: "drop", "reject with tcp reset", ... */
        rule: (match, what = "drop") => nft(`add rule inet soak in ${match} ${what}`),
        /** A port, in both directions. */
        async port(port, what = "drop") {
            for (const match of [`tcp dport ${port}`, `tcp sport ${port}`]) await network.rule(match, what);
        },
        clear: () => nft("flush chain inet soak in"),
    };
    t.after(() => network.clear());
    return network;
}
