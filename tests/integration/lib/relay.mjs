// An HTTP relay in front of the gateway, as a proxy stands there, that a test can make answer something else.

import http from "node:http";

/**
 * Resolves with {origin, requests, answer}; goes away with the test `t`. answer(request) gives {status, headers, body}, or a
 * promise of it, for what is not to reach the gateway. requests are the URLs asked for, below /streams and /tickets.
 */
export async function startRelay(t, port) {
    const relay = { requests: [], answer: () => null };
    const server = http.createServer(async (request, response) => {
        const url = new URL(request.url, relay.origin);
        if (/^\/(streams|tickets)/.test(url.pathname)) relay.requests.push({ method: request.method, url, headers: request.headers });
        const own = await relay.answer({ method: request.method, url, headers: request.headers });
        if (own) {
            response.writeHead(own.status, own.headers).end(own.body);
            return;
        }
        const { method, url: path, headers } = request;
        const upstream = http.request({ host: "127.0.0.1", port, method, path, headers, agent: false }, (answer) => {
            response.writeHead(answer.statusCode, answer.headers);
            answer.pipe(response);
            answer.on("error", () => response.destroy());
        });
        upstream.on("error", () => response.headersSent ? response.destroy() : response.writeHead(502).end());
        response.on("close", () => upstream.destroy());
        request.pipe(upstream);
    });
    await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
    relay.origin = `http://127.0.0.1:${server.address().port}`;
    t.after(() => {
        server.closeAllConnections();
        server.close();
    });
    return relay;
}
