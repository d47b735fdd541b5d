#include "http/request_guard.h"

#include "base/limits.h"
#include "http/query.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>
#include <strings.h>

struct slice {
    const char *text;
    size_t size_bytes;
};

enum single {
    SINGLE_HOST,
    SINGLE_CONTENT_LENGTH,
    SINGLE_TRANSFER_ENCODING,
    SINGLE_EXPECT,
    SINGLE_AUTHORIZATION,
    SINGLE_CONTENT_TYPE,
    SINGLE_LAST_EVENT_ID,
    SINGLE_ORIGIN,
    SINGLE_COUNT,
};

_Static_assert(HTTP_URI_BYTES_MAX == 16384 && HTTP_HEAD_BYTES_MAX == 33 * 1024 && HTTP_HEADERS_MAX == 320 &&
                   HTTP_HEAD_ITEMS_MAX == 512 && HTTP_BODY_BYTES_MAX == 65536,
               "the texts below name these numbers");

static const char *const single_names[SINGLE_COUNT] = {
    [SINGLE_HOST] = "Host",
    [SINGLE_CONTENT_LENGTH] = "Content-Length",
    [SINGLE_TRANSFER_ENCODING] = "Transfer-Encoding",
    [SINGLE_EXPECT] = "Expect",
    [SINGLE_AUTHORIZATION] = "Authorization",
    [SINGLE_CONTENT_TYPE] = "Content-Type",
    [SINGLE_LAST_EVENT_ID] = "Last-Event-ID",
    [SINGLE_ORIGIN] = "Origin",
};

struct reading {
    struct request_head *head;
    struct slice rest; /* not looked at yet */
    struct slice authority;
    struct slice singles[SINGLE_COUNT]; /* text is NULL: not there */
    size_t headers, parameters, cookies;
    bool is_old; /* HTTP/1.0 */
};

static int refuse(struct reading *reading, unsigned status, const char *problem)
{
    reading->head->problem_status = status;
    reading->head->problem = problem;
    return -EBADMSG;
}

static bool is_token_byte(char c)
{
    return isalnum((unsigned char)c) || (c != '\0' && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct slice slice)
{
    for (size_t i = 0; i < slice.size_bytes; i++)
        if (!is_token_byte(slice.text[i]))
            return false;
    return slice.size_bytes > 0;
}

static bool equals(struct slice slice, const char *text)
{
    return slice.size_bytes == strlen(text) && strncasecmp(slice.text, text, slice.size_bytes) == 0;
}

static struct slice trim(struct slice slice)
{
    while (slice.size_bytes > 0 && (slice.text[0] == ' ' || slice.text[0] == '\t'))
        slice = (struct slice){slice.text + 1, slice.size_bytes - 1};
    while (slice.size_bytes > 0 &&
           (slice.text[slice.size_bytes - 1] == ' ' || slice.text[slice.size_bytes - 1] == '\t'))
        slice.size_bytes--;
    return slice;
}

/* Takes a line off the rest. A line without its end is looked at, too: what is wrong already need not be waited for. */
static int take_line(struct reading *reading, struct slice *ret_line)
{
    const char *text = reading->rest.text;
    const char *end = memchr(text, '\n', reading->rest.size_bytes);
    size_t size = end ? (size_t)(end - text) : reading->rest.size_bytes;

    for (size_t i = 0; i < size; i++) {
        unsigned char c = (unsigned char)text[i];
        bool ends = c == '\r' && i + 1 == size;
        if (!ends && ((c < 0x20 && c != '\t') || c == 0x7f))
            return refuse(reading, 400, "The head has a control character in it.");
    }
    if (!end)
        return -EAGAIN;
    if (size == 0 || text[size - 1] != '\r')
        return refuse(reading, 400, "A line of the head ends with a bare line feed; it must be CR LF.");
    *ret_line = (struct slice){text, size - 1};
    reading->rest = (struct slice){end + 1, reading->rest.size_bytes - size - 1};
    return 0;
}

static int check_method(struct reading *reading, struct slice method)
{
    static const char *const known[] = {"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE"};

    if (!is_token(method))
        return refuse(reading, 400, "A request begins with its method.");
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
        if (method.size_bytes == strlen(known[i]) && memcmp(method.text, known[i], method.size_bytes) == 0)
            return 0;
    return refuse(reading, 501, "This method is not known here.");
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What %XX at text says, or -1. */
static int escaped_byte(struct slice at)
{
    int high = at.size_bytes > 2 ? hex_value(at.text[1]) : -1;
    int low = high >= 0 ? hex_value(at.text[2]) : -1;

    return low < 0 ? -1 : high * 16 + low;
}

static int check_path_and_query(struct reading *reading, struct slice path)
{
    bool in_query = false;

    for (size_t i = 0; i < path.size_bytes; i++) {
        unsigned char c = (unsigned char)path.text[i];
        if (c <= 0x20 || c >= 0x7f || strchr("\"#<>", c))
            return refuse(reading, 400, "The address has a character that must be escaped as %XX there.");
        reading->parameters += in_query && c == '&';
        in_query |= c == '?';
        if (c != '%')
            continue;
        int byte = escaped_byte((struct slice){path.text + i, path.size_bytes - i});
        if (byte <= 0)
            return refuse(reading, 400, "The address has a bad %-escape, or a NUL.");
        if (!in_query && (byte < 0x20 || byte == 0x7f))
            return refuse(reading, 400, "The address has a control character in its path.");
    }
    if (reading->parameters >= QUERY_ITEMS_MAX)
        return refuse(reading, 400, "Too many parameters.");
    return 0;
}

/* RFC 9112, section 3.2. */
static int check_target(struct reading *reading, struct slice method, struct slice target)
{
    static const char scheme[] = "http://";
    const size_t scheme_bytes = sizeof(scheme) - 1;

    if (target.size_bytes > HTTP_URI_BYTES_MAX)
        return refuse(reading, 414, "The address is too long; it has at most 16384 bytes.");
    if (target.size_bytes == 1 && target.text[0] == '*' && equals(method, "OPTIONS"))
        return 0;
    if (target.size_bytes > scheme_bytes && strncasecmp(target.text, scheme, scheme_bytes) == 0) {
        target = (struct slice){target.text + scheme_bytes, target.size_bytes - scheme_bytes};
        size_t authority_bytes = 0;
        while (authority_bytes < target.size_bytes && target.text[authority_bytes] != '/')
            authority_bytes++;
        reading->authority = (struct slice){target.text, authority_bytes};
        target = (struct slice){target.text + authority_bytes, target.size_bytes - authority_bytes};
        return check_path_and_query(reading, target);
    }
    if (target.size_bytes == 0 || target.text[0] != '/')
        return refuse(reading, 400, "An address begins with a slash.");
    return check_path_and_query(reading, target);
}

static int check_version(struct reading *reading, struct slice version)
{
    if (version.size_bytes != 8 || memcmp(version.text, "HTTP/", 5) != 0 || !isdigit((unsigned char)version.text[5]) ||
        version.text[6] != '.' || !isdigit((unsigned char)version.text[7]))
        return refuse(reading, 400, "A request's first line ends with HTTP/1.1.");
    if (version.text[5] != '1')
        return refuse(reading, 505, "HTTP/1.1 is spoken here.");
    reading->is_old = version.text[7] == '0';
    return 0;
}

static int take_request_line(struct reading *reading)
{
    struct slice line = {0};
    int error = take_line(reading, &line);

    /* One empty line before it is ignored (RFC 9112, section 2.2). */
    if (error == 0 && line.size_bytes == 0)
        error = take_line(reading, &line);
    if (error == -EAGAIN) {
        if (reading->rest.size_bytes > HTTP_URI_BYTES_MAX + 32)
            return refuse(reading, 414, "The address is too long; it has at most 16384 bytes.");
        if (reading->rest.size_bytes > 0 && reading->rest.text[0] != '\r' && !is_token_byte(reading->rest.text[0]))
            return refuse(reading, 400, "A request begins with its method.");
    }
    if (error < 0)
        return error;
    const char *end = line.text + line.size_bytes;
    const char *first = memchr(line.text, ' ', line.size_bytes);
    const char *second = first ? memchr(first + 1, ' ', (size_t)(end - first - 1)) : NULL;
    if (!second)
        return refuse(reading, 400,
                      "A request's first line is a method, an address and HTTP/1.1, with one space between.");
    struct slice method = {line.text, (size_t)(first - line.text)};
    reading->head->is_head = equals(method, "HEAD");
    error = check_version(reading, (struct slice){second + 1, (size_t)(end - second - 1)});
    if (error == 0)
        error = check_method(reading, method);
    return error < 0 ? error : check_target(reading, method, (struct slice){first + 1, (size_t)(second - first - 1)});
}

static int take_header(struct reading *reading, struct slice line)
{
    const char *colon = memchr(line.text, ':', line.size_bytes);
    struct slice name = {line.text, colon ? (size_t)(colon - line.text) : 0};

    if (line.text[0] == ' ' || line.text[0] == '\t')
        return refuse(reading, 400, "A header goes on in a second line, which is not allowed any more.");
    if (!colon || !is_token(name))
        return refuse(reading, 400, "A header is a name, a colon right behind it, and a value.");
    if (++reading->headers > HTTP_HEADERS_MAX)
        return refuse(reading, 431, "The request has too many headers; there may be 320.");
    if (equals(name, "Cookie"))
        for (const char *at = colon; at; at = memchr(at + 1, ';', (size_t)(line.text + line.size_bytes - at - 1)))
            reading->cookies++;
    for (size_t i = 0; i < SINGLE_COUNT; i++) {
        if (!equals(name, single_names[i]))
            continue;
        if (reading->singles[i].text)
            return refuse(reading, 400,
                          "A header that has one value stands there twice, such as Host or Content-Length.");
        reading->singles[i] = trim((struct slice){colon + 1, line.size_bytes - name.size_bytes - 1});
    }
    return 0;
}

/* host[:port] (RFC 3986, section 3.2), of the names that there are in practice. */
static bool is_host(struct slice host)
{
    size_t at = 0;

    if (host.size_bytes > 0 && host.text[0] == '[') {
        const char *end = memchr(host.text, ']', host.size_bytes);
        at = end ? (size_t)(end - host.text) + 1 : 0;
        for (size_t i = 1; i + 1 < at; i++)
            if (!isxdigit((unsigned char)host.text[i]) && host.text[i] != ':' && host.text[i] != '.')
                return false;
        if (at < 3)
            return false;
    } else {
        while (at < host.size_bytes && (isalnum((unsigned char)host.text[at]) || strchr("-._~", host.text[at])))
            at++;
    }
    if (at == 0 || (at < host.size_bytes && (host.text[at] != ':' || host.size_bytes - at > 6)))
        return false;
    for (size_t i = at + 1; i < host.size_bytes; i++)
        if (!isdigit((unsigned char)host.text[i]))
            return false;
    return true;
}

static int check_host(struct reading *reading)
{
    struct slice host = reading->singles[SINGLE_HOST], authority = reading->authority;

    if (!host.text && !reading->is_old)
        return refuse(reading, 400, "The request has no Host header.");
    if (host.text && !is_host(host))
        return refuse(reading, 400, "The Host header is not host or host:port.");
    if (authority.text && !is_host(authority))
        return refuse(reading, 400, "The address does not begin with http://host/ or http://host:port/.");
    return 0;
}

/* Whether the last of a list of codings is chunked, and how many there are (RFC 9112, section 6.1). */
static int check_coding(struct reading *reading)
{
    struct slice codings = reading->singles[SINGLE_TRANSFER_ENCODING];
    const char *comma = memrchr(codings.text, ',', codings.size_bytes);
    size_t before = comma ? (size_t)(comma - codings.text) + 1 : 0;

    if (reading->singles[SINGLE_CONTENT_LENGTH].text)
        return refuse(reading, 400, "The request says in two ways how long it is.");
    if (reading->is_old || !equals(trim((struct slice){codings.text + before, codings.size_bytes - before}), "chunked"))
        return refuse(reading, 400,
                      "It is not certain where the request ends: its last Transfer-Encoding is not chunked.");
    if (comma)
        return refuse(reading, 501, "This Transfer-Encoding is not known here.");
    return refuse(reading, 411, "Send the body in one piece, with a Content-Length.");
}

/* RFC 9112, section 6.3. */
static int check_body(struct reading *reading)
{
    struct slice length = reading->singles[SINGLE_CONTENT_LENGTH], expect = reading->singles[SINGLE_EXPECT];

    if (reading->singles[SINGLE_TRANSFER_ENCODING].text)
        return check_coding(reading);
    if (length.text && length.size_bytes == 0)
        return refuse(reading, 400, "Content-Length is not a number.");
    for (size_t i = 0; i < length.size_bytes; i++) {
        if (!isdigit((unsigned char)length.text[i]))
            return refuse(reading, 400, "Content-Length is not a number.");
        if (reading->head->body_bytes <= HTTP_BODY_BYTES_MAX)
            reading->head->body_bytes = reading->head->body_bytes * 10 + (size_t)(length.text[i] - '0');
    }
    if (reading->head->body_bytes > HTTP_BODY_BYTES_MAX)
        return refuse(reading, 413, "A body has at most 65536 bytes.");
    if (expect.text && !equals(expect, "100-continue"))
        return refuse(reading, 417, "The only thing to expect here is 100-continue.");
    return 0;
}

static int take_headers(struct reading *reading)
{
    struct slice line = {0};
    int error;

    while ((error = take_line(reading, &line)) == 0 && line.size_bytes > 0) {
        error = take_header(reading, line);
        if (error < 0)
            return error;
    }
    if (error < 0)
        return error;
    error = check_host(reading);
    if (error == 0)
        error = check_body(reading);
    if (error == 0 && reading->headers + reading->parameters + reading->cookies > HTTP_HEAD_ITEMS_MAX)
        error = refuse(reading, 431, "The request has too many headers, parameters and cookies; there may be 512.");
    return error;
}

void request_guard_find_origin(const char *bytes, size_t size_bytes, struct request_head *head)
{
    const char *end = bytes + size_bytes, *at = memchr(bytes, '\n', size_bytes);
    struct slice origin = {0};

    while (at) {
        const char *line = at + 1;
        at = memchr(line, '\n', (size_t)(end - line));
        const char *colon = at ? memchr(line, ':', (size_t)(at - line)) : NULL;
        if (at == line || (at == line + 1 && *line == '\r'))
            break;
        if (!colon || !equals((struct slice){line, (size_t)(colon - line)}, single_names[SINGLE_ORIGIN]))
            continue;
        if (origin.text)
            return;
        const char *value_end = at[-1] == '\r' ? at - 1 : at;
        origin = trim((struct slice){colon + 1, (size_t)(value_end - colon - 1)});
    }
    if (!origin.text || origin.size_bytes >= sizeof(head->origin))
        return;
    memcpy(head->origin, origin.text, origin.size_bytes);
    head->origin[origin.size_bytes] = '\0';
}

static int check(const char *bytes, size_t size_bytes, struct request_head *ret_head)
{
    struct reading reading = {.head = ret_head, .rest = {bytes, size_bytes}};

    *ret_head = (struct request_head){0};
    int error = take_request_line(&reading);
    if (error == 0)
        error = take_headers(&reading);
    ret_head->size_bytes = size_bytes - reading.rest.size_bytes;
    ret_head->items = reading.headers + reading.parameters + reading.cookies;
    if (error != -EBADMSG &&
        (ret_head->size_bytes > HTTP_HEAD_BYTES_MAX || (error && size_bytes > HTTP_HEAD_BYTES_MAX)))
        return refuse(&reading, 431, "The head is too long; it has at most 33 KiB.");
    return error;
}

int request_guard_check(const char *bytes, size_t size_bytes, struct request_head *ret_head)
{
    int error = check(bytes, size_bytes, ret_head);

    if (error == -EBADMSG)
        request_guard_find_origin(bytes, size_bytes, ret_head);
    return error;
}
