/* What the program counts while it runs, for /metrics. Plain numbers; whoever owns a struct is the only one
 * to write it. */
#pragma once

#include "base/latency_histogram.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct stream_stats {
    uint64_t streams;               /* open now */
    uint64_t streams_max;           /* that may be open at once */
    uint64_t streams_opened;        /* ever */
    uint64_t streams_stalled;       /* closed because they took nothing for too long */
    uint64_t channels;              /* known now */
    uint64_t feeds;                 /* now */
    uint64_t memory_bytes;          /* of remembered events, now */
    uint64_t feed_bytes;            /* of encoded frames that wait to be sent, now */
    uint64_t history_bytes;         /* of pages of history, now */
    uint64_t events_published;      /* taken in */
    uint64_t events_rejected;       /* larger than PAYLOAD_BYTES_MAX, or no memory */
    uint64_t notifications_ignored; /* on the names of durable channels, whoever sent them */
    uint64_t events_sent;           /* frames handed to the kernel, times subscribers */
    uint64_t bytes_sent;
    uint64_t sends; /* calls of send */
    uint64_t gaps_restart, gaps_rewound, gaps_outage, gaps_lagged, gaps_expired, gaps_unknown_id;
    struct latency_histogram latency; /* read from the database -> handed to the kernel; the oldest event of
                                         each send stands for all */
};

struct database_stats {
    bool up;
    uint64_t connects; /* successful ones */
    uint64_t losses;
    uint64_t notifications;
    uint64_t channels_listening;
    int64_t round_trip_us; /* of the last notification to ourselves; -1 before the first */
    double queue_usage;    /* pg_notification_queue_usage(), 0 to 1; -1 when unknown */
};

/* Why durable channels are not read, or what of their upkeep fails. The names are labels in /metrics, and begin what
 * tuplecast.check_durable() says. */
enum durable_fault {
    DURABLE_FAULT_NONE,
    DURABLE_FAULT_CONNECTION, /* none can be made, or none holds */
    DURABLE_FAULT_POOLER,     /* in front of the server */
    DURABLE_FAULT_ABSENT,     /* nothing is installed: there are no durable channels, and nobody need mind */
    DURABLE_FAULT_SCHEMA,     /* too old, or somebody else's */
    DURABLE_FAULT_RIGHTS,     /* of the gateway's role are missing */
    DURABLE_FAULT_STANDBY,
    DURABLE_FAULT_ORDER,     /* the one that is configured cannot be had */
    DURABLE_FAULT_TICKS,     /* they cannot be made or found */
    DURABLE_FAULT_READING,   /* of the log */
    DURABLE_FAULT_HISTORY,   /* pages of it: who comes back waits; the others are served */
    DURABLE_FAULT_RETENTION, /* the log is not shortened; all streams are served */
    DURABLE_FAULTS
};

const char *durable_fault_name(enum durable_fault fault);
enum durable_fault durable_fault_of(const char *name, size_t bytes); /* DURABLE_FAULT_READING for what is none */
/* What everybody may be told: no name of a role, host or file is in it. */
const char *durable_fault_sentence(enum durable_fault fault);

struct durable_stats {
    bool lead, asleep;
    bool up;                              /* the log was looked at with success, and no failure has lasted since */
    bool faults[DURABLE_FAULTS];          /* those that last */
    char problem[256];                    /* why there are no durable channels; "" when there are */
    int64_t lag_ms;                       /* since the log was last looked at with success */
    uint64_t ticks;                       /* read */
    uint64_t history_pages;               /* asked for */
    uint64_t unreadable;                  /* events that were passed over */
    int64_t log_bytes, oldest_age_s;      /* as of the last upkeep, which the lead does */
    int64_t retention_bytes, retention_s; /* what they should be at most */
};

/* Why a stream was refused. */
enum busy_reason { BUSY_CLOSING, BUSY_STREAMS, BUSY_DESCRIPTORS, BUSY_ADDRESS, BUSY_CHANNELS, BUSY_REASONS };

/* Times are in milliseconds since 1970. */
struct program_stats {
    int64_t started_ms;
    int64_t loaded_ms;  /* when the configuration in force was read */
    bool reload_failed; /* the last one: the configuration before it is in force */
    const struct loop_stats *loop;
};

struct http_stats {
    uint64_t connections; /* open now and not handed over */
    uint64_t connections_opened;
    uint64_t accept_failures;
    uint64_t connections_refused; /* because of their address's limits */
    uint64_t responses[6];        /* by the status's first digit */
    uint64_t busy[BUSY_REASONS];
};
