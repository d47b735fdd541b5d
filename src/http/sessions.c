/* POST /tickets, and /session: for browsers, whose EventSource sends no headers. A ticket goes into the address of one
 * stream; a session is the token itself in a cookie that no script can read. */
#include "http/guard.h"
#include "http/reply.h"
#include "http/routes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Browsers keep a cookie with its name and attributes up to 4096 bytes (RFC 6265, section 6.1). */
enum { COOKIE_BYTES_MAX = 4096, COOKIE_ATTRIBUTES_BYTES = 128 };

static enum MHD_Result reply_needless(struct exchange *exchange)
{
    return reply_problem(exchange, MHD_HTTP_CONFLICT, "Streams are open to all here: no token is needed.");
}

/* A refusal that ends when tickets expire. */
static enum MHD_Result reply_later(struct exchange *exchange, unsigned status, const char *detail)
{
    struct MHD_Response *response = reply_new_problem(status, NULL, detail);
    char seconds[16];

    snprintf(seconds, sizeof(seconds), "%d", TICKET_LIFE_S);
    if (response)
        reply_add_header(response, MHD_HTTP_HEADER_RETRY_AFTER, seconds);
    return reply_queue(exchange, status, response);
}

enum MHD_Result tickets_post(struct exchange *exchange)
{
    char ticket[TICKET_TEXT_BYTES], json[128];

    if (!exchange->grant)
        return reply_needless(exchange);
    int error = tickets_issue(exchange->services->tickets, exchange->grant, loop_clock_ms(), ticket);
    if (error == -EDQUOT)
        return reply_later(exchange, MHD_HTTP_TOO_MANY_REQUESTS,
                           "This token has as many open tickets as it can have. Use them, or wait until they expire.");
    if (error == -ENOSPC)
        return reply_later(exchange, MHD_HTTP_SERVICE_UNAVAILABLE,
                           "There are as many open tickets as can be; try again in a few seconds.");
    if (error < 0)
        return MHD_NO;
    snprintf(json, sizeof(json), "{\"ticket\":\"%s\",\"expires_in\":%d}\n", ticket, TICKET_LIFE_S);
    return reply_json(exchange, MHD_HTTP_CREATED, json);
}

static enum MHD_Result reply_cookie(struct exchange *exchange, const char *value, int64_t life_s)
{
    static const char *const same_site[] = {"Strict", "Lax", "None"};
    const struct config *config = exchange->services->config(exchange->services->context);
    struct MHD_Response *response = reply_new(NULL, "", 0);
    struct buffer cookie;

    buffer_init(&cookie, 2 * COOKIE_BYTES_MAX);
    buffer_printf(&cookie, "%s=%s; Path=/; HttpOnly; SameSite=%s%s", config->access.cookie, value,
                  same_site[config->access.cookie_same_site], config->access.cookie_secure ? "; Secure" : "");
    if (life_s < INT64_MAX)
        buffer_printf(&cookie, "; Max-Age=%" PRId64, life_s);
    const char *text = buffer_text(&cookie);
    bool added = response && text && reply_add_header(response, MHD_HTTP_HEADER_SET_COOKIE, text) &&
                 reply_add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
    buffer_done(&cookie);
    if (!added) {
        if (response)
            MHD_destroy_response(response);
        return MHD_NO;
    }
    return reply_queue(exchange, MHD_HTTP_NO_CONTENT, response);
}

static bool has_cookie(const struct exchange *exchange)
{
    return exchange->services->config(exchange->services->context)->access.cookie[0] != '\0';
}

enum MHD_Result session_post(struct exchange *exchange)
{
    const char *authorization = exchange_header(exchange, MHD_HTTP_HEADER_AUTHORIZATION);
    const struct config *config = exchange->services->config(exchange->services->context);

    if (!has_cookie(exchange))
        return reply_problem(exchange, MHD_HTTP_NOT_FOUND, "Cookies are switched off here (access.cookie).");
    if (!exchange->grant)
        return reply_needless(exchange);
    /* The guard has found a token behind the scheme. */
    const char *token = authorization + strlen("Bearer ");
    token += strspn(token, " ");
    if (strlen(config->access.cookie) + strlen(token) > COOKIE_BYTES_MAX - COOKIE_ATTRIBUTES_BYTES)
        return reply_problem(exchange, MHD_HTTP_UNPROCESSABLE_CONTENT,
                             "The token is too long for a cookie, which has at most 4096 bytes; use tickets.");
    int64_t expires_s = exchange->grant->expires_s;
    return reply_cookie(exchange, token, expires_s < INT64_MAX ? expires_s - (int64_t)time(NULL) : INT64_MAX);
}

enum MHD_Result session_delete(struct exchange *exchange)
{
    if (!has_cookie(exchange))
        return reply_problem(exchange, MHD_HTTP_NOT_FOUND, "Cookies are switched off here (access.cookie).");
    return reply_cookie(exchange, "", 0);
}
