#include "access/tickets.h"

#include "access/secret.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

int tickets_init(struct tickets *tickets)
{
    *tickets = (struct tickets){.places = calloc(TICKETS_MAX, sizeof(*tickets->places))};
    return tickets->places ? 0 : -ENOMEM;
}

static struct grant *empty(struct ticket *place)
{
    struct grant *grant = place->grant;

    explicit_bzero(place, sizeof(*place));
    return grant;
}

void tickets_done(struct tickets *tickets)
{
    for (size_t i = 0; tickets->places && i < TICKETS_MAX; i++)
        grant_unref(empty(&tickets->places[i]));
    free(tickets->places);
    *tickets = (struct tickets){0};
}

static bool is_free(const struct ticket *place, int64_t now_ms)
{
    return !place->grant || now_ms >= place->expires_ms;
}

static bool is_of_token(const struct ticket *place, const struct grant *grant)
{
    return place->grant == grant || (grant->token != 0 && place->grant->token == grant->token);
}

/* Returns 0, and next is a free place; or why there is none. */
static int find_place(struct tickets *tickets, const struct grant *grant, int64_t now_ms)
{
    size_t taken = 0, its = 0, found = TICKETS_MAX;

    for (size_t i = 0; i < TICKETS_MAX; i++) {
        size_t at = (tickets->next + i) % TICKETS_MAX;
        const struct ticket *place = &tickets->places[at];
        if (!is_free(place, now_ms)) {
            taken++;
            its += is_of_token(place, grant);
        } else if (found == TICKETS_MAX) {
            found = at;
        }
    }
    if (found == TICKETS_MAX)
        return -ENOSPC;
    tickets->next = found;
    return its > 0 && its >= TICKETS_MAX - taken ? -EDQUOT : 0;
}

int tickets_issue(struct tickets *tickets, struct grant *grant, int64_t now_ms, char ret_text[TICKET_TEXT_BYTES])
{
    int error = find_place(tickets, grant, now_ms);

    if (error < 0)
        return error;
    struct ticket *place = &tickets->places[tickets->next];
    grant_unref(empty(place));
    if (getrandom(place->secret, sizeof(place->secret), 0) != (ssize_t)sizeof(place->secret))
        return -errno;
    place->grant = grant_ref(grant);
    place->expires_ms = now_ms + TICKET_LIFE_S * 1000;
    int size = snprintf(ret_text, TICKET_TEXT_BYTES, "%zu-", tickets->next);
    for (size_t i = 0; i < sizeof(place->secret); i++)
        size += snprintf(ret_text + size, TICKET_TEXT_BYTES - (size_t)size, "%02x", place->secret[i]);
    tickets->next = (tickets->next + 1) % TICKETS_MAX;
    return 0;
}

/* Exactly what we write: 32 lower-case digits. */
static bool parse_secret(const char *text, unsigned char ret_secret[TICKET_SECRET_BYTES])
{
    static const char digits[] = "0123456789abcdef";

    if (strlen(text) != 2 * TICKET_SECRET_BYTES)
        return false;
    for (size_t i = 0; i < 2 * TICKET_SECRET_BYTES; i++) {
        const char *digit = strchr(digits, text[i]);
        if (!digit)
            return false;
        ret_secret[i / 2] = (unsigned char)(ret_secret[i / 2] << 4 | (digit - digits));
    }
    return true;
}

struct grant *tickets_redeem(struct tickets *tickets, const char *text, int64_t now_ms)
{
    unsigned char secret[TICKET_SECRET_BYTES] = {0};
    size_t digits = strspn(text, "0123456789"), at = 0;

    if (digits == 0 || digits > 4 || (text[0] == '0' && digits > 1) || text[digits] != '-' ||
        !parse_secret(text + digits + 1, secret))
        return NULL;
    for (size_t i = 0; i < digits; i++)
        at = at * 10 + (size_t)(text[i] - '0');
    if (at >= TICKETS_MAX || is_free(&tickets->places[at], now_ms) ||
        !secret_equal_bytes(tickets->places[at].secret, secret, sizeof(secret)))
        return NULL;
    return empty(&tickets->places[at]);
}
