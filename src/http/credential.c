#include "http/credential.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* The token of "Bearer <token>", or NULL. The scheme is in any case of letters (RFC 9110, section 11.1). */
static const char *bearer_token(const char *authorization)
{
    if (!authorization || strncasecmp(authorization, "Bearer ", 7) != 0)
        return NULL;
    authorization += 7;
    authorization += strspn(authorization, " ");
    return authorization[0] && !strpbrk(authorization, " \t") ? authorization : NULL;
}

static size_t count_items(const struct query *query, const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < query->count; i++)
        count += strcmp(query->items[i].name, name) == 0;
    return count;
}

/* The value of the cookie of that name (RFC 6265, section 5.4: "a=b; c=d"), without quotes around it. Returns how many
 * there are. */
static size_t find_cookie(const char *cookies, const char *name, const char **ret_value, size_t *ret_size)
{
    size_t count = 0, name_size = strlen(name);

    while (cookies && *cookies) {
        cookies += strspn(cookies, " \t;");
        size_t size = strcspn(cookies, ";"), trimmed = size;
        while (trimmed > 0 && (cookies[trimmed - 1] == ' ' || cookies[trimmed - 1] == '\t'))
            trimmed--;
        if (trimmed > name_size && strncmp(cookies, name, name_size) == 0 && cookies[name_size] == '=') {
            bool quoted = trimmed >= name_size + 3 && cookies[name_size + 1] == '"' && cookies[trimmed - 1] == '"';
            *ret_value = cookies + name_size + 1 + quoted;
            *ret_size = trimmed - name_size - 1 - 2 * (size_t)quoted;
            count++;
        }
        cookies += size;
    }
    return count;
}

static enum refusal copy(const char *text, size_t size_bytes, bool is_ticket, struct credential *ret_credential)
{
    char *copied = strndup(text, size_bytes);

    if (!copied)
        return REFUSAL_NO_MEMORY;
    *ret_credential = (struct credential){copied, is_ticket};
    return REFUSAL_NONE;
}

enum refusal credential_take(const struct credential_sources *sources, struct credential *ret_credential)
{
    const char *bearer = bearer_token(sources->authorization), *cookie = NULL;
    size_t cookie_size = 0;

    if (sources->bearer_only)
        return bearer ? copy(bearer, strlen(bearer), false, ret_credential) : REFUSAL_BEARER_ONLY;
    size_t tickets = count_items(sources->query, "ticket"), tokens = count_items(sources->query, "access_token");
    if (tokens > 0 && !sources->query_tokens)
        return REFUSAL_QUERY_TOKEN_OFF;
    if (tickets + tokens + (bearer != NULL) > 1)
        return REFUSAL_TWO_TOKENS;
    if (bearer)
        return copy(bearer, strlen(bearer), false, ret_credential);
    if (tickets + tokens > 0) {
        const char *text = query_first(sources->query, tickets > 0 ? "ticket" : "access_token");
        return copy(text, strlen(text), tickets > 0, ret_credential);
    }
    size_t found =
        sources->cookie_name[0] ? find_cookie(sources->cookies, sources->cookie_name, &cookie, &cookie_size) : 0;
    if (found > 1)
        return REFUSAL_TWO_COOKIES;
    if (found == 1)
        return copy(cookie, cookie_size, false, ret_credential);
    return sources->authorization ? REFUSAL_NOT_BEARER : REFUSAL_NO_TOKEN;
}

void credential_done(struct credential *credential)
{
    if (credential->text)
        explicit_bzero(credential->text, strlen(credential->text));
    free(credential->text);
    *credential = (struct credential){0};
}
