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
const char *check_token(const char *text); /* its bytes, not how many */
