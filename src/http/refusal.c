#include "http/refusal.h"

#include "http/cors.h"
#include "http/reply.h"

#include <sys/socket.h>
#include <time.h>

enum { ANSWER_BYTES_MAX = 2048 };

/* As RFC 9110 has it, section 5.6.7. */
static void append_date(struct buffer *answer)
{
    const time_t now = time(NULL);
    struct tm parts;
    char text[64];

    gmtime_r(&now, &parts);
    strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", &parts);
    buffer_printf(answer, "Date: %s\r\n", text);
}

static void append_cors(struct buffer *answer, const struct config *config, const char *origin)
{
    struct cors_header headers[CORS_HEADERS_MAX];
    size_t count = cors_headers(config, origin, headers);

    for (size_t i = 0; i < count; i++)
        buffer_printf(answer, "%s: %s\r\n", headers[i].name, headers[i].value);
}

bool refusal_send(int fd, const struct request_head *head, const struct config *config)
{
    struct buffer answer, body;

    buffer_init(&answer, ANSWER_BYTES_MAX);
    buffer_init(&body, ANSWER_BYTES_MAX);
    reply_append_problem(&body, head->problem_status, NULL, head->problem);
    buffer_printf(&answer,
                  "HTTP/1.1 %u %s\r\nContent-Type: application/problem+json\r\nContent-Length: %zu\r\n"
                  "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n",
                  head->problem_status, status_title(head->problem_status), buffer_size(&body));
    append_date(&answer);
    append_cors(&answer, config, head->origin);
    buffer_append_text(&answer, "\r\n");
    if (!head->is_head)
        buffer_append(&answer, buffer_bytes(&body), buffer_size(&body));
    bool sent = !answer.failed && !body.failed &&
                send(fd, buffer_bytes(&answer), buffer_size(&answer), MSG_NOSIGNAL | MSG_DONTWAIT) ==
                    (ssize_t)buffer_size(&answer);
    buffer_done(&body);
    buffer_done(&answer);
    return sent;
}
