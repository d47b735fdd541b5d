#include "postgres/listen_set.h"

#include "base/limits.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void listen_set_init(struct listen_set *set)
{
    *set = (struct listen_set){0};
    TAILQ_INIT(&set->channels);
}

static void forget(struct listen_set *set, struct listened *channel)
{
    text_tree_remove(&set->by_name, channel);
    TAILQ_REMOVE(&set->channels, channel, link);
    free(channel->name);
    free(channel);
}

void listen_set_done(struct listen_set *set)
{
    while (!TAILQ_EMPTY(&set->channels))
        forget(set, TAILQ_FIRST(&set->channels));
}

static struct listened *add(struct listen_set *set, const char *name)
{
    struct listened *channel = calloc(1, sizeof(*channel));

    if (channel)
        channel->name = strdup(name);
    if (!channel || !channel->name || !text_tree_add(&set->by_name, channel)) {
        if (channel)
            free(channel->name);
        free(channel);
        return NULL;
    }
    TAILQ_INSERT_TAIL(&set->channels, channel, link);
    return channel;
}

int listen_set_want(struct listen_set *set, const char *name, bool wanted)
{
    struct listened *channel = text_tree_find(&set->by_name, name);

    if (!channel && wanted && !(channel = add(set, name)))
        return -ENOMEM;
    if (channel && channel->wanted != wanted) {
        channel->wanted = wanted;
        channel->announced = false;
    }
    return 0;
}

int listen_set_append_command(PGconn *pq, struct buffer *sql, const char *verb, const char *name)
{
    char *quoted = PQescapeIdentifier(pq, name, strlen(name));

    if (!quoted)
        return -ENOMEM;
    buffer_printf(sql, "%s %s;", verb, quoted);
    PQfreemem(quoted);
    return 0;
}

int listen_set_append_commands(struct listen_set *set, PGconn *pq, struct transcoder *transcoder, struct buffer *sql,
                               const char **ret_refused)
{
    struct listened *channel;
    int error = 0, count = 0, count_max = set->one_by_one ? 1 : LISTEN_COMMANDS_PER_BATCH;
    char room_bytes[4 * CHANNEL_NAME_BYTES_MAX];

    TAILQ_FOREACH (channel, &set->channels, link) {
        struct buffer room = buffer_in(room_bytes, sizeof(room_bytes));
        const char *name;
        if (error < 0 || count == count_max)
            break;
        if (channel->wanted == channel->on_server || channel->refused)
            continue;
        error = transcode_out(transcoder, channel->name, NULL, &room, &name);
        if (error == -EILSEQ) {
            channel->refused = true;
            *ret_refused = channel->name;
        }
        if (error < 0)
            return error;
        channel->in_flight = true;
        count++;
        error = listen_set_append_command(pq, sql, channel->wanted ? "LISTEN" : "UNLISTEN", name);
    }
    if (count == 0)
        set->one_by_one = false;
    return error;
}

void listen_set_confirm(struct listen_set *set)
{
    struct listened *channel;

    TAILQ_FOREACH (channel, &set->channels, link) {
        if (!channel->in_flight)
            continue;
        channel->in_flight = false;
        channel->on_server = !channel->on_server;
        if (channel->on_server)
            set->on_server_count++;
        else
            set->on_server_count--;
    }
}

bool listen_set_is_about_a_name(const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    return sqlstate && strncmp(sqlstate, "22", 2) == 0;
}

const char *listen_set_fail(struct listen_set *set)
{
    struct listened *channel, *last = NULL;
    int count = 0;

    TAILQ_FOREACH (channel, &set->channels, link) {
        if (!channel->in_flight)
            continue;
        channel->in_flight = false;
        last = channel;
        count++;
    }
    set->one_by_one = true;
    if (count != 1)
        return NULL;
    last->refused = true;
    return last->name;
}

void listen_set_lose(struct listen_set *set)
{
    struct listened *channel;

    TAILQ_FOREACH (channel, &set->channels, link)
        channel->on_server = channel->in_flight = channel->refused = false;
    set->on_server_count = 0;
}

void listen_set_announce(struct listen_set *set, void (*on_listening)(void *context, const char *name), void *context)
{
    struct listened *next;

    for (struct listened *channel = TAILQ_FIRST(&set->channels); channel; channel = next) {
        next = TAILQ_NEXT(channel, link);
        if (channel->wanted && channel->on_server && !channel->announced) {
            channel->announced = true;
            on_listening(context, channel->name);
        } else if (!channel->wanted && !channel->on_server && !channel->in_flight) {
            forget(set, channel);
        }
    }
}
