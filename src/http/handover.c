#include "http/handover.h"

#include "http/reply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { READER_BLOCK_BYTES = 512, GREETING_BYTES_MAX = 256 };

/* Called by the library for the response's body. It asks again only when all that it was given is in the
 * kernel: so at the second call nothing is pending any more, and the response can end. Ending it at the first
 * call would leave the connection uncleaned. */
static ssize_t read_greeting(void *context, uint64_t position, char *out, size_t room_bytes)
{
    struct handover *handover = context;
    size_t left = buffer_size(&handover->greeting);

    (void)position;
    if (left == 0) {
        handover->ended = true;
        return MHD_CONTENT_READER_END_OF_STREAM;
    }
    if (left > room_bytes)
        left = room_bytes;
    memcpy(out, buffer_bytes(&handover->greeting), left);
    buffer_consume(&handover->greeting, left);
    return (ssize_t)left;
}

bool handover_add_headers(struct MHD_Response *response)
{
    return reply_add_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "text/event-stream") &&
           reply_add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store, no-transform") &&
           reply_add_header(response, "X-Accel-Buffering", "no");
}

static int duplicate_descriptor(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

    return info ? fcntl(info->connect_fd, F_DUPFD_CLOEXEC, 0) : -1;
}

/* Neither a length nor chunks: the body is what comes until the connection closes (RFC 9112, section 6.3, rule 8). */
struct MHD_Response *handover_new_response(struct handover *handover)
{
    struct MHD_Response *response =
        MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, READER_BLOCK_BYTES, read_greeting, handover, NULL);

    if (response && (!handover_add_headers(response) ||
                     MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END) != MHD_YES)) {
        MHD_destroy_response(response);
        return NULL;
    }
    return response;
}

int handover_begin(struct exchange *exchange, struct stream_request *request)
{
    struct handover *handover = calloc(1, sizeof(*handover));
    struct MHD_Response *response;
    int error = -ENOMEM;

    if (!handover)
        return error;
    buffer_init(&handover->greeting, GREETING_BYTES_MAX);
    hub_append_greeting(exchange->services->hub, &handover->greeting);
    response = handover_new_response(handover);
    handover->fd = duplicate_descriptor(exchange->connection);
    if (handover->fd < 0)
        error = -EMFILE;
    if (handover->fd < 0 || handover->greeting.failed || !response) {
        if (response)
            MHD_destroy_response(response);
        handover_free(handover);
        return error;
    }
    handover->request = *request;
    *request = (struct stream_request){0};
    /* A timeout unlike the daemon's moves the connection to the list that the library cleans at once. */
    MHD_set_connection_option(exchange->connection, MHD_CONNECTION_OPTION_TIMEOUT, (unsigned)HTTP_TIMEOUT_S + 1);
    exchange->handover = handover;
    return reply_queue(exchange, MHD_HTTP_OK, response) == MHD_YES ? 0 : -ENOMEM;
}

bool handover_is_complete(const struct exchange *exchange, enum MHD_RequestTerminationCode how)
{
    return exchange && exchange->handover && exchange->handover->ended && how == MHD_REQUEST_TERMINATED_COMPLETED_OK;
}

void handover_free(struct handover *handover)
{
    if (!handover)
        return;
    if (handover->fd >= 0)
        close(handover->fd);
    buffer_done(&handover->greeting);
    stream_request_done(&handover->request);
    free(handover);
}
