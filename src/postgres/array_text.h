/* Lists of texts as query parameters. */
#pragma once

#include "base/text_list.h"

/* The list as a text[] in PostgreSQL's text form, {"a","b"} (manual, "Arrays", Array Input and Output Syntax). The
 * caller frees it; NULL without memory. */
char *array_text(const struct text_list *list);
