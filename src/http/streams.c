/* GET /streams and /streams/{channel}. */
#include "base/limits.h"
#include "base/log.h"
#include "http/client_address.h"
#include "http/guard.h"
#include "http/handover.h"
#include "http/reply.h"
#include "http/routes.h"

#include <errno.h>
#include <string.h>
#include <strings.h>
#include <time.h>

/* There is no room now, and any status but 200 would make a browser give up: so a stream of one event. */
static enum MHD_Result reply_busy(struct exchange *exchange, int error)
{
    static const char format[] = "event: busy\ndata: {\"reason\":\"%s\"}\n\n";
    static const char *const reasons[BUSY_REASONS] = {
        [BUSY_CLOSING] = "shutting down",
        [BUSY_STREAMS] = "as many streams as limits.streams allows",
        [BUSY_DESCRIPTORS] = "no file descriptor is left",
        [BUSY_ADDRESS] = "as many streams of one address as limits.streams_per_address allows",
        [BUSY_CHANNELS] = "as many channels as limits.channels allows",
    };
    const enum busy_reason why = error == -ESHUTDOWN ? BUSY_CLOSING
                                 : error == -EMFILE  ? BUSY_STREAMS
                                 : error == -ENFILE  ? BUSY_DESCRIPTORS
                                 : error == -EUSERS  ? BUSY_ADDRESS
                                                     : BUSY_CHANNELS;
    struct MHD_Response *response;
    struct buffer body;

    exchange->stats->busy[why]++;
    log_warn("stream refused", log_text("reason", reasons[why]));
    buffer_init(&body, 1024);
    hub_append_greeting(exchange->services->hub, &body);
    buffer_printf(&body, format, reasons[why]);
    response = reply_new(NULL, buffer_bytes(&body), buffer_size(&body));
    buffer_done(&body);
    if (!response || !handover_add_headers(response))
        return MHD_NO;
    return reply_queue(exchange, MHD_HTTP_OK, response);
}

/* The head that GET gives. The library never asks for the body of an answer to HEAD. */
static enum MHD_Result reply_head(struct exchange *exchange)
{
    struct MHD_Response *response = handover_new_response(NULL);

    return reply_queue(exchange, MHD_HTTP_OK, response);
}

/* The first channel of the selection that the configuration does not allow, or NULL. */
static const char *forbidden_channel(const struct config *config, const struct selection *selection)
{
    for (size_t i = 0; i < selection->channels.count; i++)
        if (!config_channel_allowed(config, selection->channels.items[i]))
            return selection->channels.items[i];
    return NULL;
}

/* The client's address, from a trusted proxy the one that it forwards. */
static int take_address(const struct exchange *exchange, char address[ORIGIN_BYTES_MAX])
{
    const struct text_list *trusted = &exchange->services->config(exchange->services->context)->trusted_proxies;
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(exchange->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    struct ip_address client = ip_address_of(info ? info->client_addr : NULL);
    struct buffer forwarded;

    buffer_init(&forwarded, HTTP_HEAD_BYTES_MAX);
    if (client_address_is_trusted(trusted, &client)) {
        const char *list = exchange_header_lines(exchange, "X-Forwarded-For", ",", &forwarded);
        if (list)
            client = client_address_forwarded(trusted, client, list);
    }
    int error = forwarded.failed ? -ENOMEM : 0;
    buffer_done(&forwarded);
    client_address_key(&client, address);
    return error;
}

/* The first channel that the request's token does not grant, or NULL. */
static const char *ungranted_channel(const struct exchange *exchange, const struct selection *selection)
{
    for (size_t i = 0; i < selection->channels.count; i++)
        if (!grant_allows(exchange->grant, selection->channels.items[i]))
            return selection->channels.items[i];
    return NULL;
}

/* What the token grants becomes a part of what the stream is. Returns 0 or -ENOMEM. */
static int take_grant(const struct exchange *exchange, struct stream_request *request)
{
    const struct grant *grant = exchange->grant;

    if (!grant)
        return 0;
    request->start.source = grant->source;
    if (grant->expires_s < INT64_MAX)
        request->start.expires_ms = loop_clock_ms() + (grant->expires_s - (int64_t)time(NULL)) * 1000;
    return row_filter_copy(&grant->where, &request->selection.where);
}

enum MHD_Result streams_get(struct exchange *exchange)
{
    const struct config *config = exchange->services->config(exchange->services->context);
    struct stream_request request = {0};
    enum MHD_Result result;
    struct buffer problem;

    buffer_init(&problem, 1024);
    int error = stream_request_parse(exchange->segment, &exchange->query, exchange_header(exchange, "Last-Event-ID"),
                                     (size_t)config->limits.channels_per_stream, &request, &problem);
    if (error == 0)
        error = take_address(exchange, request.start.address);
    if (error == 0)
        error = take_grant(exchange, &request);
    const char *forbidden = error == 0 ? forbidden_channel(config, &request.selection) : NULL;
    if (error == -EINVAL)
        result = reply_problem(exchange, MHD_HTTP_BAD_REQUEST, "%s", buffer_text(&problem));
    else if (error < 0)
        result = MHD_NO;
    /* First, so that nobody learns what else there is. */
    else if (ungranted_channel(exchange, &request.selection))
        result = reply_refusal(exchange, REFUSAL_OTHER_CHANNEL);
    else if (forbidden)
        result = reply_problem(exchange, MHD_HTTP_NOT_FOUND,
                               "Channel \"%s\" is not among those that the setting `channels` allows.", forbidden);
    else if (strcmp(exchange->method, "HEAD") == 0)
        result = reply_head(exchange);
    else if ((error = hub_admit(exchange->services->hub, &request.selection, &request.start)) < 0)
        result = reply_busy(exchange, error);
    else if ((error = handover_begin(exchange, &request)) == -EMFILE)
        result = reply_busy(exchange, -ENFILE);
    else
        result = error == 0 ? MHD_YES : MHD_NO;
    stream_request_done(&request);
    buffer_done(&problem);
    return result;
}
