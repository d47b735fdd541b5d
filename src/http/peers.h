/* How many connections other than streams each client address has, and how fast it makes them: for
 * limits.requests_per_address and limits.connects_per_address_per_s. */
#pragma once

#include "base/text_tree.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct peer;
TAILQ_HEAD(peer_list, peer);

struct peers {
    struct text_tree by_address;
    struct peer_list idle; /* without a connection, by when they left; remembered for a while for their rate */
    size_t idle_count;
};

void peers_init(struct peers *peers);
void peers_done(struct peers *peers); /* all connections must have left */

/* A connection from address (see client_address.h). Limits of 0 do not count; a client that was quiet may make as many
 * connections at once as it may make in PEER_BURST_S seconds. Returns 0 and counts it until peers_leave; or -EUSERS (it
 * has as many as it may have), -EBUSY (too fast) or -ENOMEM, and counts nothing. */
int peers_enter(struct peers *peers, const char *address, int64_t now_ms, size_t connections_max,
                size_t connects_per_s_max);
void peers_leave(struct peers *peers, const char *address, int64_t now_ms);
