/* Members of JSON objects that come from outside: names are compared unescaped, and none may be there twice, since two
 * programs would take different ones. */
#pragma once

#include "stream/json_text.h"

/* Whether no two members of a valid object have the same name, and there are at most members_max of them (they are
 * compared each with each). Objects within it are not looked into. */
bool members_are_single(struct json_slice object, size_t members_max);

/* Finds a member of a valid object; returns whether it is there. */
bool member_find(struct json_slice object, const char *name, struct json_slice *ret_value);

/* A member that is a string, unescaped. Returns 0; -ENOENT: it is not there; -EINVAL: it is not a string, is too long
 * for the room, or has a NUL. Without memory to unescape it -EINVAL, too. */
int member_text(struct json_slice object, const char *name, char *ret_text, size_t room_bytes);

/* The same for a value. */
int value_text(struct json_slice value, char *ret_text, size_t room_bytes);
