#include "http/request_log.h"

#include <arpa/inet.h>

enum { CLIENT_BYTES = INET6_ADDRSTRLEN };

static void describe_client(const struct sockaddr *client, char text[CLIENT_BYTES])
{
    text[0] = '\0';
    if (client && client->sa_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)(const void *)client)->sin_addr, text, CLIENT_BYTES);
    else if (client && client->sa_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)(const void *)client)->sin6_addr, text, CLIENT_BYTES);
}

void request_log_write(const struct exchange *exchange)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    char client[CLIENT_BYTES];

    if (!exchange->services->config(exchange->services->context)->log.requests || exchange->status == 0)
        return;
    describe_client(info ? info->client_addr : NULL, client);
    log_all("request", log_text("method", exchange->method), log_text("path", exchange->target),
            log_number("status", exchange->status), log_number("us", loop_clock_us() - exchange->began_us),
            log_text("client", client));
}

void request_log_write_refused(const struct config *config, const struct sockaddr *address,
                               const struct request_head *head)
{
    char client[CLIENT_BYTES];

    if (!config->log.requests)
        return;
    describe_client(address, client);
    log_all("request refused", log_number("status", head->problem_status), log_text("reason", head->problem),
            log_text("client", client));
}
