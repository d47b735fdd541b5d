/* Streams end when the right to read them does: at a time that is known, or because it was revoked, which is a time
 * that has come. A feed knows the first such time among its subscribers, so that looking for them costs nothing before.
 * Inside stream/ only. */
#pragma once

#include "loop/loop.h"

/* A portion of ending those whose time is over, with `bye`; queues itself while there are more. */
void expiry_run(struct loop_task *task);
