/* Text of a database in another encoding than UTF8; the first byte says in which. What is made of it is UTF-8, and goes
 * back only as what comes again. */
#include "base/transcode.h"
#include "base/utf8.h"

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const ENCODINGS[] = {"SQL_ASCII", "LATIN1", "WIN1252", "WIN1255",     "EUC_JP",
                                        "EUC_CN",    "EUC_KR", "EUC_TW",  "EUC_JIS_2004"};

static void go_back(struct transcoder *transcoder, const char *text, size_t size_bytes)
{
    struct buffer room, again;
    const char *sent;

    buffer_init(&room, 4 * size_bytes + 1);
    buffer_init(&again, 4 * size_bytes + 1);
    int error = transcode_out(transcoder, text, NULL, &room, &sent);
    if (error == 0) {
        size_t size = strlen(sent);
        const char *back = transcode_in(transcoder, sent, &size, &again);
        assert(back && size == size_bytes && memcmp(back, text, size) == 0);
    }
    assert(transcode_out(transcoder, text, "?", &room, &sent) == 0);
    buffer_done(&room);
    buffer_done(&again);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct transcoder *transcoder;
    struct buffer room;
    size_t made_size = size - 1;

    if (size < 2 || memchr(data, 0, size))
        return 0;
    transcoder = transcoder_find(ENCODINGS[data[0] % (sizeof(ENCODINGS) / sizeof(ENCODINGS[0]))]);
    if (!transcoder)
        return 0;
    buffer_init(&room, 4 * size);
    const char *made = transcode_in(transcoder, (const char *)data + 1, &made_size, &room);
    assert(made && made_size <= 3 * size && utf8_is_valid(made, made_size));
    char *text = calloc(1, made_size + 1); /* not strndup(): what was ASCII is the input itself, which has no end */
    if (text) {
        memcpy(text, made, made_size);
        go_back(transcoder, text, made_size);
    }
    free(text);
    buffer_done(&room);
    return 0;
}
