// The form that chooses the view: channels, lists of text fields that grow, check boxes for the types. What is ticked or
// chosen counts at once, what is typed when it is complete.

import { readView } from "./address.js";
import { TYPES } from "./change.js";
import { $, template } from "./dom.js";

const LISTS = [
    { name: "table", list: "tables", word: "Table", example: "posts" },
    { name: "id", list: "ids", word: "Id", example: "7" },
];
const FIELDS_MAX = 64; // of one list: what an address can carry is limited too

export class ViewForm {
    #form;
    #onView;

    // onView(view) is called when the visitor asks for another view; ticked() gives the channels that are ticked.
    constructor(form, ticked, onView) {
        this.#form = form;
        this.#onView = onView;
        form.addEventListener("submit", (event) => {
            event.preventDefault();
            const typed = $("find").value.trim();
            this.#ask(typed === "" ? ticked() : [...ticked(), typed]);
        });
        form.addEventListener("change", ({ target }) => {
            if (target.name !== "" && target.name !== "channel") this.#ask(ticked());
        });
        for (const list of LISTS)
            listElement(list)
                .querySelector(".add")
                .addEventListener("click", () => {
                    this.#addField(list, "").querySelector("input").focus();
                });
    }

    read(channels) {
        const data = new URLSearchParams();
        for (const [name, value] of new FormData(this.#form)) if (name !== "channel") data.append(name, value.trim());
        for (const channel of channels) data.append("channel", channel);
        return readView(data);
    }

    show(view) {
        $("find").value = "";
        for (const list of LISTS) {
            const values = view[list.list];
            const fields = [...listElement(list).querySelectorAll("input")].map((input) => input.value.trim());
            if (fields.filter((value) => value !== "").join("\n") === values.join("\n") && fields.length > 0) continue; // focus stays
            listElement(list).querySelector("ul").replaceChildren();
            for (const value of values.length > 0 ? values : [""]) this.#addField(list, value);
        }
        const boxes = [...$("types").querySelectorAll("input")];
        const types = [...new Set([...TYPES, ...view.types])];
        if (boxes.map((box) => box.value).join() !== types.join()) $("types").replaceChildren(...types.map(typeBox));
        for (const box of $("types").querySelectorAll("input")) box.checked = view.types.includes(box.value);
        this.#form.elements.from.value = view.from;
    }

    #ask(channels) {
        this.#onView(this.read(channels));
    }

    #addField(list, value) {
        const field = template("field-template").cloneNode(true);
        const input = field.querySelector("input");
        input.name = list.name;
        input.value = value;
        input.placeholder = list.example;
        field.querySelector(".remove").addEventListener("click", () => removeField(list, field));
        listElement(list).querySelector("ul").append(field);
        relabel(list);
        return field;
    }
}

function listElement(list) {
    return $(`field-${list.name}`);
}

// The last field of a list stays and is only emptied.
function removeField(list, field) {
    const neighbour = field.previousElementSibling ?? field.nextElementSibling;
    const input = field.querySelector("input");
    const counted = input.value !== "";
    if (neighbour) field.remove();
    else input.value = "";
    relabel(list);
    const left = (neighbour ?? field).querySelector("input");
    left.focus();
    if (counted) left.dispatchEvent(new Event("change", { bubbles: true }));
}

function relabel(list) {
    const fields = [...listElement(list).querySelectorAll("li")];
    fields.forEach((field, index) => {
        const label = fields.length === 1 ? list.word : `${list.word} ${index + 1}`;
        field.querySelector("input").setAttribute("aria-label", label);
        field.querySelector(".remove").setAttribute("aria-label", `Remove ${label.toLowerCase()}`);
    });
    listElement(list).querySelector(".add").disabled = fields.length >= FIELDS_MAX;
}

function typeBox(type) {
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.name = "type";
    box.value = type;
    label.append(box, type);
    return label;
}
