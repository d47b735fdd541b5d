/* A hub with durable channels: the log that a gateway reads stands in an array here. Upper-case letters are not used:
 * channels a to d are durable, the others live. */
#pragma once

#include "hub_fixture.h"
#include "stream/durable.h"

enum { LOG_MAX = 20000, REQUESTS_MAX = 64, SELDOM = 50 };

static struct {
    struct {
        unsigned serial;
        char channel;
        char nonce[8];
    } log[LOG_MAX + 1];   /* by number, from 1 on */
    uint64_t end, oldest; /* newest number; nothing up to `oldest` is kept */
    char nonce[8];        /* of the newest tick */
    struct {
        struct history_page *page;
        struct durable_position from;
        uint64_t count;
        char channels[8];
    } requests[REQUESTS_MAX];
    int request_count, requests_ever, requests_most;
    struct history_places *places; /* that are to be judged */
    int places_ever;
    uint64_t page_events;
    bool seldom; /* one row of SELDOM is of the table t, and the others are of z */
    uint64_t dice;
} d;

static inline void on_history_wanted(void *context, struct history_page *page, const struct history_request *request)
{
    (void)context;
    assert_true(d.request_count < REQUESTS_MAX);
    d.requests[d.request_count].page = page;
    d.requests[d.request_count].from = request->from;
    d.requests[d.request_count].count = request->count;
    d.requests[d.request_count].channels[0] = '\0';
    for (size_t i = 0; i < request->channels->count; i++)
        strcat(d.requests[d.request_count].channels, request->channels->items[i]);
    d.request_count++;
    d.requests_ever++;
    d.requests_most = d.request_count > d.requests_most ? d.request_count : d.requests_most;
    f.progress++;
}

static inline void on_places_wanted(void *context, struct history_places *places)
{
    (void)context;
    assert_null(d.places);
    d.places = places;
    d.places_ever++;
    f.progress++;
}

static inline struct durable_position position_at(uint64_t number)
{
    struct durable_position position = {.number = number};

    strcpy(position.nonce, number > 0 ? d.log[number].nonce : "nonce0");
    return position;
}

static inline struct json_slice slice_of(const char *text)
{
    return (struct json_slice){text, strlen(text)};
}

static inline struct log_change change_of(const char *channel, unsigned serial)
{
    static char id[20], data[20 + PAD_BYTES];

    snprintf(id, sizeof(id), "%u", serial);
    snprintf(data, sizeof(data), "\"%*s\"", PAD_BYTES, "");
    return (struct log_change){
        .channel = channel,
        .head = slice_of(d.seldom && serial % SELDOM ? "\"schema\":\"s\",\"table\":\"z\",\"type\":\"INSERT\",\"id\":"
                                                     : "\"schema\":\"s\",\"table\":\"t\",\"type\":\"INSERT\",\"id\":"),
        .id = slice_of(id),
        .data = slice_of(data),
    };
}

static inline enum history_verdict judge(const struct durable_position *from, struct durable_position *ret_start)
{
    *ret_start = *from;
    if (from->number < d.oldest) {
        *ret_start = position_at(d.oldest);
        return from->nonce[0] ? HISTORY_EXPIRED : HISTORY_OK;
    }
    if (from->nonce[0] && (from->number > d.end || strcmp(position_at(from->number).nonce, from->nonce) != 0)) {
        *ret_start = position_at(d.end);
        return HISTORY_REWOUND;
    }
    if (!from->nonce[0])
        *ret_start = position_at(from->number);
    return HISTORY_OK;
}

static inline void answer_places(void)
{
    struct history_places *places = d.places;
    struct durable_position resumed;

    if (!places)
        return;
    d.places = NULL;
    for (size_t i = 0; i < hub_places_count(places); i++) {
        enum history_verdict verdict = judge(hub_places_at(places, i), &resumed);
        hub_places_verdict(places, i, verdict, &resumed);
    }
    hub_places_end(places);
}

/* As the database does it: all requests, each with a page of page_events looked at, or as many as were asked for. */
static inline void answer_requests(void)
{
    int count = d.request_count;

    answer_places();
    d.request_count = 0;
    for (int i = 0; i < count; i++) {
        struct history_page *page = d.requests[i].page;
        struct durable_position start, at;
        hub_history_verdict(page, judge(&d.requests[i].from, &start), &start);
        uint64_t wanted = d.requests[i].count < d.page_events ? d.requests[i].count : d.page_events;
        uint64_t last = start.number + wanted < d.end ? start.number + wanted : d.end;
        for (uint64_t number = start.number + 1; number <= last; number++) {
            at = position_at(number);
            if (strchr(d.requests[i].channels, d.log[number].channel)) {
                const struct log_change change = change_of((char[]){d.log[number].channel, '\0'}, d.log[number].serial);
                hub_history_event(page, &at, &change);
            }
        }
        at = last > start.number ? position_at(last) : start;
        hub_history_end(page, &at);
    }
}

static inline void settle_with_history(void)
{
    settle();
    while (d.request_count > 0 || d.places) {
        answer_requests();
        settle();
    }
}

static inline void write_log(const char *channels)
{
    assert_true(d.end + strlen(channels) <= LOG_MAX);
    for (const char *channel = channels; *channel; channel++) {
        d.end++;
        d.log[d.end].channel = *channel;
        d.log[d.end].serial = ++f.published;
        f.channels[f.published] = *channel;
        strcpy(d.log[d.end].nonce, d.nonce);
    }
}

/* The gateway reads a tick whose events are those behind `from`. */
static inline void read_tick(uint64_t from)
{
    const struct text_list *wanted;

    assert_int_equal(hub_durable_begin(f.hub, from, d.end - from, d.nonce, NULL, &wanted), 0);
    for (uint64_t number = from + 1; number <= d.end; number++)
        if (text_list_has(wanted, (char[]){d.log[number].channel, '\0'})) {
            const struct log_change change = change_of((char[]){d.log[number].channel, '\0'}, d.log[number].serial);
            hub_durable_event(f.hub, number, &change);
        }
    hub_durable_end(f.hub);
}

/* A tick with an event on each of the channels, which are letters. */
static inline void tick(const char *channels)
{
    uint64_t from = d.end;

    snprintf(d.nonce, sizeof(d.nonce), "%06u", (unsigned)roll(&d.dice, 1000000));
    write_log(channels);
    read_tick(from);
}

static inline void begin(void)
{
    char a[] = "a", b[] = "b", c[] = "c", e[] = "d", *names[] = {a, b, c, e};

    hub_durable_channels(f.hub, names, 4);
    struct durable_position end = position_at(d.end);
    hub_durable_up(f.hub, &end);
}

/* No hub has read any of the log yet. */
static inline int set_up_log(void **state)
{
    memset(&d, 0, sizeof(d));
    d.page_events = 100;
    d.dice = 7;
    strcpy(d.nonce, "nonce0");
    history_hook = on_history_wanted;
    places_hook = on_places_wanted;
    return fixture_begin(state);
}

static inline int set_up(void **state)
{
    set_up_log(state);
    begin();
    return 0;
}

static inline struct client *come(const char *channels, const char *last_id)
{
    struct client *client = subscribe((struct request){.channels = channels, .last_id = last_id});

    settle_with_history();
    return client;
}
