// Keys, tokens that are signed with them, and the files that a gateway reads.

import { constants, createHmac, generateKeyPairSync, randomBytes, sign } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";

export const AUDIENCE = "https://streams.test";

const base64url = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

const KINDS = {
    HS256: () => ({ secret: randomBytes(32) }),
    RS256: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
    PS256: () => generateKeyPairSync("rsa", { modulusLength: 2048 }),
    ES256: () => generateKeyPairSync("ec", { namedCurve: "P-256" }),
    EdDSA: () => generateKeyPairSync("ed25519"),
};

/** A key of an algorithm: signs tokens, and is written as a JWK or a PEM. */
export class Key {
    constructor(algorithm, kid) {
        this.algorithm = algorithm;
        this.kid = kid;
        Object.assign(this, KINDS[algorithm]());
    }

    get jwk() {
        const jwk = this.secret ? { kty: "oct", k: this.secret.toString("base64url") } : this.publicKey.export({ format: "jwk" });
        return { ...jwk, alg: this.algorithm, use: "sig", ...(this.kid && { kid: this.kid }) };
    }

    get pem() {
        return this.publicKey.export({ type: "spki", format: "pem" });
    }

    signature(signed) {
        if (this.secret) return createHmac("sha256", this.secret).update(signed).digest("base64url");
        const pss = this.algorithm === "PS256" && { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST };
        const key = { key: this.privateKey, dsaEncoding: "ieee-p1363", ...pss };
        return sign(this.algorithm === "EdDSA" ? null : "sha256", Buffer.from(signed), key).toString("base64url");
    }

    /** Signs a header and claims; texts are taken as they stand. */
    sign(claims, header = { alg: this.algorithm, typ: "JWT", ...(this.kid && { kid: this.kid }) }) {
        const signed = `${base64url(header)}.${base64url(claims)}`;
        return `${signed}.${this.signature(signed)}`;
    }
}

export const now = () => Math.floor(Date.now() / 1000);

/** Claims that count for a gateway of the tests. */
export const claims = (tuplecast, more = {}) => ({ aud: AUDIENCE, exp: now() + 3600, tuplecast, ...more });

/** A folder of the test's own for the files that a gateway reads. */
export async function createFolder(t) {
    const folder = await mkdtemp(path.join(tmpdir(), "tuplecast-access-"));
    t.after(() => rm(folder, { recursive: true }));
    return {
        path: (name) => path.join(folder, name),
        /** Writes it so that not everybody can read it; gives its path. */
        async write(name, contents) {
            const file = path.join(folder, name);
            await writeFile(file, typeof contents === "string" ? contents : JSON.stringify(contents), { mode: 0o640 });
            return file;
        },
    };
}

/** The settings of a gateway that takes tokens of these keys. */
export async function keySettings(folder, ...keys) {
    return {
        TUPLECAST_ACCESS_STREAMS: "token",
        TUPLECAST_ACCESS_JWT_KEYS: await folder.write("jwks.json", { keys: keys.map((key) => key.jwk) }),
        TUPLECAST_ACCESS_JWT_AUDIENCES: AUDIENCE,
    };
}

export const bearer = (token) => ({ authorization: `Bearer ${token}` });
