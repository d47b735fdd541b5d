// The document, as the page's other files touch it.

export const $ = (id) => document.getElementById(id);

// Text is only touched when it differs: layout is spared, and a selection in it stays.
export function setText(element, text) {
    const target = typeof element === "string" ? $(element) : element;
    if (target.textContent !== text) target.textContent = text;
}

export function template(id) {
    return $(id).content.firstElementChild;
}

// An element with a class and text or other elements in it. Text is never markup.
export function make(tag, className = "", ...content) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    element.append(...content);
    return element;
}

// For those who listen instead of looking: said once, when they are free. Who calls this often must bound it.
export function announce(text) {
    setText("announce", text.trim());
}
