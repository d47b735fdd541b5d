/* A payload from anybody who can connect to the database: one line of JSON comes out, which begins with the real
 * channel, and what filters look at agrees with it. */
#include "base/limits.h"
#include "stream/decode.h"
#include "stream/json_text.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WRAPPED "{\"channel\":\"posts\",\"table\":null,\"type\":null,\"id\":null,\"data\":"

static bool is_json(const struct event *event)
{
    const char *json = event_json(event);

    /* A wrapped value stands one level deeper than a payload may be nested, so it is looked at alone. */
    if (strncmp(json, WRAPPED, strlen(WRAPPED)) != 0)
        return json_is_valid(json, event->json_bytes);
    return json[event->json_bytes - 1] == '}' &&
           json_is_valid(json + strlen(WRAPPED), event->json_bytes - strlen(WRAPPED) - 1);
}

/* The members that we write stand once each. */
static void check_members(const struct event *event)
{
    struct json_slice rest = {event_json(event), event->json_bytes}, key, value;
    int channels = 0, tables = 0, types = 0, ops = 0, ours = 0;

    while (json_next_member(&rest, &key, &value)) {
        struct buffer name;
        buffer_init(&name, PAYLOAD_BYTES_MAX + 1);
        json_append_unescaped(&name, key);
        assert(!name.failed);
        if (buffer_size(&name) == 7 && memcmp(buffer_bytes(&name), "channel", 7) == 0) {
            channels++;
            assert(value.size_bytes == 7 && memcmp(value.text, "\"posts\"", 7) == 0);
        }
        tables += buffer_size(&name) == 5 && memcmp(buffer_bytes(&name), "table", 5) == 0;
        types += buffer_size(&name) == 4 && memcmp(buffer_bytes(&name), "type", 4) == 0;
        ops += buffer_size(&name) == 2 && memcmp(buffer_bytes(&name), "op", 2) == 0;
        ours += buffer_size(&name) == 1 && buffer_bytes(&name)[0] == '_';
        ours += buffer_size(&name) == 4 && memcmp(buffer_bytes(&name), "_was", 4) == 0;
        buffer_done(&name);
    }
    assert(channels == 1 && tables == 1 && types == 1 && ops <= 1 && ours == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct event *event = NULL;
    int error = decode_payload("posts", (const char *)data, size, &event);

    if (size > PAYLOAD_BYTES_MAX) {
        assert(error == -E2BIG && !event);
        return 0;
    }
    assert(error == 0 && event->references == 1);
    const char *json = event_json(event);
    assert(json[event->json_bytes] == '\0' && strlen(json) == event->json_bytes);
    assert(!strpbrk(json, "\r\n"));
    assert(strncmp(json, "{\"channel\":\"posts\",", 19) == 0);
    assert(is_json(event));
    if (event->type == EVENT_TYPE_NONE)
        assert(!event_schema(event) && !event_table(event) && !event_id(event) && !event_was(event));
    else
        assert(event_table(event) && event_type_name(event->type));
    if (event_was(event))
        assert(event->type == EVENT_TYPE_DELETE && event_was(event)[0] == '{' &&
               json_is_valid(event_was(event), strlen(event_was(event))));
    check_members(event);
    event_unref(event);
    return 0;
}
