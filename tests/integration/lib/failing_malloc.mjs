// Lets one allocation of the program or of its libraries fail (tests/torture/failing_malloc.c).

import { closeSync, existsSync, openSync, readSync, writeSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

const LIBRARY = path.join(path.dirname(process.env.TUPLECAST_BIN), "tests", "libfailing_malloc.so");
export const skip = !existsSync(LIBRARY) && "the sanitizers' build has its own malloc";

/** The file through which failing_malloc.c is told which allocation fails. */
class Control {
    #fd;

    constructor(file) {
        this.#fd = openSync(file, "w+");
        writeSync(this.#fd, Buffer.alloc(16));
    }

    #read(at) {
        const number = Buffer.alloc(8);
        readSync(this.#fd, number, 0, 8, at);
        return Number(number.readBigInt64LE());
    }

    fail(n) {
        const number = Buffer.alloc(8);
        number.writeBigInt64LE(BigInt(n));
        writeSync(this.#fd, number, 0, 8, 0);
    }

    get failed() {
        return this.#read(8);
    }

    close() {
        closeSync(this.#fd);
    }
}

/** {control, env}: with `env` the program asks the control which allocation fails. */
export async function failingMalloc(t) {
    const dir = await mkdtemp(path.join(tmpdir(), "tuplecast-torture-"));
    const file = path.join(dir, "control");
    const control = new Control(file);
    t.after(() => {
        control.close();
        return rm(dir, { recursive: true });
    });
    return { control, env: { LD_PRELOAD: LIBRARY, FAILING_MALLOC_CONTROL: file } };
}
