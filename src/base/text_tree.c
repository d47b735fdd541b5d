#include "base/text_tree.h"

#include <search.h>
#include <string.h>

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void *text_tree_find(const struct text_tree *tree, const char *text)
{
    void *node = tfind(&text, &tree->root, compare);

    return node ? *(void **)node : NULL;
}

bool text_tree_add(struct text_tree *tree, void *item)
{
    return tsearch(item, &tree->root, compare) != NULL;
}

void text_tree_remove(struct text_tree *tree, void *item)
{
    tdelete(item, &tree->root, compare);
}
