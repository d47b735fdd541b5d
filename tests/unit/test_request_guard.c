#include "base/limits.h"
#include "http/request_guard.h"
#include "unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST "Host: localhost\r\n"

struct sample {
    const char *text;
    unsigned status; /* 0: fit for the library */
};

/* Each is looked at in a piece of memory of exactly its size, so that the sanitizer sees a read behind its end. */
static int check(const char *text, size_t size, struct request_head *head)
{
    char *copy = malloc(size ? size : 1);

    assert_non_null(copy);
    memcpy(copy, text, size);
    int error = request_guard_check(copy, size, head);
    free(copy);
    return error;
}

static void check_sample(const char *text, size_t size, unsigned status)
{
    struct request_head head;
    int error = check(text, size, &head);

    if (error != (status ? -EBADMSG : 0) || head.problem_status != status)
        fail_msg("%d with %u, not %u (%s): %.60s", error, head.problem_status, status, head.problem ? head.problem : "",
                 text);
    assert_true(status == 0 || strlen(head.problem) > 10);
    if (status == 0) {
        assert_int_equal(head.size_bytes, size);
        /* Nothing that passes is refused while it is still coming. */
        for (size_t part = 0; part < size; part++)
            assert_int_equal(check(text, part, &head), -EAGAIN);
    }
}

static void check_samples(const struct sample *samples)
{
    for (; samples->text; samples++)
        check_sample(samples->text, strlen(samples->text), samples->status);
}

static void what_clients_and_proxies_send_passes(void **state)
{
    static const struct sample samples[] = {
        {"GET / HTTP/1.1\r\n" HOST "\r\n", 0},
        {"\r\nGET / HTTP/1.1\r\n" HOST "\r\n", 0},
        {"GET / HTTP/1.0\r\n\r\n", 0},
        {"GET / HTTP/1.9\r\n" HOST "\r\n", 0},
        {"GET /streams/a%20b%2Fc?table=x&id=%0A&x={|}^`[]\\ HTTP/1.1\r\n" HOST "\r\n", 0},
        {"GET http://localhost/streams/a HTTP/1.1\r\n" HOST "\r\n", 0},
        {"GET http://other:81 HTTP/1.1\r\n" HOST "\r\n", 0},
        {"GET http://localhost/ HTTP/1.0\r\n\r\n", 0},
        {"GET HTTP://LOCALHOST HTTP/1.1\r\n" HOST "\r\n", 0},
        {"OPTIONS * HTTP/1.1\r\n" HOST "\r\n", 0},
        {"HEAD /livez HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n", 0},
        {"GET / HTTP/1.1\r\nhost:a_b.example:65535\r\nX: \t \r\nX:\r\nX: caf\xe9\r\n\r\n", 0},
        {"PUT /triggers/a HTTP/1.1\r\n" HOST "Content-Length: 65536\r\nExpect: 100-continue\r\n\r\n", 0},
        {"POST /triggers HTTP/1.1\r\n" HOST "Content-Length:\t007 \r\n\r\n", 0},
        {"GET / HTTP/1.1\r\n" HOST "Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\nHTTP2-Settings: AAM\r\n\r\n",
         0},
        {"GET / HTTP/1.1\r\n" HOST
         "X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-For: 1.2.3.5\r\n!#$%&'*+-.^_`|~09aZ: 1\r\n\r\n",
         0},
        {0},
    };

    (void)state;
    check_samples(samples);
}

static void a_request_line_that_rfc_9112_calls_invalid_is_refused(void **state)
{
    static const struct sample samples[] = {
        {"GET / HTTP/1.1\n" HOST "\r\n", 400},
        {"GET /\rHTTP/1.1\r\n", 400},
        {"\n", 400},
        {"\r\n\r\n", 400},
        {" GET / HTTP/1.1\r\n", 400},
        {"GET  / HTTP/1.1\r\n", 400},
        {"GET / HTTP/1.1 \r\n", 400},
        {"GET / a HTTP/1.1\r\n", 400},
        {"GET\t/\tHTTP/1.1\r\n", 400},
        {"GET /\r\n", 400},
        {"GET\r\n", 400},
        {"/ HTTP/1.1\r\n", 400},
        {"G(T / HTTP/1.1\r\n", 400},
        {"G\x01T / HTTP/1.1\r\n", 400},
        {"G\x7fT / HTTP/1.1\r\n", 400},
        {"\x16\x03\x01\x02", 400},
        {"get / HTTP/1.1\r\n", 501},
        {"GETS / HTTP/1.1\r\n", 501},
        {"CONNECT localhost:80 HTTP/1.1\r\n", 501},
        {"GET / HTTP/0.9\r\n", 505},
        {"GET / HTTP/2.0\r\n", 505},
        {"PRI * HTTP/2.0\r\n", 505},
        {"GET / HTTP/1.10\r\n", 400},
        {"GET / HTTP/1\r\n", 400},
        {"GET / http/1.1\r\n", 400},
        {"GET / HTTP/1.1a\r\n", 400},
        {"GET / HTTPS/1.1\r\n", 400},
        {0},
    };

    (void)state;
    check_samples(samples);
}

static void a_target_that_two_readers_may_read_differently_is_refused(void **state)
{
    static const struct sample samples[] = {
        {"GET livez HTTP/1.1\r\n", 400},
        {"GET * HTTP/1.1\r\n", 400},
        {"GET /\x7f HTTP/1.1\r\n", 400},
        {"GET /caf\xc3\xa9 HTTP/1.1\r\n", 400},
        {"GET /a#b HTTP/1.1\r\n", 400},
        {"GET /a\"b HTTP/1.1\r\n", 400},
        {"GET /<b> HTTP/1.1\r\n", 400},
        {"GET /%00 HTTP/1.1\r\n", 400},
        {"GET /a?b=%00 HTTP/1.1\r\n", 400},
        {"GET /%0d%0aX: HTTP/1.1\r\n", 400},
        {"GET /%1F HTTP/1.1\r\n", 400},
        {"GET /%7f HTTP/1.1\r\n", 400},
        {"GET /% HTTP/1.1\r\n", 400},
        {"GET /%a HTTP/1.1\r\n", 400},
        {"GET /%zz HTTP/1.1\r\n", 400},
        {"GET /a?%u0041 HTTP/1.1\r\n", 400},
        {"GET https://localhost/ HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET http://localhost?a HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET http://user@localhost/ HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET http:/// HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET http://localhost/ HTTP/1.1\r\n\r\n", 400},
        {"GET http://localhost/ HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
        {"GET http://a,b/ HTTP/1.1\r\n" HOST "\r\n", 400},
        {"GET http://localhost:x/ HTTP/1.1\r\n" HOST "\r\n", 400},
        {0},
    };

    (void)state;
    check_samples(samples);
}

static void headers_that_hide_something_are_refused(void **state)
{
    static const struct sample samples[] = {
        {"GET / HTTP/1.1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST HOST "\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "hOsT: other\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\nHost: []\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "Host : a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "A\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST ": a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "A\t: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "A b: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "A(: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "\xc3\xa9: a\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n A: b\r\n" HOST "\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "A: b\r\n c\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "A: b\r\n\tc\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "A: b\nB: c\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "A: b\rB: c\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "A: b\x01\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "A: b\x7f\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "Authorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "Last-Event-ID: 1\r\nlast-event-id: 2\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "Origin: a\r\nOrigin: b\r\n\r\n", 400},
        {"GET / HTTP/1.1\r\n" HOST "Content-Type: a\r\nContent-Type: b\r\n\r\n", 400},
        {0},
    };
    static const char nul[] = "GET / HTTP/1.1\r\n" HOST "A: b\0c\r\n\r\n";

    (void)state;
    check_samples(samples);
    check_sample(nul, sizeof(nul) - 1, 400);
}

static void a_length_that_is_not_certain_is_refused(void **state)
{
#define POST "POST /triggers HTTP/1.1\r\n" HOST
    static const struct sample samples[] = {
        {POST "Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400},
        {POST "Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400},
        {POST "Content-Length: 1, 1\r\n\r\n", 400},
        {POST "Content-Length: +1\r\n\r\n", 400},
        {POST "Content-Length: -1\r\n\r\n", 400},
        {POST "Content-Length: 0x1\r\n\r\n", 400},
        {POST "Content-Length: 1 2\r\n\r\n", 400},
        {POST "Content-Length: 1.0\r\n\r\n", 400},
        {POST "Content-Length:\r\n\r\n", 400},
        {POST "Content-Length : 1\r\n\r\n", 400},
        {POST "Content-Length: 65537\r\n\r\n", 413},
        {POST "Content-Length: 18446744073709551617\r\n\r\n", 413},
        {POST "Content-Length: 99999999999999999999999999999999999999999\r\n\r\n", 413},
        {POST "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {POST "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400},
        {POST "Transfer-Encoding: chunked\r\n\r\n", 411},
        {POST "transfer-encoding:\tCHUNKED \r\n\r\n", 411},
        {POST "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
        {POST "Transfer-Encoding: chunked, gzip\r\n\r\n", 400},
        {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {POST "Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n\r\n", 400},
        {POST "Transfer-Encoding: xchunked\r\n\r\n", 400},
        {POST "Transfer-Encoding: \"chunked\"\r\n\r\n", 400},
        {POST "Transfer-Encoding: chunked;q=1\r\n\r\n", 400},
        {POST "Transfer-Encoding: identity\r\n\r\n", 400},
        {POST "Transfer-Encoding:\r\n\r\n", 400},
        {POST "Transfer-Encoding : chunked\r\n\r\n", 400},
        {POST " Transfer-Encoding: chunked\r\n\r\n", 400},
        {POST "Transfer-Encoding: chunked\x0b\r\n\r\n", 400},
        {POST "Transfer-Encoding:\r\n chunked\r\n\r\n", 400},
        {"POST /triggers HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        {POST "Expect: 100-continue, x\r\n\r\n", 417},
        {POST "Expect: x\r\n\r\n", 417},
        {0},
    };

    (void)state;
    check_samples(samples);
}

/* "GET /" and so on, with count times part in the middle. */
static char *repeat(const char *before, const char *part, size_t count, const char *after)
{
    char *text = calloc(1, strlen(before) + count * strlen(part) + strlen(after) + 1);
    char *end = text;

    assert_non_null(text);
    end = stpcpy(end, before);
    for (size_t i = 0; i < count; i++)
        end = stpcpy(end, part);
    strcpy(end, after);
    return text;
}

static void check_repeated(const char *before, const char *part, size_t count, const char *after, int error,
                           unsigned status)
{
    struct request_head head;
    char *text = repeat(before, part, count, after);

    assert_int_equal(check(text, strlen(text), &head), error);
    assert_int_equal(head.problem_status, status);
    free(text);
}

static void what_is_too_long_is_refused_before_its_end_has_come(void **state)
{
    static const char line_end[] = " HTTP/1.1\r\n" HOST "\r\n", get[] = "GET / HTTP/1.1\r\n" HOST;

    (void)state;
    check_repeated("GET /", "a", HTTP_URI_BYTES_MAX - 1, line_end, 0, 0);
    check_repeated("GET /", "a", HTTP_URI_BYTES_MAX, line_end, -EBADMSG, 414);
    check_repeated("GET /", "a", HTTP_URI_BYTES_MAX + 100, "", -EBADMSG, 414);
    check_repeated(get, "a: b\r\n", HTTP_HEADERS_MAX - 1, "\r\n", 0, 0);
    check_repeated(get, "a: b\r\n", HTTP_HEADERS_MAX, "", -EBADMSG, 431);
    check_repeated(get, "a: 0123456789\r\n", 100, "a: ", -EAGAIN, 0);
    check_repeated("GET / HTTP/1.1\r\n" HOST "a: ", "b", HTTP_HEAD_BYTES_MAX - 42, "\r\n\r\n", 0, 0);
    check_repeated("GET / HTTP/1.1\r\n" HOST "a: ", "b", HTTP_HEAD_BYTES_MAX - 37, "\r\n\r\n", -EBADMSG, 431);
    check_repeated("GET / HTTP/1.1\r\n" HOST "a: ", "b", HTTP_HEAD_BYTES_MAX, "", -EBADMSG, 431);
    check_repeated("GET /?", "a&", 511, line_end, 0, 0);
    check_repeated("GET /?", "a&", 512, line_end, -EBADMSG, 400);
    check_repeated("GET /?", "a&", 400, " HTTP/1.1\r\n" HOST "Cookie: a; b\r\n\r\n", 0, 0);
    check_repeated("GET / HTTP/1.1\r\n" HOST "Cookie: ", "a=1; ", 509, "\r\n\r\n", 0, 0);
    check_repeated("GET / HTTP/1.1\r\n" HOST "Cookie: ", "a=1; ", 512, "\r\n\r\n", -EBADMSG, 431);
}

static void what_follows_the_head_is_left_alone(void **state)
{
    static const char text[] = "POST /triggers HTTP/1.1\r\n" HOST "Content-Length: 3\r\nA: b\r\n\r\n\1\2\3\n";
    struct request_head head;

    (void)state;
    assert_int_equal(check(text, sizeof(text) - 1, &head), 0);
    assert_int_equal(head.size_bytes, sizeof(text) - 1 - 4);
    assert_int_equal(head.body_bytes, 3);
    assert_int_equal(head.items, 3);
    assert_false(head.is_head);
    assert_int_equal(check("HEAD / HTTP/2.0\r\n", 17, &head), -EBADMSG);
    assert_true(head.is_head);
}

static void the_origin_of_a_refused_head_is_found_as_far_as_it_has_come(void **state)
{
    static const struct {
        const char *text, *origin;
    } samples[] = {
        {"GET / HTTP/1.1\r\nOrigin: https://a\r\n", "https://a"},
        {"GET / HTTP/1.1\r\nA: b\r\nORIGIN:\t https://a \r\nC:", "https://a"},
        {"bad\nA : b\norigin:https://a\n\n", "https://a"},
        {"GET / HTTP/1.1\r\nOrigin:\r\n", ""},
        {"GET / HTTP/1.1\r\nOrigin: https://a", ""},
        {"GET / HTTP/1.1\r\nOrigins: https://a\r\nXOrigin: b\r\nOrigin\r\nOrigin : c\r\n", ""},
        {"GET / HTTP/1.1\r\nOrigin: a\r\nOrigin: a\r\n", ""},
        {"GET / HTTP/1.1\r\n\r\nOrigin: https://a\r\n", ""},
        {"Origin: https://a\r\n", ""},
        {"Origin: https://a", ""},
        {"\n", ""},
        {"", ""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        struct request_head head = {0};
        size_t size = strlen(samples[i].text);
        char *copy = malloc(size + (size == 0)); /* no byte more, for the sanitizer */
        assert_non_null(copy);
        memcpy(copy, samples[i].text, size);
        request_guard_find_origin(copy, size, &head);
        if (strcmp(head.origin, samples[i].origin) != 0)
            fail_msg("%s: %s", samples[i].text, head.origin);
        free(copy);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_clients_and_proxies_send_passes),
        cmocka_unit_test(a_request_line_that_rfc_9112_calls_invalid_is_refused),
        cmocka_unit_test(a_target_that_two_readers_may_read_differently_is_refused),
        cmocka_unit_test(headers_that_hide_something_are_refused),
        cmocka_unit_test(a_length_that_is_not_certain_is_refused),
        cmocka_unit_test(what_is_too_long_is_refused_before_its_end_has_come),
        cmocka_unit_test(what_follows_the_head_is_left_alone),
        cmocka_unit_test(the_origin_of_a_refused_head_is_found_as_far_as_it_has_come),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
