/* What a request brings to prove who it is from: the first line is its Authorization, the second its cookies, the third
 * its query. A ticket that nobody gave out opens nothing. */
#include "access/tickets.h"
#include "http/credential.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void look(const char *authorization, const char *cookies, const struct query *query, bool query_tokens)
{
    const struct credential_sources sources = {authorization, cookies, query, "stream", query_tokens, false};
    struct credential credential = {0};
    struct tickets tickets;

    if (credential_take(&sources, &credential) != REFUSAL_NONE) {
        assert(!credential.text);
        return;
    }
    assert(credential.text);
    if (credential.is_ticket && tickets_init(&tickets) == 0) {
        assert(!tickets_redeem(&tickets, credential.text, 0));
        tickets_done(&tickets);
    }
    credential_done(&credential);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = calloc(1, size + 1), *rest = text;
    struct query query = {0};

    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    const char *authorization = strsep(&rest, "\n"), *cookies = strsep(&rest, "\n");
    if (!rest || query_parse(rest, &query) == 0) {
        look(authorization[0] ? authorization : NULL, cookies, &query, false);
        look(authorization[0] ? authorization : NULL, cookies, &query, true);
    }
    query_done(&query);
    free(text);
    return 0;
}
