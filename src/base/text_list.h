/* A list of texts that it owns. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct text_list {
    char **items;
    size_t count;
};

/* Copies the items. Returns 0 or -ENOMEM. */
int text_list_init(struct text_list *ret_list, const char *const *items, size_t count);
/* Adds a copy of text, unless it is there already. Returns 0 or -ENOMEM. */
int text_list_add(struct text_list *list, const char *text);

bool text_list_has(const struct text_list *list, const char *text); /* false for NULL */

void text_list_done(struct text_list *list); /* leaves it empty; also fine on a zeroed list */

bool text_list_equal(const struct text_list *one, const struct text_list *other);
