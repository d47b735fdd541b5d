#include "listeners.h"

#include "base/log.h"

#include <string.h>

static bool is_loopback(const struct listen_address *address)
{
    return strncmp(address->host, "127.", 4) == 0 || strcmp(address->host, "::1") == 0 ||
           strcmp(address->host, "localhost") == 0;
}

static int open_one(struct loop *loop, const char *listen, int listen_fd, struct http_services *services,
                    struct http_server **ret_server)
{
    struct listen_address address;
    const char *problem = "reading the address";
    int error = listen_address_parse(listen, &address, NULL);

    if (error == 0) {
        services->on_loopback = is_loopback(&address);
        error = http_server_new(loop, &address, listen_fd, services, ret_server, &problem);
    }
    if (error < 0)
        log_error("cannot serve", log_text("listen", listen), log_text("at", problem),
                  log_text("reason", strerror(-error)));
    else
        log_info("listening", log_text("address", http_server_address(*ret_server)),
                 log_text("for", services->surface == SURFACE_ALL      ? "everything"
                                 : services->surface == SURFACE_PUBLIC ? "clients"
                                                                       : "management"),
                 log_text("version", TUPLECAST_VERSION));
    return error;
}

int listeners_open(struct listeners *listeners, struct loop *loop, const struct config *config, int listen_fd,
                   const struct http_services *services)
{
    const char *management = config->management.listen;

    listeners->services = listeners->management_services = *services;
    listeners->services.surface = management[0] ? SURFACE_PUBLIC : SURFACE_ALL;
    listeners->management_services.surface = SURFACE_MANAGEMENT;
    int error = open_one(loop, config->listen, listen_fd, &listeners->services, &listeners->server);
    if (error == 0 && management[0])
        error = open_one(loop, management, -1, &listeners->management_services, &listeners->management);
    if (error == 0 && config->access.streams == ACCESS_CLOSED)
        log_warn("nobody may read streams", log_text("reason", "the setting access.streams is neither open nor token"));
    if (error == 0 && config->channels.count == 0)
        log_warn("no channel may be subscribed to", log_text("reason", "the setting `channels` is empty"));
    return error;
}

void listeners_close(struct listeners *listeners)
{
    http_server_free(listeners->management);
    http_server_free(listeners->server);
    *listeners = (struct listeners){0};
}

void listeners_stop_accepting(struct listeners *listeners)
{
    http_server_stop_accepting(listeners->server);
    if (listeners->management)
        http_server_stop_accepting(listeners->management);
}

struct http_stats listeners_stats(const struct listeners *listeners)
{
    struct http_stats sum = *http_server_stats(listeners->server);

    if (!listeners->management)
        return sum;
    const struct http_stats *other = http_server_stats(listeners->management);
    sum.connections += other->connections;
    sum.connections_opened += other->connections_opened;
    sum.accept_failures += other->accept_failures;
    sum.connections_refused += other->connections_refused;
    for (size_t i = 0; i < sizeof(sum.responses) / sizeof(*sum.responses); i++)
        sum.responses[i] += other->responses[i];
    for (size_t i = 0; i < BUSY_REASONS; i++)
        sum.busy[i] += other->busy[i];
    return sum;
}
