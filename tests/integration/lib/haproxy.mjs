// HAProxy in front of several gateways, with the configuration of etc/.

import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { freePort, Gateway } from "./gateway.mjs";
import { request } from "./sse.mjs";
import { until } from "./until.mjs";

const ETC = resolve(import.meta.dirname, "../../../etc");

/** Resolves with a Gateway that stands for all of them, once one of them serves; its `haproxy` can be stopped, with a signal, and started. */
export async function startHaproxy(t, gateways, deadlineMs) {
    const dir = mkdtempSync(join(tmpdir(), "tuplecast-haproxy-"));
    const port = await freePort();
    const servers = (suffix) => gateways.map((gateway, i) => `    server g${i} 127.0.0.1:${gateway.port}${suffix(i)}`).join("\n");
    const text = readFileSync(join(ETC, "haproxy/haproxy.cfg"), "utf8")
        .replace(/bind .*/, `bind 127.0.0.1:${port}`)
        .replaceAll("/etc/haproxy/busy.http", join(ETC, "haproxy/busy.http"))
        .replace("maxconn 20000", "maxconn 5000")
        .replace("inter 2s", "inter 500ms")
        .replace(/ {4}server one .* track .*/, servers((i) => ` track gateways/g${i}`))
        .replace(/ {4}server one .*/, servers(() => ""));
    writeFileSync(join(dir, "haproxy.cfg"), text);
    const front = new Gateway(port, {});
    front.haproxy = {
        async start() {
            this.child = spawn("setpriv", ["--pdeathsig", "KILL", "haproxy", "-db", "-f", join(dir, "haproxy.cfg")], {
                env: { PATH: `${process.env.PATH}:/usr/sbin` },
                stdio: "ignore",
            });
            this.ended = new Promise((end) => this.child.on("close", end));
            await until(() => request(`${front.origin}/readyz`).then(({ status }) => status === 200, () => false), "HAProxy", deadlineMs);
        },
        signal(name) {
            this.child.kill(name);
        },
        async stop() {
            this.signal("SIGKILL");
            await this.ended;
        },
    };
    t.after(async () => {
        await front.haproxy.stop();
        rmSync(dir, { recursive: true, force: true });
    });
    await front.haproxy.start();
    return front;
}
