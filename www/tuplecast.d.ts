/** What connect() takes. */
export interface Options {
    /**
     * Gives a single-use ticket, asked for anew before each connection; null for a connection without one. When it throws,
     * that is an attempt that failed.
     */
    ticket?: () => string | null | Promise<string | null>;
    /** A bearer token, or what gives one: `POST /tickets` beside the stream's address turns it into a ticket for each connection. */
    token?: string | (() => string | Promise<string>);
    /** As in fetch(): "include" sends cookies to another origin. Default: "same-origin". */
    credentials?: RequestCredentials;
    /** Keeps the place in sessionStorage under this key, and goes on from there after a reload of the page. Default: not kept. */
    resume?: string;
    /** Where to start: the id of the last event known. Wins over what `resume` has kept. */
    lastEventId?: string;
    /**
     * Whether the tabs of this browser that want the same address read it over one connection. A text separates those that
     * must not share, such as users who log in one after the other. Default: true without `ticket` and `token`, else false.
     * Needs a secure context (https, or localhost); elsewhere each tab has a connection of its own.
     */
    share?: boolean | string;
    /**
     * A connection on which nothing has come for so long is given up. More than the gateway's streams.heartbeat_ms; Infinity
     * for never. At least 1000. Default: 45000.
     */
    silenceMs?: number;
}

/** A key as PostgreSQL has it: a scalar, an object for a composite key, or null without one. */
export type Key = string | number | boolean | null | { [column: string]: unknown };

/** A row changed. Numbers are what JSON.parse() makes of them; `text` has them as PostgreSQL wrote them. */
export interface Change<Row = Record<string, unknown>> {
    eventId: string;
    channel: string;
    schema?: string;
    /** null where the notification is not a row's. */
    table: string | null;
    type: "INSERT" | "UPDATE" | "DELETE" | "TRUNCATE" | (string & {}) | null;
    /**
     * The statement, where it was another one than `type` says. A row whose key an UPDATE changes is told as a DELETE of the
     * old key and then an UPDATE; one that leaves what the trigger's `where` lets through as a DELETE, and one that enters
     * it as an INSERT. `data` is null in such a DELETE.
     */
    op?: "INSERT" | "UPDATE" | "DELETE" | "TRUNCATE" | (string & {});
    /** The row's `id`: its primary key. */
    key: Key;
    data: Row;
    old?: Partial<Row>;
    changed?: string[];
    at?: string;
    /** What was left out: members that were too long, such as "data"; columns that cannot be had as JSON, such as "data.shape". */
    cut?: string[];
    /** The JSON of the change, as it came. */
    text: string;
}

export interface Ready {
    channels: string[];
    database: "up" | "down";
}

/** Between these two ids events may be missing. */
export interface Gap {
    reason: "restart" | "outage" | "expired" | "rewound" | "lagged" | "unknown-id" | (string & {});
    requested: string | null;
    resumed: string;
}

export type State =
    /** A connection is being made. */
    | "connecting"
    /** The gateway has answered. That nothing is missed from now on, `ready` says. */
    | "open"
    /** The connection is gone; the next attempt is made at `retryAt`. */
    | "waiting"
    /** For good: by close(), or because the gateway has refused. reconnect() tries again. */
    | "closed";

/**
 * Why it is waiting or closed: the gateway has said `bye` or `busy`; the stream `ended`, or was `lost`; nobody could be
 * reached (`unreachable`); nothing came for too long (`silent`); the network is another one (`online`); the answer was no
 * stream (`refused`, see status and message); no ticket could be had (`ticket`); the page was put aside (`suspended`);
 * close() was called (`closed`).
 */
export type Reason =
    | "" | "bye" | "busy" | "ended" | "lost" | "unreachable" | "silent" | "online" | "refused" | "ticket" | "suspended" | "closed";

/** Whether this tab reads for others, has it from another, or shares with nobody. */
export type Role = "leader" | "follower" | "alone";

export interface StateDetail {
    state: State;
    reason: Reason;
    /** The HTTP status of an answer that was no stream, or 0. */
    status: number;
    /** A sentence about the reason, or "". */
    message: string;
    /** When the next attempt is made, as Date.now() counts, or null. */
    retryAt: number | null;
    role: Role;
}

export interface StreamEventMap<Row = Record<string, unknown>> {
    change: CustomEvent<Change<Row>>;
    /** Nothing committed from now on is missed. */
    ready: CustomEvent<Ready>;
    gap: CustomEvent<Gap>;
    status: CustomEvent<{ database: "up" | "down"; durable?: "up" | "down" }>;
    state: CustomEvent<StateDetail>;
    bye: CustomEvent<{ reason: string }>;
    busy: CustomEvent<{ reason: string }>;
}

/** An EventTarget, with the events above and no others. */
export interface Stream<Row = Record<string, unknown>> extends Omit<EventTarget, "addEventListener" | "removeEventListener"> {
    readonly state: State;
    readonly reason: Reason;
    readonly status: number;
    readonly message: string;
    readonly retryAt: number | null;
    readonly role: Role;
    /** Everything up to here has been dispatched; "" before the first event. */
    readonly lastEventId: string;
    readonly database: "up" | "down" | "unknown";
    /** Ends it for good. No event follows but `state`. */
    close(): void;
    /** Tries now, from where it was: after a refusal, or instead of waiting. */
    reconnect(): void;

    addEventListener<Name extends keyof StreamEventMap<Row>>(
        name: Name,
        listener: ((event: StreamEventMap<Row>[Name]) => unknown) | null,
        options?: boolean | AddEventListenerOptions,
    ): void;
    removeEventListener<Name extends keyof StreamEventMap<Row>>(
        name: Name,
        listener: ((event: StreamEventMap<Row>[Name]) => unknown) | null,
        options?: boolean | EventListenerOptions,
    ): void;
}

/** Opens the stream at an address such as "/streams/posts_changes". Throws a TypeError for one that makes no sense. */
export function connect<Row = Record<string, unknown>>(url: string | URL, options?: Options): Stream<Row>;

/** The wait before the next attempt in milliseconds, after so many that failed. random is from 0 to 1. */
export function backoffMs(failures: number, retryMs: number, random?: number): number;
