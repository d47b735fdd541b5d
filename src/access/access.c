#include "access/access.h"

#include "access/key_ring.h"
#include "access/static_tokens.h"
#include "access/token.h"
#include "base/hash.h"
#include "config/read_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct access {
    enum access_streams streams;
    struct key_ring keys;
    struct static_tokens tokens;
    struct text_list audiences;
    char *issuer;
    uint64_t policy; /* digest of audiences and issuer */
};

/* Reads a file; a line for problems when it cannot be. */
static int read_named(const char *setting, const char *file, size_t bytes_max, struct buffer *contents,
                      mode_t *ret_mode, struct buffer *problems)
{
    buffer_init(contents, bytes_max);
    int error = read_file(file, contents, ret_mode);
    if (error < 0 && error != -ENOMEM) {
        buffer_printf(problems, "%s: cannot read %.300s: %s\n", setting, file, read_file_wrong(error));
        return -EINVAL;
    }
    return error;
}

static void forget(struct buffer *contents)
{
    if (contents->data)
        explicit_bzero(contents->data, contents->capacity);
    buffer_done(contents);
}

static bool is_open_to_all(const char *setting, const char *file, mode_t mode, struct buffer *problems)
{
    if (mode & S_IROTH)
        buffer_printf(
            problems,
            "%s: %.300s holds a secret and can be read by everybody; take that right away, as with chmod o-r\n",
            setting, file);
    return (mode & S_IROTH) != 0;
}

static int read_tokens(struct access *access, const char *file, struct buffer *problems)
{
    static const char setting[] = "access.tokens_file";
    struct buffer contents, problem;
    mode_t mode = 0;
    int error = read_named(setting, file, TOKENS_FILE_BYTES_MAX, &contents, &mode, problems);

    buffer_init(&problem, 1024);
    if (error == 0 && is_open_to_all(setting, file, mode, problems)) {
        error = -EINVAL;
    } else if (error == 0) {
        error = static_tokens_parse(buffer_bytes(&contents), buffer_size(&contents), &access->tokens, &problem);
        if (error == -EINVAL)
            buffer_printf(problems, "%s: %.300s: %s\n", setting, file, buffer_text(&problem));
    }
    buffer_done(&problem);
    forget(&contents);
    return error;
}

static bool has_secret(const struct key_ring *keys, size_t from)
{
    for (size_t i = from; i < keys->count; i++)
        if (signing_key_is_secret(keys->items[i].key))
            return true;
    return false;
}

/* item: a file, or name=file. */
static int read_keys(struct access *access, const char *item, struct buffer *problems)
{
    static const char setting[] = "access.jwt_keys";
    const char *equals = item[0] == '/' ? NULL : strchr(item, '='), *file = equals ? equals + 1 : item;
    char *kid = equals ? strndup(item, (size_t)(equals - item)) : NULL;
    size_t before = access->keys.count;
    const char *wrong = NULL;
    struct buffer contents;
    mode_t mode = 0;

    if (equals && !kid)
        return -ENOMEM;
    int error = read_named(setting, file, KEY_FILE_BYTES_MAX, &contents, &mode, problems);
    if (error == 0) {
        error = key_ring_add_file(&access->keys, kid, buffer_bytes(&contents), buffer_size(&contents), &wrong);
        if (error == -EINVAL)
            buffer_printf(problems, "%s: %.300s %s\n", setting, file, wrong);
    }
    if (error == 0 && has_secret(&access->keys, before) && is_open_to_all(setting, file, mode, problems))
        error = -EINVAL;
    forget(&contents);
    free(kid);
    return error;
}

static int add_secret(struct access *access, const char *secret, struct buffer *problems)
{
    struct signing_key *key;
    const char *wrong;
    int error = signing_key_from_secret(secret, strlen(secret), &key, &wrong);

    if (error == 0)
        error = key_ring_add(&access->keys, NULL, key, &wrong);
    if (error == -EINVAL)
        buffer_printf(problems, "access.jwt_secret: %s\n", wrong);
    return error;
}

/* Settings that only make sense together. */
static int check_together(const struct config *config, struct buffer *problems)
{
    bool has_keys = config->access.jwt_keys.count > 0 || config->access.jwt_secret[0];
    int error = 0;

    if (config->access.streams == ACCESS_TOKEN && !has_keys && !config->access.tokens_file[0]) {
        buffer_append_text(problems, "access.streams: \"token\" needs tokens: set access.tokens_file, access.jwt_keys, "
                                     "or TUPLECAST_ACCESS_JWT_SECRET\n");
        error = -EINVAL;
    }
    if (has_keys && config->access.jwt_audiences.count == 0) {
        buffer_append_text(problems, "access.jwt_audiences: is empty, but a JWT counts only for an audience; name the "
                                     "`aud` of your tokens\n");
        error = -EINVAL;
    }
    if (config->access.cookie_same_site == SAME_SITE_NONE && !config->access.cookie_secure) {
        buffer_append_text(problems, "access.cookie_same_site: browsers take \"none\" only together with "
                                     "access.cookie_secure = true\n");
        error = -EINVAL;
    }
    return error;
}

static bool needs_crypto(const struct config *config)
{
    return config->access.tokens_file[0] || config->access.jwt_secret[0] || config->access.jwt_keys.count > 0;
}

/* All is looked at, so that all problems are told; no memory ends it at once. */
static int fill(struct access *access, const struct config *config, struct buffer *problems)
{
    int error = check_together(config, problems), wrong;

    if (needs_crypto(config) && (wrong = crypto_start()) < 0)
        return wrong;
    if (config->access.tokens_file[0] && (wrong = read_tokens(access, config->access.tokens_file, problems)) < 0)
        error = wrong;
    if (error != -ENOMEM && config->access.jwt_secret[0] &&
        (wrong = add_secret(access, config->access.jwt_secret, problems)) < 0)
        error = wrong;
    for (size_t i = 0; error != -ENOMEM && i < config->access.jwt_keys.count; i++)
        if ((wrong = read_keys(access, config->access.jwt_keys.items[i], problems)) < 0)
            error = wrong;
    return error;
}

/* A key counts for audiences and an issuer: with others it is another source. */
static int take_policy(struct access *access)
{
    uint8_t digest[SHA256_BYTES];
    struct buffer text;

    buffer_init(&text, 1 << 22);
    buffer_append(&text, access->issuer, strlen(access->issuer) + 1);
    for (size_t i = 0; i < access->audiences.count; i++)
        buffer_append(&text, access->audiences.items[i], strlen(access->audiences.items[i]) + 1);
    int error = text.failed ? -ENOMEM : sha256(buffer_bytes(&text), buffer_size(&text), digest);
    buffer_done(&text);
    if (error == 0)
        memcpy(&access->policy, digest, sizeof(access->policy));
    return error;
}

int access_new(const struct config *config, struct access **ret_access, struct buffer *problems)
{
    struct access *access = calloc(1, sizeof(*access));

    if (!access)
        return -ENOMEM;
    access->streams = config->access.streams;
    access->issuer = strdup(config->access.jwt_issuer);
    const struct text_list *audiences = &config->access.jwt_audiences;
    int error = access->issuer
                    ? text_list_init(&access->audiences, (const char *const *)audiences->items, audiences->count)
                    : -ENOMEM;
    if (error == 0)
        error = fill(access, config, problems);
    if (error == 0 && access->keys.count > 0)
        error = take_policy(access);
    if (error < 0) {
        access_free(access);
        return error;
    }
    *ret_access = access;
    return 0;
}

void access_free(struct access *access)
{
    if (!access)
        return;
    key_ring_done(&access->keys);
    static_tokens_done(&access->tokens);
    text_list_done(&access->audiences);
    free(access->issuer);
    free(access);
}

/* Needs no memory: a stream is not to end because there is none. */
static uint64_t source_of(const struct access *access, const struct signing_key *key)
{
    uint64_t source;

    memcpy(&source, signing_key_fingerprint(key), sizeof(source));
    return (source ^ access->policy) | 1;
}

enum refusal access_judge(const struct access *access, const char *token, int64_t now_s, struct grant **ret_grant)
{
    const struct token_policy policy = {&access->keys, &access->audiences, access->issuer};
    const struct signing_key *key;
    struct grant *grant;
    int error = static_tokens_find(&access->tokens, token, &grant);

    if (error == -ENOMEM)
        return REFUSAL_NO_MEMORY;
    if (error == 0) {
        *ret_grant = grant_ref(grant);
        return REFUSAL_NONE;
    }
    if (access->keys.count == 0)
        return REFUSAL_UNKNOWN_TOKEN;
    if (access->tokens.count > 0 && !token_is_jwt(token))
        return REFUSAL_UNKNOWN_TOKEN;
    grant = grant_new();
    if (!grant)
        return REFUSAL_NO_MEMORY;
    enum refusal refusal = token_verify(token, &policy, now_s, grant, &key);
    if (refusal != REFUSAL_NONE) {
        grant_unref(grant);
        return refusal;
    }
    grant->source = source_of(access, key);
    grant->token = hash_bytes(token, strlen(token)) | 1; /* the issuer has signed it: nobody chooses it */
    *ret_grant = grant;
    return REFUSAL_NONE;
}

bool access_knows(const struct access *access, uint64_t source)
{
    if (access->streams != ACCESS_TOKEN)
        return access->streams == ACCESS_OPEN;
    for (size_t i = 0; i < access->tokens.count; i++)
        if (access->tokens.items[i].grant->source == source)
            return true;
    for (size_t i = 0; i < access->keys.count; i++)
        if (source_of(access, access->keys.items[i].key) == source)
            return true;
    return false;
}

enum access_streams access_streams(const struct access *access)
{
    return access->streams;
}
