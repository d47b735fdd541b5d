/* A configuration text from anybody: it is taken or refused with reasons, and what is taken prints and reads
 * back. */
#include "config/config.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
const char *__lsan_default_suppressions(void);

/* libconfig 1.5 loses the text at hand when it meets a syntax error behind it. */
const char *__lsan_default_suppressions(void)
{
    return "leak:libconfig";
}

static void check_round_trip(struct config *config)
{
    struct config again = {0};
    struct buffer text, problems, names;
    int r;

    buffer_init(&text, 8 << 20);
    buffer_init(&problems, 8 << 20);
    buffer_init(&names, 4096);
    config_print(config, NULL, &text);
    assert(buffer_text(&text));
    r = config_load(&(struct config_source){.text = buffer_text(&text)}, &again, &problems);
    /* Only what is too large once its bytes are escaped may not read back. */
    assert(r == 0 || strstr(buffer_text(&problems), "is too large"));
    if (r == 0) {
        assert(!config_keep_fixed(config, &again, &names) || strcmp(buffer_text(&names), "database") == 0);
        assert(text_list_equal(&config->channels, &again.channels));
        config_done(&again);
    }
    buffer_done(&names);
    buffer_done(&problems);
    buffer_done(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct config config = {0};
    struct buffer problems;
    char *text = malloc(size + 1);
    int r;

    if (!text)
        return 0;
    memcpy(text, data, size);
    text[size] = '\0';
    buffer_init(&problems, 8 << 20);
    r = config_load(&(struct config_source){.text = text}, &config, &problems);
    assert(problems.failed || (r < 0) == (buffer_size(&problems) > 0));
    if (r == 0) {
        config_channel_allowed(&config, text);
        check_round_trip(&config);
        config_done(&config);
    }
    buffer_done(&problems);
    free(text);
    return 0;
}
