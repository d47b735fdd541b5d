/* The descriptors of the process. */
#pragma once

#include <stddef.h>

/* Raises the soft limit to the hard one. Returns how many descriptors there are beside so many reserved ones, at least
 * 1; SIZE_MAX when the limit cannot be found out. */
size_t descriptors_room(size_t reserved);

/* Opens /dev/null in place of what is closed of standard input, output and error: or a socket would be given its
 * number, and messages be written to whoever is at the other end. To be called before anything is opened. */
void descriptors_fill_standard(void);
