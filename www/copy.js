// Buttons that copy the text of an element: <button class="copy" data-copies="id of the element">.

import { $ } from "./dom.js";

const SAID_MS = 1500;

export function enableCopying(root) {
    root.addEventListener("click", ({ target }) => {
        const button = target.closest(".copy");
        if (button) copy($(button.dataset.copies), button);
    });
}

// The clipboard is only there on https and localhost; elsewhere the text is selected and copied the old way.
async function copy(element, button) {
    let copied = true;
    try {
        await navigator.clipboard.writeText(element.textContent);
    } catch {
        getSelection().selectAllChildren(element);
        copied = document.execCommand("copy");
    }
    button.textContent = copied ? "Copied" : "Selected";
    setTimeout(() => {
        button.textContent = "Copy";
    }, SAID_MS);
}
