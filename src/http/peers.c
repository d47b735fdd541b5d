#include "http/peers.h"

#include "base/limits.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct peer {
    char *address; /* first: the tree compares it */
    size_t connections;
    int64_t spent_us; /* how long it must be quiet until it may make a whole burst again, as of seen_ms */
    int64_t seen_ms;
    TAILQ_ENTRY(peer) link; /* while idle */
};

static void forget(struct peers *peers, struct peer *peer)
{
    text_tree_remove(&peers->by_address, peer);
    free(peer->address);
    free(peer);
}

static void forget_oldest(struct peers *peers)
{
    struct peer *peer = TAILQ_FIRST(&peers->idle);

    TAILQ_REMOVE(&peers->idle, peer, link);
    peers->idle_count--;
    forget(peers, peer);
}

/* Those whose whole burst is there again, and those that are too many. */
static void forget_idle(struct peers *peers, int64_t now_ms)
{
    while (peers->idle_count > 0 &&
           (peers->idle_count > PEERS_IDLE_MAX || TAILQ_FIRST(&peers->idle)->seen_ms + PEER_BURST_S * 1000 <= now_ms))
        forget_oldest(peers);
}

static struct peer *add(struct peers *peers, const char *address, int64_t now_ms)
{
    struct peer *peer = calloc(1, sizeof(*peer));

    if (peer)
        peer->address = strdup(address);
    if (!peer || !peer->address || !text_tree_add(&peers->by_address, peer)) {
        if (peer)
            free(peer->address);
        free(peer);
        return NULL;
    }
    peer->seen_ms = now_ms;
    TAILQ_INSERT_TAIL(&peers->idle, peer, link);
    peers->idle_count++;
    return peer;
}

/* Each connection takes 1/rate seconds; PEER_BURST_S of them may be taken in advance. */
static bool spend(struct peer *peer, int64_t now_ms, size_t connects_per_s_max)
{
    int64_t cost_us = 1000000 / (int64_t)connects_per_s_max, quiet_us = (now_ms - peer->seen_ms) * 1000;

    peer->spent_us = peer->spent_us > quiet_us ? peer->spent_us - quiet_us : 0;
    peer->seen_ms = now_ms;
    if (peer->spent_us + cost_us > PEER_BURST_S * INT64_C(1000000))
        return false;
    peer->spent_us += cost_us;
    return true;
}

void peers_init(struct peers *peers)
{
    *peers = (struct peers){0};
    TAILQ_INIT(&peers->idle);
}

void peers_done(struct peers *peers)
{
    while (peers->idle_count > 0)
        forget_oldest(peers);
    assert(!peers->by_address.root);
}

int peers_enter(struct peers *peers, const char *address, int64_t now_ms, size_t connections_max,
                size_t connects_per_s_max)
{
    struct peer *peer;

    forget_idle(peers, now_ms);
    peer = text_tree_find(&peers->by_address, address);
    if (!peer)
        peer = add(peers, address, now_ms);
    if (!peer)
        return -ENOMEM;
    if (connections_max > 0 && peer->connections >= connections_max)
        return -EUSERS;
    if (connects_per_s_max > 0 && !spend(peer, now_ms, connects_per_s_max))
        return -EBUSY;
    if (peer->connections++ == 0) {
        TAILQ_REMOVE(&peers->idle, peer, link);
        peers->idle_count--;
    }
    return 0;
}

void peers_leave(struct peers *peers, const char *address, int64_t now_ms)
{
    struct peer *peer = text_tree_find(&peers->by_address, address);

    assert(peer && peer->connections > 0);
    if (--peer->connections > 0)
        return;
    TAILQ_INSERT_TAIL(&peers->idle, peer, link);
    peers->idle_count++;
    forget_idle(peers, now_ms);
}
