/* What must be true of every stream, whatever happened: each event that it asked for and that came after its start is
 * in it, once and in order, or a gap stands where it is missing. Keeps a list of all that happened, and compares. */
#pragma once

#include "hub_fixture.h"
#include "stream/hub_state.h"

enum { HAPPENED_MAX = PUBLISHED_MAX };

struct happened {
    uint64_t number;
    enum { HAPPENED_EVENT, HAPPENED_LOSS, HAPPENED_OUTAGE } what;
    char channel, table;
    enum event_type type;
};

/* How a client began. */
struct beginning {
    struct request request;
    char last_id[ID_BYTES_MAX + 1];
    uint64_t last_number; /* NO_NUMBER: it had no id, or none that means something */
    uint64_t floor;       /* the newest number when it came */
    int error;
};

static struct hub_model {
    struct happened happened[HAPPENED_MAX];
    size_t count;
    struct beginning beginnings[CLIENTS_MAX]; /* of f.clients */
    const char *where;                        /* for messages: which seed, which allocation */
    uint64_t which;
} model;

/* The newest number that the hub has given; its state is the first thing in it. */
static inline uint64_t newest_number(void)
{
    return ((const struct hub_state *)(const void *)f.hub)->now.number;
}

static inline void model_add(uint64_t before, struct happened what)
{
    if (newest_number() == before)
        return;
    assert_true(model.count < HAPPENED_MAX);
    what.number = newest_number();
    assert_int_equal(what.number, before + 1);
    model.happened[model.count++] = what;
}

static inline void model_publish(char channel, char table, enum event_type type)
{
    uint64_t before = newest_number(), rejected = hub_stats(f.hub)->events_rejected;

    publish_row(channel, table, event_type_name(type));
    bool lost = hub_stats(f.hub)->events_rejected > rejected;
    model_add(before,
              (struct happened){
                  .what = lost ? HAPPENED_LOSS : HAPPENED_EVENT, .channel = channel, .table = table, .type = type});
}

/* A statement and its rows, one event each. */
static inline void model_publish_statement(char channel, char table, enum event_type type, unsigned rows)
{
    char payload[200];
    unsigned number = f.published + 1;

    snprintf(payload, sizeof(payload),
             "{\"_\":%u,\"schema\":\"s\",\"table\":\"%c\",\"type\":\"%s\",\"key\":[\"id\"],\"columns\":[\"id\"]}",
             number, table, event_type_name(type));
    notify(channel, payload);
    for (unsigned i = 0; i < rows; i++) {
        uint64_t before = newest_number(), rejected = hub_stats(f.hub)->events_rejected;
        assert_true(f.published + 1 < PUBLISHED_MAX);
        f.channels[++f.published] = channel;
        snprintf(payload, sizeof(payload), "{\"_\":%u,\"row\":[%u]}", number, f.published);
        notify(channel, payload);
        bool lost = hub_stats(f.hub)->events_rejected > rejected;
        model_add(before,
                  (struct happened){
                      .what = lost ? HAPPENED_LOSS : HAPPENED_EVENT, .channel = channel, .table = table, .type = type});
    }
}

static inline void model_outage(void)
{
    database_down();
    uint64_t before = newest_number();
    hub_database_up(f.hub);
    model_add(before, (struct happened){.what = HAPPENED_OUTAGE});
    f.database_is_up = true;
    listen_to_wanted();
}

static inline struct client *model_subscribe(const struct request *request)
{
    struct beginning *beginning = &model.beginnings[f.client_count];
    char run[32];

    *beginning = (struct beginning){.request = *request, .last_number = NO_NUMBER, .floor = newest_number()};
    if (request->last_id) {
        snprintf(beginning->last_id, sizeof(beginning->last_id), "%s", request->last_id);
        beginning->request.last_id = beginning->last_id;
        if (sscanf(request->last_id, "%" SCNu64 "-%31s", &beginning->last_number, run) != 2 ||
            strcmp(run, f.run) != 0 || beginning->last_number > newest_number())
            beginning->last_number = NO_NUMBER;
    }
    return subscribe_with(&beginning->request, &beginning->error);
}

static inline bool is_relevant(const struct happened *happened, const struct request *request)
{
    if (happened->what == HAPPENED_OUTAGE)
        return true;
    if (!strchr(request->channels, happened->channel))
        return false;
    return happened->what == HAPPENED_LOSS || ((!request->tables || strchr(request->tables, happened->table)) &&
                                               (!request->types || (request->types & happened->type)));
}

/* Shows what the client read around that number: "a7#249" is the seventh event, numbered 249. */
static inline void fail_stream(size_t index, const char *what, uint64_t number)
{
    const struct request *request = &model.beginnings[index].request;
    const struct client *client = f.clients[index];
    char around[2000] = "", *at = around;
    size_t near = 0;

    while (near < client->seen_count && (client->seen[near].number == NO_NUMBER || client->seen[near].number < number))
        near++;
    for (size_t i = near > 12 ? near - 12 : 0; i < client->seen_count && i < near + 12; i++) {
        const struct seen *seen = &client->seen[i];
        at += seen->serial ? sprintf(at, " %c%u", seen->channel, seen->serial) : sprintf(at, " %s", seen->what);
        if (seen->number != NO_NUMBER)
            at += sprintf(at, "#%" PRIu64, seen->number);
    }
    fail_msg("%s %" PRIu64 ": client %zu (channels %s, id %s%s): %s %" PRIu64 " in ...%s", model.where, model.which,
             index, request->channels, request->last_id ? request->last_id : "none",
             request->earliest ? ", from the earliest" : "", what, number, around);
}

static inline const struct happened *happened_at(uint64_t number)
{
    for (size_t low = 0, high = model.count; low < high;) {
        size_t middle = low + (high - low) / 2;
        if (model.happened[middle].number == number)
            return &model.happened[middle];
        if (model.happened[middle].number > number)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}

static inline bool is_gap(const struct seen *seen)
{
    return strncmp(seen->what, "gap:", 4) == 0;
}

/* Numbers only rise, and every event is one that happened and was asked for. Returns the number of `ready`. */
static inline uint64_t check_order(size_t index)
{
    const struct beginning *beginning = &model.beginnings[index];
    uint64_t position = beginning->last_number, ready = NO_NUMBER;

    for (size_t i = 0; i < f.clients[index]->seen_count; i++) {
        const struct seen *seen = &f.clients[index]->seen[i];
        if (seen->number == NO_NUMBER)
            continue;
        if (strcmp(seen->what, "ready") == 0) {
            ready = seen->number;
            /* From the earliest on, it may be where the last of the channels begins. */
            bool may_skip = beginning->request.earliest && beginning->last_number == NO_NUMBER && position < ready;
            if (position != NO_NUMBER && position != ready && !may_skip)
                fail_stream(index, "ready is not where the stream was, but at", ready);
        } else if (is_gap(seen)) {
            if (position != NO_NUMBER && seen->number < position)
                fail_stream(index, "a gap leads back to", seen->number);
        } else {
            const struct happened *happened = happened_at(seen->number);
            if (position == NO_NUMBER || seen->number <= position)
                fail_stream(index, "out of order or doubled: number", seen->number);
            if (!happened || happened->what != HAPPENED_EVENT || happened->channel != seen->channel)
                fail_stream(index, "there never was an event numbered", seen->number);
            if (!is_relevant(happened, &beginning->request))
                fail_stream(index, "nobody asked for number", seen->number);
        }
        position = seen->number;
    }
    return ready;
}

/* What a client need not be told, though it stands nowhere in its stream. */
static inline bool is_before_its_start(const struct happened *happened, const struct beginning *beginning,
                                       uint64_t ready, bool begun)
{
    if (beginning->last_number != NO_NUMBER)
        return happened->number <= beginning->last_number;
    /* From the earliest on, what was forgotten before the client came is just not there: of a channel, its beginning.
     */
    if (happened->number <= beginning->floor)
        return !beginning->request.earliest || !begun;
    return happened->what == HAPPENED_OUTAGE && ready != NO_NUMBER && happened->number <= ready;
}

/* The client was told before that this number may be missing. */
static inline bool is_covered(const struct client *client, uint64_t number)
{
    for (size_t i = 0; i < client->seen_count; i++) {
        const struct seen *seen = &client->seen[i];
        if (is_gap(seen) && seen->requested != NO_NUMBER && seen->requested < number && number <= seen->resumed)
            return true;
    }
    return false;
}

/* Of one channel: each event is in the stream, or a gap covers it or is between its neighbours of that channel. For
 * outages (channel is NUL) the neighbours are of any channel, and a gap is all that there can be. */
static inline void check_channel(size_t index, char channel, uint64_t ready, bool complete)
{
    const struct client *client = f.clients[index];
    const struct beginning *beginning = &model.beginnings[index];
    bool begun = false, gap = false;
    size_t at = 0;

    for (size_t i = 0; i < model.count; i++) {
        const struct happened *happened = &model.happened[i];
        if (happened->channel != channel || !is_relevant(happened, &beginning->request))
            continue;
        /* On to the first neighbour that is not before it. */
        for (; at < client->seen_count; at++) {
            const struct seen *seen = &client->seen[at];
            if (is_gap(seen))
                gap = true;
            if (seen->serial == 0 || (channel && seen->channel != channel))
                continue;
            if (seen->number >= happened->number)
                break;
            begun = true;
            gap = false;
        }
        bool is_there = at < client->seen_count && client->seen[at].number == happened->number;
        bool may_come = at == client->seen_count && !complete;
        if (!is_there && !gap && !is_covered(client, happened->number) && !may_come &&
            !is_before_its_start(happened, beginning, ready, begun))
            fail_stream(index, "nothing is said about number", happened->number);
    }
}

/* complete: everything has been sent to the client, and it has read it. */
static inline void check_stream(size_t index, bool complete)
{
    uint64_t ready = check_order(index);

    if (complete && ready == NO_NUMBER)
        fail_stream(index, "the stream never began; it came at", model.beginnings[index].floor);
    for (const char *channel = model.beginnings[index].request.channels; *channel; channel++)
        check_channel(index, *channel, ready, complete);
    check_channel(index, '\0', ready, complete);
}
