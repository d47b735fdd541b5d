#include "http/guard.h"

#include "access/secret.h"
#include "http/credential.h"
#include "http/reply.h"

#include <string.h>
#include <time.h>

static enum MHD_Result reply_unauthorized(struct exchange *exchange, unsigned status, const char *error,
                                          const char *text)
{
    struct MHD_Response *response = reply_new_problem(status, NULL, text);
    struct buffer challenge;

    buffer_init(&challenge, 1024);
    buffer_append_text(&challenge, "Bearer realm=\"tuplecast\"");
    if (error)
        buffer_printf(&challenge, ", error=\"%s\", error_description=\"%s\"", error, text);
    const char *header = buffer_text(&challenge);
    if (response && header)
        reply_add_header(response, MHD_HTTP_HEADER_WWW_AUTHENTICATE, header);
    buffer_done(&challenge);
    return reply_queue(exchange, status, response);
}

enum MHD_Result reply_refusal(struct exchange *exchange, enum refusal refusal)
{
    const struct refusal_words *words = refusal_words(refusal);

    return reply_unauthorized(exchange, words->status, words->error, words->text);
}

static bool admit_manager(struct exchange *exchange, enum MHD_Result *ret_result)
{
    const char *token = exchange->services->config(exchange->services->context)->triggers.token;
    const char *authorization = exchange_header(exchange, MHD_HTTP_HEADER_AUTHORIZATION);
    const struct credential_sources sources = {.authorization = authorization, .bearer_only = true};
    struct credential credential = {0};

    if (token[0] == '\0') {
        *ret_result = reply_unauthorized(exchange, MHD_HTTP_FORBIDDEN, NULL,
                                         "Triggers cannot be managed here: no token is configured "
                                         "(triggers.token_file, or TUPLECAST_TRIGGERS_TOKEN).");
        return false;
    }
    enum refusal refusal = credential_take(&sources, &credential);
    bool admitted = refusal == REFUSAL_NONE && secret_equal(credential.text, token);
    credential_done(&credential);
    if (admitted)
        return true;
    if (refusal == REFUSAL_BEARER_ONLY)
        *ret_result = reply_unauthorized(exchange, MHD_HTTP_UNAUTHORIZED, NULL,
                                         "Send the configured token as Authorization: Bearer <token>.");
    else if (refusal != REFUSAL_NONE)
        *ret_result = reply_refusal(exchange, refusal);
    else
        *ret_result = reply_unauthorized(exchange, MHD_HTTP_UNAUTHORIZED, "invalid_token",
                                         "The token is not the configured one.");
    return false;
}

static enum refusal judge_ticket(const struct exchange *exchange, const struct access *access, const char *text,
                                 struct grant **ret_grant)
{
    const struct http_services *services = exchange->services;
    struct grant *grant = tickets_redeem(services->tickets, text, loop_clock_ms());

    if (!grant)
        return REFUSAL_UNKNOWN_TICKET;
    enum refusal refusal = !access_knows(access, grant->source)      ? REFUSAL_REVOKED
                           : (int64_t)time(NULL) >= grant->expires_s ? REFUSAL_EXPIRED
                                                                     : REFUSAL_NONE;
    if (refusal == REFUSAL_NONE)
        *ret_grant = grant;
    else
        grant_unref(grant);
    return refusal;
}

static enum refusal judge_reader(struct exchange *exchange)
{
    const struct http_services *services = exchange->services;
    const struct config *config = services->config(services->context);
    const struct access *access = services->access(services->context);
    struct buffer cookies;
    struct credential_sources sources = {
        .authorization = exchange_header(exchange, MHD_HTTP_HEADER_AUTHORIZATION),
        .query = &exchange->query,
        .cookie_name = config->access.cookie,
        .query_tokens = config->access.query_tokens,
        .bearer_only = exchange->route->guard == GUARD_BEARER,
    };
    struct credential credential;

    if (access_streams(access) == ACCESS_OPEN)
        return REFUSAL_NONE;
    if (access_streams(access) == ACCESS_CLOSED)
        return REFUSAL_CLOSED;
    /* Proxies that speak HTTP/2 to their clients may pass on several lines (RFC 9113, section 8.2.3). */
    buffer_init(&cookies, HTTP_HEAD_BYTES_MAX);
    if (config->access.cookie[0])
        sources.cookies = exchange_header_lines(exchange, MHD_HTTP_HEADER_COOKIE, "; ", &cookies);
    enum refusal refusal = cookies.failed ? REFUSAL_NO_MEMORY : credential_take(&sources, &credential);
    buffer_done(&cookies);
    if (refusal != REFUSAL_NONE)
        return refusal;
    refusal = credential.is_ticket ? judge_ticket(exchange, access, credential.text, &exchange->grant)
                                   : access_judge(access, credential.text, (int64_t)time(NULL), &exchange->grant);
    credential_done(&credential);
    return refusal;
}

bool guard_admits(struct exchange *exchange, enum MHD_Result *ret_result)
{
    enum refusal refusal = REFUSAL_NONE;

    switch (exchange->route->guard) {
    case GUARD_NONE:
        return true;
    case GUARD_MANAGER:
        return admit_manager(exchange, ret_result);
    case GUARD_READER:
    case GUARD_BEARER:
        refusal = judge_reader(exchange);
        break;
    }
    if (refusal != REFUSAL_NONE)
        *ret_result = reply_refusal(exchange, refusal);
    return refusal == REFUSAL_NONE;
}
