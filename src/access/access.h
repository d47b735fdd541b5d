/* Who may read streams, as the configuration has it: nobody, everybody, or whoever has a token that grants it.
 *
 * Keys and tokens are read from their files once, when it is made; a reload makes another one. */
#pragma once

#include "access/grant.h"
#include "access/refusal.h"
#include "config/config.h"

struct access;

/* Reads the files that config names. Appends a line to problems for each thing that is wrong with them: which setting,
 * what, what to do. config is lent for the call. Returns 0, -EINVAL or -ENOMEM. */
int access_new(const struct config *config, struct access **ret_access, struct buffer *problems);
void access_free(struct access *access); /* NULL is fine */

/* Judges a token, a JWT or a fixed one. On REFUSAL_NONE *ret_grant is a reference. now_s: Unix time. Not to be asked
 * where access.streams is not "token". */
enum refusal access_judge(const struct access *access, const char *token, int64_t now_s, struct grant **ret_grant);

/* Whether what vouches for a grant still does: the key is still there and counts for the same audiences and issuer, the
 * fixed token still stands in its file with the same channels. 0 is the source of a stream that needed no token. */
bool access_knows(const struct access *access, uint64_t source);

enum access_streams access_streams(const struct access *access);
