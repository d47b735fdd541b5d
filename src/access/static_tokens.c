#include "access/static_tokens.h"

#include "config/checks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The characters of RFC 6750, section 2.1: they fit into a header, a cookie and a query alike. */
static const char TOKEN_CHARACTERS[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=";

struct line {
    const char *text; /* no NUL in it, nor behind it */
    size_t size_bytes;
    size_t number;
};

static int refuse(struct buffer *problem, const struct line *line, const char *wrong)
{
    buffer_printf(problem, "line %zu %s", line->number, wrong);
    return -EINVAL;
}

/* Takes the next word off a line; its size, 0 at the end. */
static size_t next_word(struct line *line, const char **ret_word)
{
    size_t size = 0;

    while (line->size_bytes > 0 && memchr(" \t\r", line->text[0], 3)) {
        line->text++;
        line->size_bytes--;
    }
    *ret_word = line->text;
    while (size < line->size_bytes && !memchr(" \t\r", line->text[size], 3))
        size++;
    line->text += size;
    line->size_bytes -= size;
    return size;
}

static int take_channels(struct line *line, struct grant *grant, struct buffer *problem)
{
    const char *word;
    size_t size;

    while ((size = next_word(line, &word)) > 0) {
        char *name = calloc(1, size + 1);
        if (name)
            memcpy(name, word, size);
        const char *wrong = name ? check_name(name) : NULL;
        if (!wrong && grant->channels.count == GRANT_CHANNELS_MAX)
            wrong = "is one channel more than the 256 that a token can have";
        int error = !name ? -ENOMEM : wrong ? -EINVAL : text_list_add(&grant->channels, name);
        free(name);
        if (error == -EINVAL) {
            buffer_printf(problem, "line %zu has a channel that %s", line->number, wrong);
            return error;
        }
        if (error < 0)
            return error;
    }
    return 0;
}

/* The first bytes of a digest of the whole line, so that another right makes another source. */
static int take_source(const struct line *line, uint64_t *ret_source)
{
    uint8_t digest[SHA256_BYTES];
    int error = sha256(line->text, line->size_bytes, digest);

    if (error < 0)
        return error;
    memcpy(ret_source, digest, sizeof(*ret_source));
    *ret_source |= 1;
    return 0;
}

static int add_token(struct static_tokens *tokens, struct line *line, struct buffer *problem)
{
    struct static_token added = {.grant = grant_new()};
    const struct line whole = *line;
    const char *token;
    size_t size = next_word(line, &token);

    if (!added.grant)
        return -ENOMEM;
    int error = 0;
    if (size < TOKEN_BYTES_MIN || size > TOKEN_BYTES_MAX)
        error = refuse(problem, line, "has a token that does not have 16 to 4096 bytes");
    for (size_t i = 0; error == 0 && i < size; i++)
        if (!memchr(TOKEN_CHARACTERS, token[i], sizeof(TOKEN_CHARACTERS) - 1))
            error = refuse(problem, line, "has a token with other characters than A-Z a-z 0-9 - . _ ~ + / =");
    if (error == 0)
        error = sha256(token, size, added.digest);
    for (size_t i = 0; error == 0 && i < tokens->count; i++)
        if (memcmp(tokens->items[i].digest, added.digest, SHA256_BYTES) == 0)
            error = refuse(problem, line, "has a token that stands above already");
    if (error == 0)
        error = take_channels(line, added.grant, problem);
    if (error == 0)
        error = take_source(&whole, &added.grant->source);
    if (error < 0) {
        grant_unref(added.grant);
        return error;
    }
    tokens->items[tokens->count++] = added;
    return 0;
}

static int add_lines(struct static_tokens *tokens, const char *contents, size_t size_bytes, struct buffer *problem)
{
    const char *at = contents, *end = contents + size_bytes;
    int error = 0;

    for (size_t number = 1; error == 0 && at < end; number++) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        struct line line = {at, newline ? (size_t)(newline - at) : (size_t)(end - at), number};
        struct line look = line;
        const char *word;
        at = newline ? newline + 1 : end;
        if (next_word(&look, &word) == 0 || word[0] == '#')
            continue;
        if (memchr(line.text, '\0', line.size_bytes))
            error = refuse(problem, &line, "has a NUL");
        else if (tokens->count == STATIC_TOKENS_MAX)
            error = refuse(problem, &line, "is one more than the 1000 that can be");
        else
            error = add_token(tokens, &line, problem);
    }
    return error;
}

int static_tokens_parse(const char *contents, size_t size_bytes, struct static_tokens *ret_tokens,
                        struct buffer *problem)
{
    struct static_tokens tokens = {calloc(STATIC_TOKENS_MAX, sizeof(*tokens.items)), 0};
    int error = tokens.items ? add_lines(&tokens, contents, size_bytes, problem) : -ENOMEM;

    if (error == 0 && tokens.count == 0) {
        buffer_append_text(problem, "holds no token; write one a line, as from openssl rand -hex 32");
        error = -EINVAL;
    }
    if (error < 0) {
        static_tokens_done(&tokens);
        return error;
    }
    *ret_tokens = tokens;
    return 0;
}

void static_tokens_done(struct static_tokens *tokens)
{
    for (size_t i = 0; i < tokens->count; i++)
        grant_unref(tokens->items[i].grant);
    free(tokens->items);
    *tokens = (struct static_tokens){0};
}

int static_tokens_find(const struct static_tokens *tokens, const char *token, struct grant **ret_grant)
{
    uint8_t digest[SHA256_BYTES];

    if (tokens->count == 0)
        return -ENOENT;
    int error = sha256(token, strlen(token), digest);
    if (error < 0)
        return error;
    for (size_t i = 0; i < tokens->count; i++) {
        if (memcmp(tokens->items[i].digest, digest, SHA256_BYTES) != 0)
            continue;
        *ret_grant = tokens->items[i].grant;
        return 0;
    }
    return -ENOENT;
}
