/* The front door: accepts, lets libmicrohttpd parse requests and write heads, and hands streams over to the
 * hub.
 *
 * libmicrohttpd runs without threads on an epoll descriptor of its own, which stands in our loop. We accept
 * ourselves, so that our limits apply and a shortage of descriptors does not make it spin. A server owns its
 * listening socket. */
#pragma once

#include "config/listen_address.h"
#include "http/services.h"
#include "loop/loop.h"

struct http_server;

/* Listens at address, or, when listen_fd is not negative, on that socket, which it takes over. services and its
 * callbacks are lent for the server's life. Returns 0; or a negative errno, and *ret_problem
 * (fixed text) says at what it failed. */
int http_server_new(struct loop *loop, const struct listen_address *address, int listen_fd,
                    const struct http_services *services, struct http_server **ret_server, const char **ret_problem);
void http_server_free(struct http_server *server); /* NULL is fine. Trigger calls must have been answered before. */

/* Takes what stands in the queue, then no new connections; those that exist go on. A socket that was passed to us keeps
 * its queue for whoever listens on it next. */
void http_server_stop_accepting(struct http_server *server);

/* "127.0.0.1:8080" as it really is, port 0 resolved; lent. */
const char *http_server_address(const struct http_server *server);

const struct http_stats *http_server_stats(const struct http_server *server);

/* Inside http/ only. */
void http_server_kick(struct http_server *server); /* something was resumed: run the library soon */
