// Requests to the gateway's REST interface, and the token that some of them need. It is kept for this tab's session only.

// A refusal: status 0 when there was no answer. The message is made of sentences for a person.
export class Refusal extends Error {
    constructor(status, message) {
        super(message);
        this.status = status;
    }
}

export class Gateway {
    #base;
    #key;

    // purpose: "triggers" or "streams", each of which has a token of its own.
    constructor(base, purpose) {
        this.#base = base;
        this.#key = `tuplecast token for ${purpose}`;
    }

    get token() {
        return sessionStorage.getItem(this.#key) ?? "";
    }

    set token(text) {
        if (text === "") sessionStorage.removeItem(this.#key);
        else sessionStorage.setItem(this.#key, text);
    }

    // Resolves with the JSON of the answer, null without one; rejects with a Refusal.
    async ask(method, path, { body, ...headers } = {}) {
        if (this.token !== "") headers.Authorization = `Bearer ${this.token}`;
        if (body !== undefined) headers["Content-Type"] = "application/json";
        let response, text;
        try {
            response = await fetch(new URL(path, this.#base), {
                method,
                headers,
                body: body && JSON.stringify(body),
                cache: "no-store",
            });
            text = await response.text();
        } catch {
            throw new Refusal(0, "The gateway cannot be reached. Nothing was changed, as far as this page knows.");
        }
        if (response.ok) return text === "" ? null : JSON.parse(text);
        throw refusal(response, text);
    }
}

// RFC 9457: detail says what is wrong, and the database may add to it and say what to do.
function refusal(response, text) {
    let problem = {};
    try {
        problem = JSON.parse(text) ?? {};
    } catch {
        // a proxy's answer, perhaps
    }
    const { detail, database_detail, hint, title } = problem;
    const said = detail || title || `The answer was ${response.status} ${response.statusText}`.trim();
    return new Refusal(response.status, sentences(said, database_detail, hint));
}

export function sentences(...parts) {
    return parts
        .filter((part) => typeof part === "string" && part.trim() !== "")
        .map((part) => part.trim())
        .map((part) => part[0].toUpperCase() + part.slice(1))
        .map((part) => (/[.!?…]$/.test(part) ? part : `${part}.`))
        .join(" ");
}
