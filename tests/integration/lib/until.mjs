// Waiting for things to become true. Every wait has a deadline, and says what it waited for when that passes.

export const DEADLINE_MS = 10_000;

export class DeadlineError extends Error {}

/** Resolves like promise, or rejects at the deadline. `what` may be a function, asked only then. */
export function within(promise, what, deadlineMs = DEADLINE_MS) {
    let timer;
    const deadline = new Promise((_, reject) => {
        timer = setTimeout(() => {
            const text = typeof what === "function" ? what() : what;
            reject(new DeadlineError(`not within ${deadlineMs} ms: ${text}`));
        }, deadlineMs);
    });
    return Promise.race([promise, deadline]).finally(() => clearTimeout(timer));
}

/** For what can only be asked, not waited for: asks again and again until the answer is truthy, and returns it. */
export async function until(ask, what, deadlineMs = DEADLINE_MS, pauseMs = 20) {
    const end = performance.now() + deadlineMs;
    for (;;) {
        const answer = await ask();
        if (answer) return answer;
        if (performance.now() > end) {
            const text = typeof what === "function" ? what() : what;
            throw new DeadlineError(`not within ${deadlineMs} ms: ${text}`);
        }
        await new Promise((resolve) => setTimeout(resolve, pauseMs));
    }
}

/** A list that can be waited on: whoever waits is woken by each change. */
export class Waitable {
    #waiting = new Set();

    changed() {
        for (const wake of this.#waiting) wake();
    }

    /** Resolves with find()'s first result that is not undefined; find is called now and after each change. */
    wait(find, what, deadlineMs = DEADLINE_MS) {
        let wake;
        const found = new Promise((resolve, reject) => {
            wake = () => {
                try {
                    const result = find();
                    if (result !== undefined) resolve(result);
                } catch (error) {
                    reject(error);
                }
            };
        });
        this.#waiting.add(wake);
        wake();
        return within(found, what, deadlineMs).finally(() => this.#waiting.delete(wake));
    }
}
