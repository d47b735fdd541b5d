// nginx in front of the gateway with TLS and HTTP/2, configured as README.md says and no more.

import { execFile, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import net from "node:net";
import os from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { freePort } from "./gateway.mjs";
import { until } from "./until.mjs";

const answers = (port) =>
    new Promise((resolve) => {
        const socket = net.connect(port, "127.0.0.1", () => resolve(true) || socket.destroy());
        socket.on("error", () => resolve(false));
    });

/** Resolves with its origin, https and with a certificate that nobody signed; it goes away with the test `t`. */
export async function startNginx(t, upstreamPort) {
    const folder = await mkdtemp(path.join(os.tmpdir(), "nginx-"));
    t.after(() => rm(folder, { recursive: true, force: true }));
    const key = ["-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2", "-subj", "/CN=localhost"];
    await promisify(execFile)("openssl", ["req", "-x509", ...key], { cwd: folder });
    const port = await freePort();
    const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder}/${name};`);
    await writeFile(
        path.join(folder, "nginx.conf"),
        `daemon off; master_process off; pid ${folder}/pid; error_log stderr error;
        events {}
        http {
            access_log off;
            ${temporary.join("\n")}
            server {
                listen 127.0.0.1:${port} ssl http2;
                ssl_certificate ${folder}/cert.pem;
                ssl_certificate_key ${folder}/key.pem;
                location / {
                    proxy_pass http://127.0.0.1:${upstreamPort};
                    proxy_http_version 1.1;
                }
            }
        }`,
    );
    const args = ["--pdeathsig", "KILL", "/usr/sbin/nginx", "-p", folder, "-c", path.join(folder, "nginx.conf"), "-e", "stderr"];
    const child = spawn("setpriv", args, { stdio: ["ignore", "ignore", "pipe"] });
    let log = "";
    child.stderr.on("data", (text) => (log += text));
    t.after(() => child.kill("SIGKILL"));
    await until(() => answers(port), () => `nginx: ${log}`);
    return `https://127.0.0.1:${port}`;
}
