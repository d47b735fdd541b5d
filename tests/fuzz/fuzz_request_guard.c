/* Bytes from a client: what the request guard lets through has one reading only, and is never refused while it is still
 * coming. */
#include "base/limits.h"
#include "http/request_guard.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PARTS_BYTES_MAX = 512 };

static size_t count_header(const char *head, size_t size, const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i + strlen(name) < size; i++)
        count += head[i] == '\n' && strncasecmp(head + i + 1, name, strlen(name)) == 0;
    return count;
}

/* Looks at the bytes again, by other means. */
static void check_passed(const char *head, size_t size, const struct request_head *found)
{
    assert(size <= HTTP_HEAD_BYTES_MAX && found->items <= HTTP_HEAD_ITEMS_MAX &&
           found->body_bytes <= HTTP_BODY_BYTES_MAX);
    assert(size > 16 && memcmp(head + size - 4, "\r\n\r\n", 4) == 0);
    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)head[i];
        assert(c >= 0x20 || c == '\t' || c == '\r' || c == '\n');
        assert(c != '\n' || head[i - 1] == '\r');
        assert(c != '\r' || head[i + 1] == '\n');
        assert(c != '\n' || i + 1 == size || (head[i + 1] != ' ' && head[i + 1] != '\t'));
    }
    assert(count_header(head, size, "host:") <= 1 && count_header(head, size, "content-length:") <= 1);
    assert(count_header(head, size, "transfer-encoding:") == 0);
    assert(count_header(head, size, "content-length ") == 0 && count_header(head, size, "host\t") == 0);
    assert(found->body_bytes == 0 || count_header(head, size, "content-length:") == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct request_head head, part_head;
    char *text = malloc(size ? size : 1);

    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    int error = request_guard_check(text, size, &head);
    assert(error == 0 || error == -EAGAIN || error == -EBADMSG);
    assert((error == -EBADMSG) == (head.problem_status >= 400 && head.problem_status < 600));
    assert((error == -EBADMSG) == (head.problem != NULL));
    if (error == 0)
        check_passed(text, head.size_bytes, &head);
    size_t end = error == 0 ? head.size_bytes : size;
    for (size_t part = 0; part < end && part < PARTS_BYTES_MAX; part++) {
        int part_error = request_guard_check(text, part, &part_head);
        assert(part_error == -EAGAIN || (error == -EBADMSG && part_error == -EBADMSG));
    }
    free(text);
    return 0;
}
