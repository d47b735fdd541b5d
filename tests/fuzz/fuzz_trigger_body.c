/* The body of a request that wants a trigger: what is taken is complete and within its bounds, and what is refused says
 * why. */
#include "stream/event.h"
#include "stream/json_text.h"
#include "triggers/definition.h"

#include <assert.h>
#include <errno.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { ALL = EVENT_TYPE_INSERT | EVENT_TYPE_UPDATE | EVENT_TYPE_DELETE | EVENT_TYPE_TRUNCATE, NAME_BYTES_MAX = 63 };

static void check_name(const char *name)
{
    assert(name && strlen(name) > 0 && strlen(name) <= NAME_BYTES_MAX);
    for (; *name; name++)
        assert((unsigned char)*name >= 0x20 && *name != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct trigger_definition definition = {.operations = 77};
    struct buffer problem;

    if (size > HTTP_BODY_BYTES_MAX)
        return 0;
    buffer_init(&problem, 4096);
    const struct json_slice body = {(const char *)data, size};
    bool whole_channel = size % 2 == 1;
    int error = trigger_definition_parse(body, whole_channel, &definition, &problem);
    assert(error == 0 || error == -EINVAL || error == -EPROTO);
    assert(!problem.failed && (error < 0) == (buffer_size(&problem) > 0));
    if (error < 0) {
        assert(definition.operations == 77 && !definition.table);
    } else {
        assert(json_is_valid((const char *)data, size));
        check_name(definition.schema);
        check_name(definition.table);
        check_name(definition.channel);
        assert(json_is_valid(definition.json, strlen(definition.json)));
        assert(whole_channel == (strstr(definition.json, ",\"whole_channel\":true}") != NULL));
        assert(definition.operations != 0 && (definition.operations & ~(unsigned)ALL) == 0);
        trigger_definition_done(&definition);
    }
    buffer_done(&problem);
    return 0;
}
