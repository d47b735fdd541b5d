/* Every fixed bound of the program in one place; what an operator may change is in the configuration instead.
 */
#pragma once

enum {
    /* PostgreSQL */
    CHANNEL_NAME_BYTES_MAX = 63,           /* NAMEDATALEN - 1; LISTEN cuts longer names without an error */
    KEY_COLUMNS_MAX = 32,                  /* PostgreSQL's INDEX_MAX_KEYS; statements of longer keys are not taken */
    PAYLOAD_BYTES_MAX = (32 << 20) + 4096, /* the largest durable.event_bytes_max, with room */
    JSON_DEPTH_MAX = 4096, /* of what is checked: as deep as the 8,000 bytes of a notification can nest anything */
    NOTIFICATIONS_PER_TURN = 256, /* read from libpq before the loop looks elsewhere */
    LISTEN_COMMANDS_PER_BATCH = 256,
    TRIGGER_CALLS_QUEUED_MAX = 64,

    TRIGGER_COLUMNS_MAX = 1600, /* PostgreSQL's own bound of a table */
    TRIGGER_CONDITIONS_MAX = 32,
    TRIGGER_VALUES_MAX = 256, /* of one `in` */
    TRIGGER_VALUE_BYTES_MAX = 1024,

    /* Streams */
    ID_BYTES_MAX = 64,                              /* of an event id; DESIGN's own bound */
    SENDS_PER_TURN = 128,                           /* so that the database is read often during a long fan-out */
    HISTORY_PAGE_EVENTS = 16384,                    /* of the log that are looked at for one page */
    FRAME_BYTES_MAX = 6 * PAYLOAD_BYTES_MAX + 4096, /* every byte escaped as \u00XX */
    FILTER_VALUES_MAX = 256,                        /* table=, type= and id= values of one request together */
    FILTER_VALUE_BYTES_MAX = 1024,

    /* HTTP */
    /* Per connection while the library has it. Its read buffer is half of that: 32 KB of headers fit, even in one line.
     */
    HTTP_POOL_BYTES = 68 * 1024,
    HTTP_LEAN_POOL_BYTES = 8 * 1024, /* where a small head is already there (http_server.c) */
    HTTP_HEAD_BYTES_MAX = 33 * 1024,
    HTTP_HEADERS_MAX = 320,
    HTTP_HEAD_ITEMS_MAX = 512, /* headers, parameters and cookies: the library lists them all in the pool */
    HTTP_URI_BYTES_MAX = 16 * 1024,
    HTTP_BODY_BYTES_MAX = 64 * 1024,
    HTTP_TIMEOUT_S = 10,        /* without a byte in either direction, while the library has a request */
    HTTP_ANSWER_MS = 60 * 1000, /* for a client to take an answer, in all */
    HTTP_LINGER_MS = 2000,      /* for a client to end when its last answer is sent (departures.h) */
    HTTP_LINGERING_MAX = 256,
    HTTP_GIVE_WAY_MS = 1000, /* a head that is late by this makes room when limits.requests is reached */
    PEER_BURST_S = 10,       /* a quiet client may make so many seconds' connections at once (peers.h) */
    PEERS_IDLE_MAX = 65536,
    ACCEPTS_PER_TURN = 64,

    LOOP_EVENTS_PER_TURN = 256,
    LOOP_TURN_MS_MAX = 50,    /* of the processor; what needs more is a fault, and logged (turn_clock.h) */
    LOOP_STALL_MS_MAX = 1000, /* of a turn during which others had the processor */
};
