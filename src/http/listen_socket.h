/* The socket that clients connect to. */
#pragma once

#include "config/listen_address.h"

enum { LISTEN_ADDRESS_TEXT_BYTES = 320 };

/* Binds and listens, non-blocking. ":port" takes IPv6 and IPv4. A Unix socket that nobody listens on any more
 * is replaced. Returns 0 and the address as text ("127.0.0.1:8080", "[::]:8080", "/path"), or a negative
 * errno (-EADDRNOTAVAIL when a host name has no address). Looks names up: only for the start. */
int listen_socket_open(const struct listen_address *address, int *ret_fd, char ret_text[LISTEN_ADDRESS_TEXT_BYTES]);

/* The address of a socket that listens already, as text. */
void listen_socket_describe(int fd, char ret_text[LISTEN_ADDRESS_TEXT_BYTES]);
