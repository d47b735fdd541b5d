// The form that creates or replaces a trigger. The SQL is shown first, from a dry run of exactly what is then done: whatever
// is edited after that asks for it again.

import { TYPES } from "./change.js";
import { Conditions } from "./conditions.js";
import { $, make } from "./dom.js";
import { counted, number } from "./words.js";

export class TriggerForm {
    #gateway;
    #allows;
    #onDone;
    #conditions = new Conditions($("trigger-conditions"), $("add-condition"));
    #tables = [];
    #taken = new Set(); // names of triggers
    #editing = null; // the trigger, when it is not a new one
    #previewed = false; // the SQL that is shown is that of the form as it is
    #busy = false;

    // allows(channel) says whether the gateway lets it be subscribed to. onDone(trigger, created) is called at the end.
    constructor(gateway, allows, onDone) {
        this.#gateway = gateway;
        this.#allows = allows;
        this.#onDone = onDone;
        const form = $("trigger-form");
        form.addEventListener("submit", (event) => {
            event.preventDefault();
            this.#next();
        });
        form.addEventListener("input", ({ target }) => {
            this.#takeBack();
            if (target === $("trigger-table")) this.#showTable();
            this.#hints();
        });
        $("trigger-cancel").addEventListener("click", () => $("trigger-dialog").close());
        $("trigger-operations").append(...TYPES.map((type) => checkBox(type, true)));
    }

    // trigger: the one to edit; null for a new one.
    open(tables, triggers, trigger = null) {
        this.#tables = tables;
        this.#taken = new Set(triggers.map(({ name }) => name));
        this.#editing = trigger;
        $("trigger-form").reset();
        $("trigger-dialog-title").textContent = trigger ? `Edit ${trigger.name}` : "New trigger";
        $("trigger-table").replaceChildren(...this.#tableOptions());
        $("trigger-table").disabled = trigger !== null;
        $("trigger-name").readOnly = trigger !== null;
        $("trigger-only").open = trigger !== null && (trigger.where ?? trigger.update_of) !== undefined;
        $("trigger-advanced").open = trigger !== null && (trigger.row_security ?? trigger.prepare_transaction ?? (trigger.always || undefined)) !== undefined;
        if (trigger) this.#fill(trigger);
        else this.#showTable();
        this.#takeBack();
        this.#hints();
        $("trigger-dialog").showModal();
    }

    #fill(trigger) {
        $("trigger-table").value = keyOf(trigger);
        $("trigger-name").value = trigger.name;
        this.#showTable();
        $("trigger-channel").value = trigger.channel;
        tick($("trigger-operations"), trigger.operations);
        $("trigger-all").checked = trigger.columns === undefined;
        tick($("trigger-columns"), trigger.columns ?? []);
        tick($("trigger-update-of"), trigger.update_of ?? []);
        $("trigger-old").checked = trigger.old;
        $("trigger-durable").checked = trigger.durable;
        $("trigger-row-level").checked =
            trigger.level === "row" && this.#table()?.kind === "table" && !trigger.always && (trigger.where ?? trigger.update_of) === undefined;
        $("trigger-always").checked = trigger.always === true;
        $("trigger-row-security").checked = trigger.row_security !== undefined;
        $("trigger-prepare-transaction").checked = trigger.prepare_transaction !== undefined;
        this.#conditions.show(this.#table()?.columns ?? [], trigger.where);
    }

    #tableOptions() {
        const tables = [...this.#tables];
        const known = new Set(tables.map(keyOf));
        if (this.#editing && !known.has(keyOf(this.#editing))) tables.push({ ...this.#editing, possible: true });
        const groups = groupBySchema(tables);
        return [...groups].map(([schema, members]) => {
            const group = make("optgroup");
            group.label = schema;
            for (const table of members) {
                const option = new Option(table.possible ? table.table : `${table.table} – not possible`, keyOf(table));
                option.disabled = !table.possible;
                option.title = table.reason ?? "";
                group.append(option);
            }
            return group;
        });
    }

    #table() {
        return this.#tables.find((table) => keyOf(table) === $("trigger-table").value);
    }

    // The table has changed: what depends on it starts anew.
    #showTable() {
        const table = this.#table();
        const columns = table?.columns ?? [];
        const names = [...new Set([...columns.map(({ name }) => name), ...(this.#editing?.columns ?? []), ...(this.#editing?.update_of ?? [])])];
        $("trigger-columns").replaceChildren(...names.map((name) => checkBox(name, true)));
        $("trigger-update-of").replaceChildren(...names.map((name) => checkBox(name, false)));
        this.#conditions.show(columns);
        if (this.#editing === null) $("trigger-name").value = table ? this.#freeName(table.table) : "";
        $("trigger-channel").placeholder = table ? defaultChannel(table) : "";
    }

    #freeName(table) {
        const stem = `${table.replace(/[^0-9A-Za-z_.-]/g, "_").slice(0, 32)}_live`;
        let name = stem;
        for (let count = 2; this.#taken.has(name) && count < 100; count++) name = `${stem}_${count}`;
        return name;
    }

    #hints() {
        const table = this.#table();
        $("trigger-table-hint").textContent = table ? tableWords(table) : "";
        $("trigger-columns").hidden = $("trigger-all").checked;
        const channel = $("trigger-channel").value.trim() || $("trigger-channel").placeholder;
        const forbidden = channel !== "" && this.#allows(channel) === false;
        $("trigger-channel-hint").textContent = forbidden
            ? "Nobody can subscribe to this one: the gateway’s setting “channels” does not allow it."
            : "";
    }

    // The definition that the form stands for; members that say nothing are left out.
    #definition() {
        const { schema, table: name } = this.#editing ?? this.#table();
        const definition = { table: { schema, name }, operations: ticked($("trigger-operations")) };
        const channel = $("trigger-channel").value.trim();
        if (channel) definition.channel = channel;
        if (!$("trigger-all").checked) definition.columns = ticked($("trigger-columns"));
        const updateOf = ticked($("trigger-update-of"));
        if (updateOf.length > 0) definition.update_of = updateOf;
        if ($("trigger-old").checked) definition.old = true;
        if ($("trigger-durable").checked) definition.durable = true;
        if ($("trigger-row-level").checked) definition.level = "row";
        if ($("trigger-always").checked) definition.always = true;
        if ($("trigger-row-security").checked) definition.row_security = "ignored";
        if ($("trigger-prepare-transaction").checked) definition.prepare_transaction = "fails";
        const where = this.#conditions.read();
        if (where.length > 0) definition.where = where;
        return definition;
    }

    // First the SQL, then the deed.
    async #next() {
        if (this.#busy) return;
        this.#busy = true;
        const deed = this.#previewed;
        try {
            const answer = await this.#put({ dry_run: !deed, whole_channel: $("trigger-whole-channel").checked });
            this.#complain("");
            if (deed) {
                $("trigger-dialog").close();
                this.#onDone(answer, this.#editing === null);
            } else this.#preview(answer.sql);
        } catch (refusal) {
            this.#takeBack();
            this.#complain(refusal.message);
        } finally {
            this.#busy = false;
        }
    }

    // A new trigger replaces none, and an edited one is as it was when the form was opened.
    #put(switches) {
        const guard = this.#editing ? { "If-Match": `"${this.#editing.etag}"` } : { "If-None-Match": "*" };
        const name = encodeURIComponent($("trigger-name").value.trim());
        const on = Object.keys(switches).filter((name) => switches[name]);
        const query = on.length > 0 ? `?${on.map((name) => `${name}=true`).join("&")}` : "";
        return this.#gateway.ask("PUT", `triggers/${name}${query}`, { body: this.#definition(), ...guard });
    }

    #preview(sql) {
        this.#previewed = true;
        $("trigger-sql").textContent = sql.length > 0 ? sql.map((statement) => `${statement};`).join("\n") : "-- Nothing: the trigger is like this already.";
        $("trigger-preview").hidden = false;
        $("trigger-next").textContent = this.#editing ? "Replace the trigger" : "Create the trigger";
        $("trigger-preview").scrollIntoView({ block: "nearest" });
    }

    #takeBack() {
        this.#previewed = false;
        $("trigger-preview").hidden = true;
        $("trigger-next").textContent = "Show the SQL";
        this.#complain("");
    }

    #complain(text) {
        $("trigger-problem").textContent = text;
        $("trigger-problem").hidden = text === "";
        if (text) $("trigger-problem").scrollIntoView({ block: "nearest" });
    }
}

function keyOf({ schema, table }) {
    return JSON.stringify([schema, table]);
}

function groupBySchema(tables) {
    const groups = new Map();
    for (const table of tables) groups.set(table.schema, [...(groups.get(table.schema) ?? []), table]);
    return groups;
}

function defaultChannel({ table }) {
    return `${table}_changes`;
}

function tableWords(table) {
    const words = [
        table.key?.length > 0 ? `Primary key: ${table.key.join(", ")}` : "No primary key: the id of its changes will be null",
        counted(table.columns.length, "column"),
    ];
    if (table.rows !== null && table.rows !== undefined) words.push(`about ${number(table.rows)} rows`);
    if (table.triggers.length > 0) words.push(`has ${table.triggers.join(", ")} already`);
    return `${words.join(" · ")}.`;
}

function checkBox(value, checked) {
    const box = make("input");
    box.type = "checkbox";
    box.value = value;
    box.defaultChecked = checked;
    return make("label", "check", box, value);
}

function ticked(element) {
    return [...element.querySelectorAll("input:checked")].map((box) => box.value);
}

function tick(element, values) {
    for (const box of element.querySelectorAll("input")) box.checked = values.includes(box.value);
}
