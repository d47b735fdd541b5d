/* GET / and the other files of the web page, out of the program itself. */
#include "base/embedded.h"
#include "base/hash.h"
#include "http/entity_tag.h"
#include "http/reply.h"
#include "http/routes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { PATH_BYTES = 128 };

static const char *content_type(const char *path)
{
    static const char *const types[][2] = {
        {".html", "text/html; charset=utf-8"},
        {".js", "text/javascript; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".svg", "image/svg+xml"},
        {".json", "application/json"},
        {".ts", "text/plain; charset=utf-8"},
        {".LICENSE", "text/plain; charset=utf-8"},
    };
    const char *ending = strrchr(path, '.');

    for (size_t i = 0; ending && i < sizeof(types) / sizeof(*types); i++)
        if (strcmp(types[i][0], ending) == 0)
            return types[i][1];
    return "application/octet-stream";
}

/* An entity tag that changes with the contents. */
static void make_tag(const struct embedded_file *file, char tag[24])
{
    snprintf(tag, 24, "\"%016" PRIx64 "\"", hash_bytes(file->data, file->size_bytes));
}

static enum MHD_Result reply_file(struct exchange *exchange, const char *name)
{
    static const char policy[] = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
                                 "img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
    char path[PATH_BYTES], tag[24];

    snprintf(path, sizeof(path), "www%s", name);
    const struct embedded_file *file = embedded_find(path);
    if (!file)
        return reply_problem(exchange, MHD_HTTP_NOT_FOUND, "There is nothing here. Streams are at /streams/<channel>.");
    make_tag(file, tag);
    bool same = entity_tag_is_known(exchange, tag);
    struct MHD_Response *response =
        reply_new(content_type(path), same ? "" : (const char *)file->data, same ? 0 : file->size_bytes);
    if (!response)
        return MHD_NO;
    reply_add_header(response, MHD_HTTP_HEADER_ETAG, tag);
    reply_add_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-cache"); /* may be kept, but ask each time */
    reply_add_header(response, "Content-Security-Policy", policy);
    reply_add_header(response, "Referrer-Policy", "no-referrer");
    return reply_queue(exchange, same ? MHD_HTTP_NOT_MODIFIED : MHD_HTTP_OK, response);
}

enum MHD_Result pages_get(struct exchange *exchange)
{
    /* No name of ours needs an escape, so the target may stay as it is. */
    return reply_file(exchange, exchange->segment ? exchange->target : "/index.html");
}

enum MHD_Result openapi_get(struct exchange *exchange)
{
    return reply_file(exchange, "/openapi.json");
}
