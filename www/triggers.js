// The list of triggers, the token that it needs, and what can be done with each.

import { conditionWords } from "./conditions.js";
import { $, announce, make, setText, template } from "./dom.js";
import { Gateway } from "./gateway.js";
import { TriggerForm } from "./trigger_form.js";
import { counted } from "./words.js";

export class TriggerView {
    #gateway;
    #allows;
    #form;
    #triggers = [];
    #doomed = null; // the trigger that the dialog asks about
    #loading = 0; // counts loads, so that only the last one is shown

    // allows(channel) says whether the gateway lets it be subscribed to; null when that is not known.
    constructor(base, allows) {
        this.#gateway = new Gateway(base, "triggers");
        this.#allows = allows;
        this.#form = new TriggerForm(this.#gateway, allows, (trigger, created) => {
            announce(`${trigger.name} was ${created ? "created" : "replaced"}.`);
            this.#load();
        });
        $("token-form").addEventListener("submit", (event) => {
            event.preventDefault();
            this.#gateway.token = $("token").value.trim();
            $("token").value = "";
            this.#load();
        });
        $("forget").addEventListener("click", () => {
            this.#gateway.token = "";
            this.#load();
        });
        $("reload").addEventListener("click", () => this.#load());
        $("new-trigger").addEventListener("click", () => this.#edit(null));
        $("delete-no").addEventListener("click", () => $("delete-dialog").close());
        $("delete-yes").addEventListener("click", () => this.#delete());
    }

    show() {
        this.#load();
    }

    async #load() {
        const loading = ++this.#loading;
        try {
            const { items } = await this.#gateway.ask("GET", "triggers");
            if (loading === this.#loading) this.#draw(items);
        } catch (refusal) {
            if (loading === this.#loading) this.#drawRefusal(refusal);
        }
    }

    #draw(triggers) {
        this.#triggers = triggers;
        this.#showParts({ list: triggers.length > 0, empty: triggers.length === 0 });
        setText("triggers-brief", counted(triggers.length, "trigger"));
        $("trigger-rows").replaceChildren(...triggers.map((trigger) => this.#row(trigger)));
    }

    #drawRefusal(refusal) {
        this.#triggers = [];
        setText("triggers-brief", "");
        if (refusal.status === 401) {
            const problem = this.#gateway.token === "" ? "" : "The gateway does not take this token. Type it again.";
            this.#gateway.token = "";
            this.#showParts({ token: true, problem });
            $("token").focus();
        } else if (refusal.status === 404)
            this.#showParts({ problem: "Triggers are not managed at this address: the gateway’s setting “management.listen” has moved them to one of their own." });
        else this.#showParts({ problem: refusal.message });
    }

    #showParts({ list = false, empty = false, token = false, problem = "" }) {
        $("triggers-scroll").hidden = !list;
        $("triggers-empty").hidden = !empty;
        $("token-form").hidden = !token;
        $("new-trigger").disabled = !(list || empty);
        $("forget").hidden = this.#gateway.token === "";
        this.#complain("triggers-problem", problem);
    }

    #complain(id, text) {
        setText(id, text);
        $(id).hidden = text === "";
    }

    #row(trigger) {
        const row = template("trigger-row-template").cloneNode(true);
        const [name, table, channel, when, sends, state] = row.cells;
        name.textContent = trigger.name;
        table.textContent = `${trigger.schema}.${trigger.table}`;
        const link = channel.querySelector("a");
        link.textContent = trigger.channel;
        link.href = `?channel=${encodeURIComponent(trigger.channel)}`;
        link.title = "Watch this channel";
        channel.querySelector(".tag").hidden = !trigger.durable;
        when.append(...whenWords(trigger));
        sends.textContent = [(trigger.columns ?? ["all columns"]).join(", "), trigger.old ? "old values" : ""].filter(Boolean).join("; ");
        state.append(...this.#stateWords(trigger));
        for (const [button, act] of [
            [row.querySelector(".edit"), () => this.#edit(trigger)],
            [row.querySelector(".delete"), () => this.#askToDelete(trigger)],
        ]) {
            button.setAttribute("aria-label", `${button.textContent} ${trigger.name}`);
            button.addEventListener("click", act);
        }
        return row;
    }

    #stateWords(trigger) {
        const troubles = [...trigger.stale];
        if (!trigger.enabled && troubles.length === 0) troubles.push("It is disabled.");
        if (this.#allows(trigger.channel) === false)
            troubles.push("Nobody can subscribe: the gateway’s setting “channels” does not allow this channel.");
        const notes = (trigger.notes ?? []).map((note) => make("p", "hint", note));
        if (troubles.length === 0) return [make("span", "fine", "Works"), ...notes];
        return [...troubles.map((trouble) => make("p", "warning", trouble)), ...notes];
    }

    async #edit(trigger) {
        try {
            const { items } = await this.#gateway.ask("GET", "tables");
            if (items.length === 0 && trigger === null) throw new Error("There is no table that a trigger could be put on. The settings triggers.schemas and triggers.tables say which ones may be touched.");
            this.#complain("triggers-problem", "");
            this.#form.open(items, this.#triggers, trigger);
        } catch (refusal) {
            if (refusal.status === 401) this.#drawRefusal(refusal);
            else this.#complain("triggers-problem", refusal.message);
        }
    }

    async #askToDelete(trigger) {
        this.#doomed = trigger;
        $("delete-title").textContent = `Delete the trigger ${trigger.name}?`;
        $("delete-text").textContent = `Changes of ${trigger.schema}.${trigger.table} will not be sent to ${trigger.channel} by it any more. Rows stay as they are.`;
        $("delete-sql").textContent = "";
        this.#complain("delete-problem", "");
        $("delete-dialog").showModal();
        $("delete-no").focus();
        try {
            const { sql } = await this.#gateway.ask("DELETE", `${pathOf(trigger)}?dry_run=true`, guardOf(trigger));
            if (this.#doomed === trigger) $("delete-sql").textContent = sql.map((statement) => `${statement};`).join("\n");
        } catch (refusal) {
            if (this.#doomed === trigger) this.#complain("delete-problem", refusal.message);
        }
    }

    async #delete() {
        const trigger = this.#doomed;
        try {
            await this.#gateway.ask("DELETE", pathOf(trigger), guardOf(trigger));
            $("delete-dialog").close();
            announce(`${trigger.name} was deleted.`);
            await this.#load();
            $("new-trigger").focus();
        } catch (refusal) {
            this.#complain("delete-problem", refusal.message);
        }
    }
}

function pathOf({ name }) {
    return `triggers/${encodeURIComponent(name)}`;
}

// Only as it was when it was shown.
function guardOf({ etag }) {
    return { "If-Match": `"${etag}"` };
}

function whenWords(trigger) {
    const words = trigger.operations.flatMap((operation) => {
        const type = make("span", "type", operation);
        type.dataset.type = operation;
        return [type, " "];
    });
    if (trigger.update_of) words.push(make("p", "hint", `UPDATE of ${trigger.update_of.join(", ")}`));
    for (const condition of trigger.where ?? []) words.push(make("p", "hint", conditionWords(condition)));
    return words;
}
