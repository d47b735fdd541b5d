/* A hub with a loop of its own. What a client reads is also a text, such as "ready a1 a2 gap:outage a3": a1 is the
 * first event that was published, and it was on channel a. */
#pragma once

#include "hub_client.h"

static inline void listen_to_wanted(void)
{
    char names[sizeof(f.to_listen)];

    if (!f.listen_by_itself || !f.database_is_up)
        return;
    strcpy(names, f.to_listen);
    f.to_listen[0] = '\0';
    for (const char *name = names; *name; name++)
        hub_channel_listening(f.hub, (char[]){*name, '\0'});
}

static inline void database_down(void)
{
    f.database_is_up = false;
    hub_database_down(f.hub);
}

/* As the listener does it: first the outage ends, then new channels begin. */
static inline void database_up(void)
{
    f.database_is_up = true;
    hub_database_up(f.hub);
    listen_to_wanted();
}

/* A request: one letter for each channel, and what else is not the default. */
struct request {
    const char *channels;
    const char *tables, *ids; /* letters, too */
    unsigned types;
    enum naming naming;
    bool earliest;
    const char *last_id; /* NULL: none */
    const char *address; /* NULL: not counted */
};

static inline void add_letters(struct text_list *list, const char *letters)
{
    for (; letters && *letters; letters++)
        assert_int_equal(text_list_add(list, (char[]){*letters, '\0'}), 0);
}

static inline struct selection make_selection(const struct request *request)
{
    struct selection selection = {.types = request->types, .naming = request->naming};

    add_letters(&selection.channels, request->channels);
    add_letters(&selection.tables, request->tables);
    add_letters(&selection.ids, request->ids);
    return selection;
}

/* Returns the client whatever hub_subscribe said, which is stored in ret_error unless that is NULL. */
static inline struct client *subscribe_with(const struct request *request, int *ret_error)
{
    f.own_work++;
    struct selection selection = make_selection(request);
    struct start start = {.has_id = request->last_id, .earliest = request->earliest};
    struct client *client = calloc(1, sizeof(*client));
    int fds[2];

    assert_non_null(client);
    assert_true(f.client_count < CLIENTS_MAX);
    f.clients[f.client_count++] = client;
    if (request->last_id)
        snprintf(start.id, sizeof(start.id), "%s", request->last_id);
    if (request->address)
        snprintf(start.address, sizeof(start.address), "%s", request->address);
    connect_pair(fds);
    client->io = (struct loop_io){.fd = fds[1], .on_io = on_client_io};
    client->reading = true;
    sse_reader_init(&client->reader, on_client_event, client);
    assert_int_equal(loop_io_add(f.loop, &client->io, EPOLLIN), 0);
    f.own_work--;
    int error = hub_subscribe(f.hub, &selection, &start, fds[0]);
    if (ret_error)
        *ret_error = error;
    else
        assert_int_equal(error, 0);
    listen_to_wanted();
    return client;
}

static inline struct client *subscribe(struct request request)
{
    return subscribe_with(&request, NULL);
}

static inline void settle(void);

/* The stream has been opened before anything else happens. */
static inline struct client *subscribe_and_settle(struct request request)
{
    struct client *client = subscribe_with(&request, NULL);

    settle();
    return client;
}

/* The client goes; what it has read stays until the end of the test. */
static inline void hang_up(struct client *client)
{
    if (client->io.fd < 0)
        return;
    loop_io_remove(f.loop, &client->io);
    close(client->io.fd);
    client->io.fd = -1;
    client->ended = true;
}

enum { SENDER = 4711 }; /* the session that writes */

static inline void notify(char channel, const char *payload)
{
    hub_publish(f.hub, (char[]){channel, '\0'}, payload, strlen(payload), SENDER);
}

/* Returns the event's serial. table is one letter. */
static inline unsigned publish_row(char channel, char table, const char *type)
{
    char payload[200 + PAD_BYTES];

    assert_true(f.published + 1 < PUBLISHED_MAX);
    f.channels[++f.published] = channel;
    snprintf(payload, sizeof(payload), "{\"table\":\"%c\",\"type\":\"%s\",\"id\":%u,\"data\":\"%*s\"}", table, type,
             f.published, PAD_BYTES, "");
    notify(channel, payload);
    return f.published;
}

static inline unsigned publish(char channel)
{
    return publish_row(channel, 't', "INSERT");
}

/* Running the loop. Everything that is stopped by a task, so that no readiness that was reported gets lost. */

struct pump {
    struct loop_task task;
    size_t progress_before;
    int quiet_turns;
    bool (*is_done)(const void *context);
    const void *context;
    int64_t deadline_ms;
};

static inline void on_settle(struct loop_task *task)
{
    struct pump *pump = (struct pump *)task;

    pump->quiet_turns = f.progress == pump->progress_before ? pump->quiet_turns + 1 : 0;
    pump->progress_before = f.progress;
    if (pump->quiet_turns > 40)
        loop_stop(f.loop);
    else
        loop_task_queue(f.loop, task);
}

/* Until nothing arrives any more. */
static inline void settle(void)
{
    struct pump pump = {.task.on_task = on_settle};

    loop_task_queue(f.loop, &pump.task);
    assert_int_equal(loop_run(f.loop), 0);
}

static inline void on_wait(struct loop_task *task)
{
    struct pump *pump = (struct pump *)task;

    if ((pump->is_done && pump->is_done(pump->context)) || loop_clock_ms() >= pump->deadline_ms) {
        loop_stop(f.loop);
        return;
    }
    usleep(200);
    loop_task_queue(f.loop, task);
}

/* Until is_done says so, or for timeout_ms; NULL: for the whole time. */
static inline void wait_until(bool (*is_done)(const void *context), const void *context, int64_t timeout_ms)
{
    struct pump pump = {
        .task.on_task = on_wait, .is_done = is_done, .context = context, .deadline_ms = loop_clock_ms() + timeout_ms};

    loop_task_queue(f.loop, &pump.task);
    assert_int_equal(loop_run(f.loop), 0);
}

static inline bool client_has_ended(const void *client)
{
    return ((const struct client *)client)->ended;
}

/* What the client has read, as a text. */
static inline const char *story(const struct client *client)
{
    static char text[1 << 16];
    char *at = text;

    *at = '\0';
    for (size_t i = 0; i < client->seen_count && at < text + sizeof(text) - 64; i++) {
        const struct seen *seen = &client->seen[i];
        at += sprintf(at, i > 0 ? " " : "");
        at += seen->serial ? sprintf(at, "%c%u", seen->channel, seen->serial) : sprintf(at, "%s", seen->what);
    }
    return text;
}

static inline size_t count_events(const struct client *client)
{
    size_t count = 0;

    for (size_t i = 0; i < client->seen_count; i++)
        count += client->seen[i].serial > 0;
    return count;
}

/* Of the last event that the client has read. */
static inline unsigned last_serial(const struct client *client)
{
    for (size_t i = client->seen_count; i > 0; i--)
        if (client->seen[i - 1].serial > 0)
            return client->seen[i - 1].serial;
    return 0;
}

static inline void assert_story(const struct client *client, const char *expected)
{
    assert_string_equal(story(client), expected);
}

/* The id of an event as this client read it. */
static inline const char *id_of(const struct client *client, unsigned serial)
{
    static char id[ID_BYTES_MAX + 1];

    for (size_t i = 0; i < client->seen_count; i++) {
        if (client->seen[i].serial == serial) {
            snprintf(id, sizeof(id), "%" PRIu64 "-%s", client->seen[i].number, f.run);
            return id;
        }
    }
    fail_msg("no event %u in %s", serial, story(client));
    return NULL;
}

static inline void on_fixture_channel_wanted(void *context, const char *channel, bool wanted)
{
    (void)context;
    assert_int_equal(strlen(channel), 1);
    sprintf(f.wanted + strlen(f.wanted), "%s%c%s", f.wanted[0] ? " " : "", wanted ? '+' : '-', channel);
    if (wanted)
        strcat(f.to_listen, channel);
}

static inline void on_fixture_closed(void *context)
{
    (void)context;
    f.closed_calls++;
}

static inline void close_hub(void)
{
    for (size_t i = 0; i < f.client_count; i++) {
        hang_up(f.clients[i]);
        sse_reader_done(&f.clients[i]->reader);
        free(f.clients[i]->seen);
        free(f.clients[i]);
    }
    hub_free(f.hub);
    loop_free(f.loop);
    f = (struct hub_fixture){0};
}

/* What reads history, where there are durable channels. */
static void (*history_hook)(void *context, struct history_page *page, const struct history_request *request);
static void (*places_hook)(void *context, struct history_places *places);

static inline void open_hub(void)
{
    f.loop = loop_new();
    f.options = (struct hub_options){
        .heartbeat_ms = 60000,
        .linger_ms = 60000,
        .stall_ms = 60000,
        .retry_ms = 2000,
        .streams_max = 3000,
        .channels_max = 10,
        .channel_memory_bytes = 8 << 20,
        .memory_bytes = 16 << 20,
        .feed_log_bytes = 1 << 20,
        .catch_up_bytes = 64 << 10,
        .send_buffer_bytes = 4096,
        .on_channel_wanted = on_fixture_channel_wanted,
        .on_closed = on_fixture_closed,
        .on_history_wanted = history_hook,
        .on_places_wanted = places_hook,
    };
    f.listen_by_itself = true;
    f.hub = hub_new(f.loop, &f.options);
    assert_non_null(f.hub);
}

/* A hub whose database is up. */
static inline int fixture_begin(void **state)
{
    (void)state;
    open_hub();
    database_up();
    return 0;
}

static inline int fixture_end(void **state)
{
    (void)state;
    close_hub();
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_begin, fixture_end)
