/* The addresses that are served: one for everything, or one for clients and another for management. */
#pragma once

#include "http/http_server.h"

struct listeners {
    struct http_server *server;
    struct http_server *management; /* NULL: the one above serves everything */
    struct http_services services, management_services;
};

/* listen_fd: instead of opening the first address, unless negative; taken over. services: without surface and
 * on_loopback, which are set here. Returns 0; or a negative errno, after the reason was
 * logged. listeners must stay in place; listeners_close also after a failure. */
int listeners_open(struct listeners *listeners, struct loop *loop, const struct config *config, int listen_fd,
                   const struct http_services *services);
void listeners_close(struct listeners *listeners); /* as http_server_free; also fine on a zeroed one */

void listeners_stop_accepting(struct listeners *listeners);

struct http_stats listeners_stats(const struct listeners *listeners); /* of all together */
