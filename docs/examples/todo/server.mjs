// A todo list in PostgreSQL, found by PGHOST, PGDATABASE and so on. README.md says how to run it.
import { readFile } from "node:fs/promises";
import http from "node:http";
import pg from "pg";
const gateway = process.env.TUPLECAST ?? "http://localhost:8080";
const page = (await readFile(new URL("index.html", import.meta.url), "utf8")).replaceAll("{{gateway}}", gateway);
const db = new pg.Pool();
const actions = {
    GET: () => db.query("SELECT id, title, done FROM todos"),
    POST: ({ title }) => db.query("INSERT INTO todos (title) VALUES ($1)", [title]),
    PUT: ({ id, done }) => db.query("UPDATE todos SET done = $2 WHERE id = $1", [id, done]),
    DELETE: ({ id }) => db.query("DELETE FROM todos WHERE id = $1", [id]),
};
http.createServer(async (request, response) => {
    if (request.url !== "/todos") return response.setHeader("Content-Type", "text/html; charset=utf-8").end(page);
    try {
        const body = (await request.toArray()).join("");
        const { rows } = await actions[request.method](body && JSON.parse(body));
        response.end(JSON.stringify(rows));
    } catch (error) {
        response.writeHead(500).end(error.message);
    }
}).listen(process.env.PORT ?? 3000, "127.0.0.1");
