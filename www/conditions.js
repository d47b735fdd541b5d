// The conditions of a trigger (`where`), as lines of a form: column, comparison, value.

import { make, template } from "./dom.js";

const OPERATORS = ["=", "<>", "<", "<=", ">", ">=", "in", "is null", "is not null"];
const NUMERIC = /^(smallint|integer|bigint|numeric|real|double precision)\b/;
const CONDITIONS_MAX = 32; // as the gateway has it

export class Conditions {
    #list;
    #add;
    #columns = []; // { name, type }

    constructor(list, add) {
        this.#list = list;
        this.#add = add;
        add.addEventListener("click", () => {
            this.#append({}).querySelector("select").focus();
            this.#changed();
        });
    }

    show(columns, where = []) {
        this.#columns = columns;
        this.#list.replaceChildren();
        for (const condition of where) this.#append(condition);
    }

    read() {
        return [...this.#list.children].map((line) => {
            const [column, op, value] = line.querySelectorAll("select, input");
            const condition = { column: column.value, op: op.value };
            const { type = "" } = this.#columns.find(({ name }) => name === column.value) ?? {};
            if (op.value === "in") condition.value = listOf(value.value).map((text) => valueOf(text, type));
            else if (!op.value.startsWith("is ")) condition.value = valueOf(value.value, type);
            return condition;
        });
    }

    #append({ column, op = "=", value }) {
        const line = template("condition-template").cloneNode(true);
        const [columns, operators, field] = line.querySelectorAll("select, input");
        const names = this.#columns.map(({ name }) => name);
        if (column !== undefined && !names.includes(column)) names.push(column);
        columns.append(...names.map((name) => new Option(name)));
        operators.append(...OPERATORS.map((name) => new Option(name)));
        if (column !== undefined) columns.value = column;
        operators.value = op;
        field.value = textOf(value);
        const adapt = () => {
            field.hidden = operators.value.startsWith("is ");
            field.placeholder = operators.value === "in" ? "one, two, three" : "";
        };
        operators.addEventListener("change", adapt);
        adapt();
        line.querySelector(".remove").addEventListener("click", () => {
            line.remove();
            this.#add.focus();
            this.#changed();
        });
        this.#list.append(line);
        return line;
    }

    #changed() {
        this.#add.disabled = this.#list.childElementCount >= CONDITIONS_MAX;
        this.#list.dispatchEvent(new Event("input", { bubbles: true }));
    }
}

export function conditionWords({ column, op, value }) {
    return make("code", "", [column, op, textOf(value)].join(" ").trim());
}

// A list is written with commas, or as JSON where a value has one itself.
function textOf(value) {
    if (!Array.isArray(value)) return value === undefined ? "" : String(value);
    return value.some((one) => /[,[]|^\s|\s$/.test(one)) ? JSON.stringify(value) : value.join(", ");
}

function listOf(text) {
    try {
        const list = JSON.parse(text);
        if (Array.isArray(list)) return list.map(String);
    } catch {
        // with commas, then
    }
    return text.split(",").map((one) => one.trim());
}

// A number or a boolean goes as such where nothing is lost by it; PostgreSQL reads the rest from text.
function valueOf(text, type) {
    if (NUMERIC.test(type) && String(Number(text)) === text) return Number(text);
    if (type === "boolean" && /^(true|false)$/.test(text)) return text === "true";
    return text;
}
