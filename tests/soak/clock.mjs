// A clock that can be put while the program runs, by libfaketime; CLOCK_REALTIME alone, which is what an operator can put.

import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import path from "node:path";

const LIBRARY = `/usr/lib/${{ x64: "x86_64", arm64: "aarch64" }[process.arch]}-linux-gnu/faketime/libfaketime.so.1`;

/** {env, put(seconds)}: with `env` a program's clock is wrong by so many seconds from then on. Nothing where the library is not there. */
export async function fakeClock(dir) {
    // A sanitizer wants to be the first library.
    if (!existsSync(LIBRARY) || /asan/.test(process.env.TUPLECAST_BIN)) return undefined;
    const file = path.join(dir, "clock");
    const put = (seconds) => writeFile(file, `${seconds < 0 ? "" : "+"}${seconds}s\n`);
    await put(0);
    return {
        put,
        env: { LD_PRELOAD: LIBRARY, FAKETIME_TIMESTAMP_FILE: file, FAKETIME_DONT_FAKE_MONOTONIC: "1", FAKETIME_CACHE_DURATION: "1" },
    };
}
