// Where cases run: on one server a database for each encoding, with everything that cases share, and a gateway whose one stream tells all channels.
// Each channel has a trigger on a table of marks from the beginning: what was written before a mark has come when the mark comes.

import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { Database, server } from "../integration/lib/database.mjs";
import { run, startGateway } from "../integration/lib/gateway.mjs";
import { openStream } from "../integration/lib/sse.mjs";
import { ident, ODD_CHANNEL } from "./names.mjs";
import { SETUP } from "./recorder.mjs";
import { FIXED } from "./tables.mjs";
import { OWN_TYPES } from "./types.mjs";

export const PATIENCE_MS = 60_000; // the machine may be busy with other things

export const CHANNELS = { live: "matrix_live", durable: "matrix_durable", "live odd": `${ODD_CHANNEL} l`, "durable odd": `${ODD_CHANNEL} d` };
const EXTENSIONS = { hstore: "ext", citext: "ext", ltree: "ext", cube: "ext", postgis: "gis" };

/** One database of an encoding, its administrator's session and its stream. */
class Place {
    #marks = 0;

    static async open(t, encoding, { root, putMore = {}, stream = true }) {
        const place = new Place();
        place.encoding = encoding;
        place.putMore = putMore;
        place.name = `matrix_${encoding.toLowerCase()}_${randomBytes(3).toString("hex")}`;
        await root.query(`CREATE DATABASE ${place.name} TEMPLATE template0 ENCODING '${encoding}' LC_COLLATE 'C' LC_CTYPE 'C'`);
        place.database = new Database(place.name);
        const { code, stderr } = await run(["setup"], place.database.env, PATIENCE_MS);
        assert.equal(code, 0, stderr);
        place.admin = await place.connect();
        t.after(() => place.admin.end().catch(() => {}));
        await place.#prepare();
        if (stream) await place.#listen(t);
        return place;
    }

    async connect(settings = {}) {
        const client = await this.database.connect();
        await client.query("SET lock_timeout = '30s'");
        for (const [name, value] of Object.entries(settings)) await client.query("SELECT pg_catalog.set_config($1, $2, false)", [name, value]);
        return client;
    }

    async #prepare() {
        await this.admin.query(OWN_TYPES);
        await this.admin.query("CREATE SCHEMA ext; CREATE SCHEMA gis; GRANT USAGE ON SCHEMA ext TO PUBLIC");
        this.extensions = [];
        for (const [name, schema] of Object.entries(EXTENSIONS))
            if (
                await this.admin.query(`CREATE EXTENSION ${name} SCHEMA ${schema}`).then(
                    () => true,
                    () => false,
                )
            )
                this.extensions.push(name);
        const roles = await this.admin.query("SELECT FROM pg_roles WHERE rolname = 'matrix_owner'");
        await this.admin.query(roles.rowCount > 0 ? SETUP.replaceAll(/^(CREATE ROLE|GRANT).*$/gm, "") : SETUP);
        for (const [kind, channel] of Object.entries(CHANNELS)) {
            const table = `mark ${kind}`;
            await this.admin.query(`CREATE TABLE matrix.${ident(table)} (id int PRIMARY KEY)`);
            await this.put(`mark_${kind.replace(" ", "_")}`, {
                schema: "matrix",
                table,
                channel,
                operations: ["INSERT"],
                durable: kind.startsWith("durable"),
            });
        }
    }

    put(name, definition) {
        const more = definition.durable ? {} : this.putMore;
        return this.admin.query("SELECT answer FROM tuplecast.put_trigger($1, $2, NULL, NULL, false)", [
            name,
            JSON.stringify({ ...more, ...definition }),
        ]);
    }

    async #listen(t) {
        this.gateway = await startGateway(t, { ...this.database.env, TUPLECAST_CHANNELS: "*" });
        await this.gateway.ready(PATIENCE_MS);
        this.stream = await openStream(t, this.gateway.stream(Object.values(CHANNELS)));
        await this.stream.until(() => this.stream.events.find(({ name }) => name === "ready"), "ready", PATIENCE_MS);
        this.forget();
    }

    /** What has come is not kept any longer. */
    forget() {
        this.stream.events.length = 0;
        this.stream.blocks.length = 0;
    }

    /** All events that were committed on these channels (kinds of CHANNELS) until now: {channel: [data, ...]}. */
    async events(channels) {
        const kinds = Object.entries(CHANNELS).filter(([, channel]) => channels.includes(channel));
        const mark = ++this.#marks;
        for (const [kind] of kinds) await this.admin.query(`INSERT INTO matrix.${ident(`mark ${kind}`)} VALUES (${mark})`);
        const isMark = ({ json }) => json.schema === "matrix" && json.id === mark;
        await this.stream.until(
            () =>
                kinds.every(([, channel]) => this.stream.events.some((event) => event.json.channel === channel && isMark(event))) ? true : undefined,
            `the mark ${mark}`,
            PATIENCE_MS,
        );
        const odd = this.stream.events.find(({ name, json }) => name !== "message" && json.reason !== undefined);
        const found = Object.fromEntries(channels.map((channel) => [channel, []]));
        for (const { data, json, name } of this.stream.events) if (name === "message" && json.schema !== "matrix") found[json.channel]?.push(data);
        this.forget();
        return { found, odd: odd?.raw };
    }
}

export class World {
    /** t: has after(). encodings: of the databases. preparedTransactions: the server allows so many, which takes a restart. */
    static async open(t, { encodings = ["UTF8"], preparedTransactions = 0, stream = true } = {}) {
        const world = new World();
        world.root = new Database(process.env.PGDATABASE);
        t.after(() => world.root.end());
        if (preparedTransactions > 0) {
            await world.root.query(`ALTER SYSTEM SET max_prepared_transactions = ${preparedTransactions}`);
            await world.root.end();
            await server("restart");
        }
        world.preparedTransactions = Number(await world.root.value("SHOW max_prepared_transactions"));
        world.version = Number(await world.root.value("SHOW server_version_num"));
        world.directory = await world.root.value("SHOW data_directory");
        world.locales = [];
        for (const locale of ["de_DE.UTF-8"])
            if (
                await world.root.query(`SET lc_monetary = '${locale}'`).then(
                    () => true,
                    () => false,
                )
            )
                world.locales.push(locale);
        await world.root.end();
        world.places = {};
        for (const encoding of encodings)
            world.places[encoding] = await Place.open(t, encoding, {
                root: world.root,
                putMore: preparedTransactions > 0 ? { prepare_transaction: "fails" } : {},
                stream,
            });
        world.encodings = encodings;
        world.extensions = world.places[encodings[0]].extensions;
        return world;
    }

    get lacks() {
        return [
            ...(this.extensions.includes("postgis") ? [] : ["PostGIS is not installed (a type whose cast needs rights stands in for it)"]),
            ...(this.locales.length > 0 ? [] : ["no locale but C is installed, so lc_monetary is always that"]),
            ...(this.version >= 180000 ? [] : ["no virtual generated columns before PostgreSQL 18"]),
            ...(this.version >= 150000 ? [] : ["no MERGE before PostgreSQL 15"]),
        ];
    }
}

/** A session with the fixed settings. */
export async function fix(client) {
    for (const [name, value] of Object.entries(FIXED)) await client.query("SELECT pg_catalog.set_config($1, $2, false)", [name, value]);
}
