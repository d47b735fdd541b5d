#include "postgres/resolver.h"

#include <assert.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

enum { ASK_EVERY_MS = 10, ADDRESSES_PER_NAME_MAX = 8, PROBLEM_BYTES = 512 };

/* What the C library's thread works on; outlives the resolver when it cannot be cancelled. */
struct lookup {
    struct gaicb request;
    struct addrinfo hints;
    char name[NI_MAXHOST];
};

struct resolver {
    struct loop_timer timer;
    void (*on_done)(void *context, const char *problem);
    void *context;

    struct conninfo *info;
    size_t index;     /* of the host that is being looked up */
    size_t names_end; /* hosts from here on were added by us */
    size_t usable;    /* hosts with an address, or that need none */
    int64_t deadline_ms;
    struct lookup *lookup;
    char problem[PROBLEM_BYTES];
};

static void drop_lookup(struct resolver *resolver)
{
    struct lookup *lookup = resolver->lookup;

    resolver->lookup = NULL;
    if (!lookup)
        return;
    if (gai_cancel(&lookup->request) == EAI_NOTCANCELED)
        return; /* the library's thread still writes to it: given up on purpose */
    if (lookup->request.ar_result)
        freeaddrinfo(lookup->request.ar_result);
    free(lookup);
}

static int begin_lookup(struct resolver *resolver, const char *name)
{
    struct lookup *lookup = calloc(1, sizeof(*lookup));
    struct gaicb *list[1];

    if (!lookup)
        return EAI_MEMORY;
    snprintf(lookup->name, sizeof(lookup->name), "%s", name);
    lookup->hints.ai_socktype = SOCK_STREAM;
    lookup->request.ar_name = lookup->name;
    lookup->request.ar_request = &lookup->hints;
    list[0] = &lookup->request;
    int error = getaddrinfo_a(GAI_NOWAIT, list, 1, NULL);
    if (error != 0) {
        free(lookup);
        return error;
    }
    resolver->lookup = lookup;
    return 0;
}

static void note_problem(struct resolver *resolver, const char *why)
{
    snprintf(resolver->problem, sizeof(resolver->problem), "host name \"%s\": %s",
             resolver->info->hosts[resolver->index].host, why);
}

static void take_addresses(struct resolver *resolver)
{
    char text[NI_MAXHOST];
    int taken = 0;

    for (struct addrinfo *at = resolver->lookup->request.ar_result; at && taken < ADDRESSES_PER_NAME_MAX;
         at = at->ai_next)
        if (getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof(text), NULL, 0, NI_NUMERICHOST) == 0 &&
            conninfo_add_address(resolver->info, resolver->index, text) == 0)
            taken++;
    resolver->usable += taken > 0;
}

static void finish(struct resolver *resolver)
{
    loop_timer_stop(&resolver->timer);
    resolver->info = NULL;
    resolver->on_done(resolver->context,
                      resolver->usable > 0 || resolver->problem[0] == '\0' ? NULL : resolver->problem);
}

/* Goes on with the next name that needs it. */
static void look_up_next(struct resolver *resolver)
{
    for (; resolver->index < resolver->names_end; resolver->index++) {
        if (!conninfo_needs_lookup(resolver->info, resolver->index)) {
            resolver->usable++;
            continue;
        }
        int error = begin_lookup(resolver, resolver->info->hosts[resolver->index].host);
        if (error == 0)
            return;
        note_problem(resolver, gai_strerror(error));
    }
    finish(resolver);
}

static void on_resolver_timer(struct loop_timer *timer)
{
    struct resolver *resolver = (struct resolver *)timer;

    if (resolver->lookup) {
        int state = gai_error(&resolver->lookup->request);
        if (state == EAI_INPROGRESS && loop_clock_ms() < resolver->deadline_ms)
            return;
        if (state == 0)
            take_addresses(resolver);
        else
            note_problem(resolver,
                         state == EAI_INPROGRESS ? "the name server did not answer in time" : gai_strerror(state));
        drop_lookup(resolver);
        resolver->index++;
    }
    look_up_next(resolver);
}

struct resolver *resolver_new(struct loop *loop, void (*on_done)(void *context, const char *problem), void *context)
{
    struct resolver *resolver = calloc(1, sizeof(*resolver));

    if (!resolver)
        return NULL;
    if (loop_timer_init(&resolver->timer, loop, on_resolver_timer) < 0) {
        free(resolver);
        return NULL;
    }
    resolver->on_done = on_done;
    resolver->context = context;
    return resolver;
}

void resolver_free(struct resolver *resolver)
{
    if (!resolver)
        return;
    resolver_stop(resolver);
    loop_timer_done(&resolver->timer);
    free(resolver);
}

void resolver_start(struct resolver *resolver, struct conninfo *info, int64_t deadline_ms)
{
    assert(!resolver->info);
    resolver->info = info;
    resolver->index = 0;
    resolver->names_end = info->host_count;
    resolver->usable = 0;
    resolver->problem[0] = '\0';
    resolver->deadline_ms = loop_clock_ms() + deadline_ms;
    /* From the timer even when there is nothing to look up, so that on_done never comes from within this
     * call. */
    loop_timer_set(&resolver->timer, 1, ASK_EVERY_MS);
}

void resolver_stop(struct resolver *resolver)
{
    drop_lookup(resolver);
    resolver->info = NULL;
    loop_timer_stop(&resolver->timer);
}
