#include "postgres/listen_set.h"

#include "base/limits.h"

#include <errno.h>
#include <search.h>
#include <stdlib.h>
#include <string.h>

static int compare_first_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void listen_set_init(struct listen_set *set)
{
    *set = (struct listen_set){0};
    TAILQ_INIT(&set->channels);
}

static void forget(struct listen_set *set, struct listened *channel)
{
    tdelete(channel, &set->by_name, compare_first_text);
    TAILQ_REMOVE(&set->channels, channel, link);
    free(channel->name);
    free(channel);
}

void listen_set_done(struct listen_set *set)
{
    while (!TAILQ_EMPTY(&set->channels))
        forget(set, TAILQ_FIRST(&set->channels));
}

static struct listened *find(const struct listen_set *set, const char *name)
{
    void *node = tfind(&name, &set->by_name, compare_first_text);

    return node ? *(struct listened **)node : NULL;
}

static struct listened *add(struct listen_set *set, const char *name)
{
    struct listened *channel = calloc(1, sizeof(*channel));

    if (channel)
        channel->name = strdup(name);
    if (!channel || !channel->name || !tsearch(channel, &set->by_name, compare_first_text)) {
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
    struct listened *channel = find(set, name);

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

int listen_set_append_commands(struct listen_set *set, PGconn *pq, struct buffer *sql)
{
    struct listened *channel;
    int error = 0, count = 0;

    TAILQ_FOREACH(channel, &set->channels, link)
    {
        if (error < 0 || count == LISTEN_COMMANDS_PER_BATCH)
            break;
        if (channel->wanted == channel->on_server)
            continue;
        channel->in_flight = true;
        count++;
        error = listen_set_append_command(pq, sql, channel->wanted ? "LISTEN" : "UNLISTEN", channel->name);
    }
    return error;
}

void listen_set_confirm(struct listen_set *set)
{
    struct listened *channel;

    TAILQ_FOREACH(channel, &set->channels, link)
    {
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

void listen_set_lose(struct listen_set *set)
{
    struct listened *channel;

    TAILQ_FOREACH(channel, &set->channels, link)
    channel->on_server = channel->in_flight = false;
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
