/* A request for a stream: three lines, the path's channel as it stands on the wire, the query, and the Last-Event-ID
 * header. What is taken is within its bounds, and what is refused says why. */
#include "http/stream_request.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CHANNELS_MAX = 3 };

static void check_taken(struct stream_request *request)
{
    const struct selection *selection = &request->selection;
    struct buffer key, again;

    assert(selection->channels.count > 0 && selection->channels.count <= CHANNELS_MAX);
    for (size_t i = 0; i < selection->channels.count; i++) {
        const char *name = selection->channels.items[i];
        assert(strlen(name) > 0 && strlen(name) <= CHANNEL_NAME_BYTES_MAX);
        for (; *name; name++)
            assert((unsigned char)*name >= 0x20 && *name != 0x7f);
    }
    assert(selection->tables.count + selection->ids.count <= FILTER_VALUES_MAX);
    assert(strlen(request->start.id) <= ID_BYTES_MAX);
    assert(request->start.has_id || request->start.id[0] == '\0');
    assert(strspn(request->start.id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-") ==
           strlen(request->start.id));
    buffer_init(&key, 1 << 20);
    buffer_init(&again, 1 << 20);
    selection_key(&request->selection, &key);
    selection_key(&request->selection, &again);
    assert(!key.failed && buffer_size(&key) == buffer_size(&again) &&
           memcmp(buffer_bytes(&key), buffer_bytes(&again), buffer_size(&key)) == 0);
    buffer_done(&key);
    buffer_done(&again);
}

static void try_request(const char *path, const char *query_text, const char *header)
{
    struct stream_request request = {0};
    struct query query = {0};
    struct buffer problem;
    char *channel = NULL;

    if (path[0] && percent_decode(path, strlen(path), &channel) < 0)
        return;
    int error = query_parse(query_text, &query);
    assert(error == 0 || error == -EINVAL || error == -E2BIG);
    buffer_init(&problem, 4096);
    if (error == 0) {
        assert(query.count <= QUERY_ITEMS_MAX);
        error = stream_request_parse(channel, &query, header, CHANNELS_MAX, &request, &problem);
        assert(error == 0 || error == -EINVAL);
        assert(!problem.failed && (error < 0) == (buffer_size(&problem) > 0));
        if (error == 0)
            check_taken(&request);
    }
    stream_request_done(&request);
    query_done(&query);
    buffer_done(&problem);
    free(channel);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    const char *parts[3] = {"", "", NULL};

    if (!text)
        return 0;
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    char *rest = text;
    for (int i = 0; i < 3 && rest; i++)
        parts[i] = strsep(&rest, "\n");
    try_request(parts[0], parts[1] ? parts[1] : "", parts[2]);
    free(text);
    return 0;
}
