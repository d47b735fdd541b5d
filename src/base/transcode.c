#include "base/transcode.h"

#include "base/utf8.h"

#include <errno.h>
#include <iconv.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum { CHUNK_BYTES = 4096 };

static const char REPLACEMENT[] = "\xef\xbf\xbd";

struct transcoder {
    const char *encoding; /* as PostgreSQL calls it */
    const char *charset;  /* as the C library does; NULL: bytes of any kind */
    /* How long a sequence is that begins with a byte above 0x7f: with 0x8e, with 0x8f, with another one. */
    unsigned char sizes[3];
    bool open;
    iconv_t in, out;
};

#define SINGLE                                                                                                         \
    {                                                                                                                  \
        1, 1, 1                                                                                                        \
    }
#define DOUBLE(ss2)                                                                                                    \
    {                                                                                                                  \
        ss2, 3, 2                                                                                                      \
    }

/* All that a database may have but two: MULE_INTERNAL, which the C library does not know; and WIN1258, where it
 * composes letters that PostgreSQL leaves apart. EUC-JP-MS has each letter of PostgreSQL's EUC_JP as PostgreSQL has it,
 * which EUC-JP has not. EUC-JISX0213 differs from EUC_JIS_2004 in two: a1b1 and a1ef become U+FFE3 and U+FFE5 (in
 * PostgreSQL U+203E and U+00A5). */
static struct transcoder transcoders[] = {
    {"UTF8", NULL, SINGLE, false, NULL, NULL}, /* a superuser can write other bytes, and so can a failing disk */
    {"SQL_ASCII", NULL, SINGLE, false, NULL, NULL},
    {"LATIN1", "ISO-8859-1", SINGLE, false, NULL, NULL},
    {"LATIN2", "ISO-8859-2", SINGLE, false, NULL, NULL},
    {"LATIN3", "ISO-8859-3", SINGLE, false, NULL, NULL},
    {"LATIN4", "ISO-8859-4", SINGLE, false, NULL, NULL},
    {"LATIN5", "ISO-8859-9", SINGLE, false, NULL, NULL},
    {"LATIN6", "ISO-8859-10", SINGLE, false, NULL, NULL},
    {"LATIN7", "ISO-8859-13", SINGLE, false, NULL, NULL},
    {"LATIN8", "ISO-8859-14", SINGLE, false, NULL, NULL},
    {"LATIN9", "ISO-8859-15", SINGLE, false, NULL, NULL},
    {"LATIN10", "ISO-8859-16", SINGLE, false, NULL, NULL},
    {"ISO_8859_5", "ISO-8859-5", SINGLE, false, NULL, NULL},
    {"ISO_8859_6", "ISO-8859-6", SINGLE, false, NULL, NULL},
    {"ISO_8859_7", "ISO-8859-7", SINGLE, false, NULL, NULL},
    {"ISO_8859_8", "ISO-8859-8", SINGLE, false, NULL, NULL},
    {"WIN866", "IBM866", SINGLE, false, NULL, NULL},
    {"WIN874", "WINDOWS-874", SINGLE, false, NULL, NULL},
    {"WIN1250", "CP1250", SINGLE, false, NULL, NULL},
    {"WIN1251", "CP1251", SINGLE, false, NULL, NULL},
    {"WIN1252", "CP1252", SINGLE, false, NULL, NULL},
    {"WIN1253", "CP1253", SINGLE, false, NULL, NULL},
    {"WIN1254", "CP1254", SINGLE, false, NULL, NULL},
    {"WIN1255", "CP1255", SINGLE, false, NULL, NULL},
    {"WIN1256", "CP1256", SINGLE, false, NULL, NULL},
    {"WIN1257", "CP1257", SINGLE, false, NULL, NULL},
    {"KOI8R", "KOI8-R", SINGLE, false, NULL, NULL},
    {"KOI8U", "KOI8-U", SINGLE, false, NULL, NULL},
    {"EUC_JP", "EUC-JP-MS", DOUBLE(2), false, NULL, NULL},
    {"EUC_JIS_2004", "EUC-JISX0213", DOUBLE(2), false, NULL, NULL},
    {"EUC_CN", "EUC-CN", DOUBLE(2), false, NULL, NULL},
    {"EUC_KR", "EUC-KR", DOUBLE(2), false, NULL, NULL},
    {"EUC_TW", "EUC-TW", DOUBLE(4), false, NULL, NULL},
};

static bool open_ways(struct transcoder *transcoder)
{
    if (transcoder->open || !transcoder->charset)
        return true;
    transcoder->in = iconv_open("UTF-8", transcoder->charset);
    if (transcoder->in == (iconv_t)-1)
        return false;
    transcoder->out = iconv_open(transcoder->charset, "UTF-8");
    transcoder->open = transcoder->out != (iconv_t)-1;
    if (!transcoder->open)
        iconv_close(transcoder->in);
    return transcoder->open;
}

struct transcoder *transcoder_find(const char *encoding)
{
    for (size_t i = 0; encoding && i < sizeof(transcoders) / sizeof(transcoders[0]); i++)
        if (strcmp(transcoders[i].encoding, encoding) == 0)
            return open_ways(&transcoders[i]) ? &transcoders[i] : NULL;
    return NULL;
}

static bool is_ascii(const char *text, size_t size_bytes)
{
    uint64_t eight;
    size_t i = 0;

    for (; i + sizeof(eight) <= size_bytes; i += sizeof(eight)) {
        memcpy(&eight, text + i, sizeof(eight));
        if (eight & UINT64_C(0x8080808080808080))
            return false;
    }
    for (; i < size_bytes; i++)
        if (text[i] & 0x80)
            return false;
    return true;
}

/* Of what cannot be converted. It never ends within ASCII: a quote behind it stays one. */
static size_t sequence_size(const struct transcoder *transcoder, const char *at, const char *end)
{
    unsigned char first = (unsigned char)*at;
    size_t size = 1, whole = first < 0x80 ? 1 : transcoder->sizes[first == 0x8e ? 0 : first == 0x8f ? 1 : 2];

    while (size < whole && at + size < end && (at[size] & 0x80))
        size++;
    return size;
}

/* Appends what can be converted. Returns where that ends. */
static const char *convert(iconv_t way, const char *at, const char *end, struct buffer *out)
{
    char chunk[CHUNK_BYTES], *to = chunk;
    char *from = (char *)(uintptr_t)at; /* iconv does not write there */
    size_t left = (size_t)(end - at), room = sizeof(chunk);

    while (iconv(way, &from, &left, &to, &room) == (size_t)-1 && errno == E2BIG && !out->failed) {
        buffer_append(out, chunk, (size_t)(to - chunk));
        to = chunk;
        room = sizeof(chunk);
    }
    buffer_append(out, chunk, (size_t)(to - chunk));
    to = chunk;
    room = sizeof(chunk);
    iconv(way, NULL, NULL, &to, &room); /* what it has kept in case that a mark follows which belongs to it */
    buffer_append(out, chunk, (size_t)(to - chunk));
    return from;
}

static void convert_in(struct transcoder *transcoder, const char *at, const char *end, struct buffer *out)
{
    while (at < end && !out->failed) {
        at = convert(transcoder->in, at, end, out);
        if (at == end)
            break;
        buffer_append_text(out, REPLACEMENT);
        at += sequence_size(transcoder, at, end);
    }
}

static void keep_utf8(const char *text, const char *text_end, struct buffer *out)
{
    const unsigned char *at = (const unsigned char *)text, *end = (const unsigned char *)text_end, *good = at;

    while (at < end && !out->failed) {
        size_t size = utf8_size(at, end);
        if (size == 0) {
            buffer_append(out, good, (size_t)(at - good));
            buffer_append_text(out, REPLACEMENT);
            good = at + 1;
        }
        at += size ? size : 1;
    }
    buffer_append(out, good, (size_t)(at - good));
}

const char *transcode_in(struct transcoder *transcoder, const char *text, size_t *size_bytes, struct buffer *room)
{
    if (!transcoder || is_ascii(text, *size_bytes))
        return text;
    if (!transcoder->charset && utf8_is_valid(text, *size_bytes))
        return text;
    buffer_clear(room);
    if (transcoder->charset)
        convert_in(transcoder, text, text + *size_bytes, room);
    else
        keep_utf8(text, text + *size_bytes, room);
    const char *made = buffer_text(room);
    if (made)
        *size_bytes = buffer_size(room);
    return made;
}

/* Converters pass over what they take for invisible, and have one form for what is two in Unicode: then a name would be
 * that of something else. */
static int comes_back(struct transcoder *transcoder, const char *made, size_t made_bytes, const char *text)
{
    size_t size = strlen(text);
    struct buffer back;

    buffer_init(&back, size + sizeof(REPLACEMENT));
    convert_in(transcoder, made, made + made_bytes, &back);
    bool same = !back.failed && buffer_size(&back) == size && memcmp(buffer_bytes(&back), text, size) == 0;
    buffer_done(&back);
    return same ? 0 : -EILSEQ;
}

int transcode_out(struct transcoder *transcoder, const char *text, const char *lacking, struct buffer *room,
                  const char **ret_text)
{
    const char *at = text, *end = text + strlen(text);

    if (!transcoder || !transcoder->charset || is_ascii(text, strlen(text))) {
        *ret_text = text;
        return 0;
    }
    buffer_clear(room);
    while (at < end && !room->failed) {
        at = convert(transcoder->out, at, end, room);
        if (at == end)
            break;
        if (!lacking)
            return -EILSEQ;
        size_t size = utf8_size((const unsigned char *)at, (const unsigned char *)end);
        buffer_append_text(room, lacking);
        at += size ? size : 1;
    }
    const char *made = buffer_text(room);
    if (!made)
        return -ENOMEM;
    int error = lacking ? 0 : comes_back(transcoder, made, buffer_size(room), text);
    if (error == 0)
        *ret_text = made;
    return error;
}
