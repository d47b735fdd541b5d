/* Trigger requests, carried out one after the other over a connection of their own, so that a slow DDL
 * statement delays no stream. The connection is made when the first request comes and closed when there was
 * none for a while. */
#pragma once

#include "loop/loop.h"
#include "triggers/call.h"

struct trigger_calls;

/* database is copied. on_changed is called before the answer to each request that may have changed a trigger. NULL with
 * errno set. */
struct trigger_calls *trigger_calls_new(struct loop *loop, const char *database, void (*on_changed)(void *context),
                                        void *context);
bool trigger_calls_waiting(const struct trigger_calls *calls); /* a request has no answer yet */

/* Answers what still waits with 57P01 (admin_shutdown). NULL is fine. */
void trigger_calls_free(struct trigger_calls *calls);

/* Copies the request; done is called exactly once, from the loop or from trigger_calls_free, and never from
 * within this call. Returns 0, -EAGAIN when TRIGGER_CALLS_QUEUED_MAX wait already, or -ENOMEM. */
int trigger_calls_add(struct trigger_calls *calls, const struct trigger_request *request, trigger_done done,
                      void *context);
