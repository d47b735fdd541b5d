/* A token's claim `tuplecast`, {"channels":["orders_*"],"where":{"tenant_id":42}}: what it allows. A member that is not
 * known is refused, because a misspelt `where` would show all rows. */
#pragma once

#include "access/grant.h"
#include "access/refusal.h"

/* claims: a valid object without doubled members. On REFUSAL_NONE grant has channels and where. */
enum refusal claims_take(struct json_slice claims, struct grant *grant);
