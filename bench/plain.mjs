// What most people write today: one LISTEN connection, a set of responses, one write for each event and client.
import http from "node:http";
import pg from "pg";

const clients = new Set();
const database = new pg.Client();
await database.connect();
database.on("notification", ({ payload }) => {
    for (const response of clients) response.write(`data: ${payload}\n\n`);
});
await database.query("LISTEN c0");
http.createServer((request, response) => {
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    response.write(": ok\n\n");
    clients.add(response);
    request.on("close", () => clients.delete(response));
}).listen(Number(process.argv[2]), "127.0.0.1");
