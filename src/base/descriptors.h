/* How many files the process may have open. */
#pragma once

#include <stddef.h>

/* Raises the soft limit to the hard one. Returns how many descriptors there are beside so many reserved ones, at least
 * 1; SIZE_MAX when the limit cannot be found out. */
size_t descriptors_room(size_t reserved);
