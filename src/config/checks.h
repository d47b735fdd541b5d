/* Checks of single texts, for the table: each returns NULL, or what is wrong with the text and what to do
 * about it in fixed words that go on from the text itself ("... has no port; write host:port"). */
#pragma once

enum {
    TOKEN_BYTES_MIN = 16,
    TOKEN_BYTES_MAX = 4096,
};

const char *check_listen(const char *text);
const char *check_name(const char *text);   /* of a channel or a schema; a pattern as well */
const char *check_origin(const char *text); /* "*" too */
const char *check_path(const char *text);
const char *check_token(const char *text);             /* its bytes, not how many */
const char *check_key_file(const char *text);          /* an absolute path, or kid=path */
const char *check_claim(const char *text);             /* what a claim must be */
const char *check_cookie(const char *text);            /* a cookie's name; empty is fine */
const char *check_host(const char *text);              /* a name or pattern without a port */
const char *check_management_listen(const char *text); /* as check_listen; empty is fine */
