/* Structs found by a text: tsearch(3) with the comparison that all of ours need. An item is a struct whose first member
 * is a char *, its text, which must not change while it is in a tree. The tree holds no item's memory. */
#pragma once

#include <stdbool.h>

struct text_tree {
    void *root;
};

void *text_tree_find(const struct text_tree *tree, const char *text); /* NULL: not there */
bool text_tree_add(struct text_tree *tree, void *item);               /* false: out of memory */
void text_tree_remove(struct text_tree *tree, void *item);
