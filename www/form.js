// The form that chooses the view: lists of text fields that grow, check boxes for the types.

import { readView } from "./address.js";

const TYPES = ["INSERT", "UPDATE", "DELETE", "TRUNCATE"];
const LISTS = [
    { name: "channel", list: "channels", word: "Channel", example: "posts_changes" },
    { name: "table", list: "tables", word: "Table", example: "posts" },
    { name: "id", list: "ids", word: "Id", example: "7" },
];
const FIELDS_MAX = 64; // of one list: what an address can carry is limited too

const fieldTemplate = document.getElementById("field-template").content.firstElementChild;

export class ViewForm {
    #form;

    // onView(view) is called when the visitor asks for another view.
    constructor(form, onView) {
        this.#form = form;
        form.addEventListener("submit", (event) => {
            event.preventDefault();
            onView(this.read());
        });
        for (const list of LISTS)
            listElement(list)
                .querySelector(".add")
                .addEventListener("click", () => {
                    addField(list, "").querySelector("input").focus();
                });
    }

    read() {
        const data = new URLSearchParams();
        for (const [name, value] of new FormData(this.#form)) data.append(name, value.trim());
        return readView(data);
    }

    show(view) {
        for (const list of LISTS) {
            listElement(list).querySelector("ul").replaceChildren();
            for (const value of view[list.list].length > 0 ? view[list.list] : [""]) addField(list, value);
        }
        document
            .getElementById("types")
            .replaceChildren(
                ...[...new Set([...TYPES, ...view.types])].map((type) => typeBox(type, view.types.includes(type))),
            );
        this.#form.elements.from.value = view.from;
    }

    focus() {
        this.#form.querySelector("input").focus({ preventScroll: true });
    }
}

function listElement(list) {
    return document.getElementById(`field-${list.name}`);
}

function addField(list, value) {
    const field = fieldTemplate.cloneNode(true);
    const input = field.querySelector("input");
    input.name = list.name;
    input.value = value;
    input.placeholder = list.example;
    field.querySelector(".remove").addEventListener("click", () => removeField(list, field));
    listElement(list).querySelector("ul").append(field);
    relabel(list);
    return field;
}

// The last field of a list stays and is only emptied.
function removeField(list, field) {
    const neighbour = field.previousElementSibling ?? field.nextElementSibling;
    if (neighbour) field.remove();
    else field.querySelector("input").value = "";
    relabel(list);
    (neighbour ?? field).querySelector("input").focus();
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

function typeBox(type, checked) {
    const label = document.createElement("label");
    const box = document.createElement("input");
    box.type = "checkbox";
    box.name = "type";
    box.value = type;
    box.checked = checked;
    label.append(box, type);
    return label;
}
