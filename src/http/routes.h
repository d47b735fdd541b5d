/* The whole HTTP surface in one table. */
#pragma once

#include "http/exchange.h"

/* Finds the route of exchange->method and target; sets route and segment. Returns 0; -ENOENT: no such
 * resource; -EOPNOTSUPP: not with this method, and ret_allow is what Allow says; -EINVAL: a bad escape in the
 * path; -ENOMEM. */
int routes_find(struct exchange *exchange, struct buffer *ret_allow);

enum MHD_Result streams_get(struct exchange *exchange);
enum MHD_Result triggers_list(struct exchange *exchange);
enum MHD_Result triggers_get(struct exchange *exchange);
enum MHD_Result triggers_put(struct exchange *exchange);
enum MHD_Result triggers_post(struct exchange *exchange);
enum MHD_Result channels_list(struct exchange *exchange);
enum MHD_Result tables_list(struct exchange *exchange);
enum MHD_Result triggers_delete(struct exchange *exchange);
enum MHD_Result tickets_post(struct exchange *exchange);
enum MHD_Result session_post(struct exchange *exchange);
enum MHD_Result session_delete(struct exchange *exchange);
enum MHD_Result openapi_get(struct exchange *exchange);
enum MHD_Result health_live(struct exchange *exchange);
enum MHD_Result health_ready(struct exchange *exchange);
enum MHD_Result metrics_get(struct exchange *exchange);
enum MHD_Result pages_get(struct exchange *exchange);
