#include "http/refusal.h"

#include "http/reply.h"

#include <sys/socket.h>

enum { ANSWER_BYTES_MAX = 2048 };

bool refusal_send(int fd, const struct request_head *head)
{
    struct buffer answer, body;

    buffer_init(&answer, ANSWER_BYTES_MAX);
    buffer_init(&body, ANSWER_BYTES_MAX);
    reply_append_problem(&body, head->problem_status, NULL, head->problem);
    buffer_printf(&answer,
                  "HTTP/1.1 %u %s\r\nContent-Type: application/problem+json\r\nContent-Length: %zu\r\n"
                  "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
                  head->problem_status, status_title(head->problem_status), buffer_size(&body));
    if (!head->is_head)
        buffer_append(&answer, buffer_bytes(&body), buffer_size(&body));
    bool sent = !answer.failed && !body.failed &&
                send(fd, buffer_bytes(&answer), buffer_size(&answer), MSG_NOSIGNAL | MSG_DONTWAIT) ==
                    (ssize_t)buffer_size(&answer);
    buffer_done(&body);
    buffer_done(&answer);
    return sent;
}
