#include "base/transcode.h"

#include "base/utf8.h"
#include "unit.h"

#include <errno.h>

#define UNKNOWN "\xef\xbf\xbd"

enum { ROOM = 1 << 16 };

static const char *const ENCODINGS[] = {
    "SQL_ASCII",  "LATIN1",     "LATIN2",  "LATIN3",     "LATIN4",     "LATIN5",  "LATIN6",  "LATIN7",
    "LATIN8",     "LATIN9",     "LATIN10", "ISO_8859_5", "ISO_8859_6", "WIN866",  "WIN874",  "WIN1250",
    "WIN1251",    "WIN1252",    "WIN1253", "WIN1254",    "WIN1255",    "WIN1256", "WIN1257", "KOI8R",
    "ISO_8859_7", "ISO_8859_8", "KOI8U",   "EUC_JP",     "EUC_CN",     "EUC_KR",  "EUC_TW",  "EUC_JIS_2004",
};

static const struct {
    const char *encoding, *theirs, *utf8;
} PAIRS[] = {
    {"LATIN1",
     "gr\xf6\xdf"
     "e",
     "größe"},
    {"LATIN9", "\xa4", "€"},
    {"WIN1252", "\x80 \x93", "€ “"},
    {"WIN1251", "\xcf\xf0\xe8", "При"},
    {"WIN874", "\xa1\x80", "ก€"},
    {"KOI8R", "\xf0\xd2\xc9", "При"},
    {"EUC_JP", "\xc6\xfc\xcb\xdc\x8e\xb1\xad\xa1\x8f\xb0\xa1", "日本ｱ①丂"},
    {"EUC_JP", "\xa1\xc1\xa1\xdd", "～－"},
    {"EUC_CN", "\xba\xba\xd7\xd6", "汉字"},
    {"EUC_KR", "\xc7\xd1\xb1\xdb", "한글"},
    {"EUC_TW", "\xed\xe0\x8e\xa2\xa1\xa1", "熱乂"},
    {"EUC_JIS_2004", "\xc6\xfc\xa4\xf7", "日か゚"},
    {"SQL_ASCII", "größe", "größe"},
    {"LATIN1", "", ""},
};

static const struct {
    const char *encoding, *theirs, *utf8;
} BAD[] = {
    {"WIN1252", "a\x81\x80\"", "a" UNKNOWN "€\""},
    {"WIN1252", "\x81\x8d", UNKNOWN UNKNOWN},
    {"LATIN3", "\xa5", UNKNOWN},
    {"EUC_JP", "\xa9\xa1\xc6\xfc", UNKNOWN "日"}, /* one for a sequence, not for each byte */
    {"EUC_JP", "\"\xa9\"", "\"" UNKNOWN "\""},    /* nothing of what is behind it is lost */
    {"EUC_JP",
     "\x8f\xff\xff"
     "b",
     UNKNOWN "b"},
    {"EUC_JP", "\xc6", UNKNOWN},
    {"EUC_TW",
     "\x8e\xfe\xfe\xfe"
     "b",
     UNKNOWN "b"},
    {"EUC_JIS_2004", "\xa4\xab\xff\xff", "か" UNKNOWN},
    {"SQL_ASCII", "a\xe4\xc3\xa4\xff", "a" UNKNOWN "ä" UNKNOWN},
    {"UTF8", "a\xe4\xc3\xa4\xff", "a" UNKNOWN "ä" UNKNOWN},
};

static const char *in(const char *encoding, const char *text, struct buffer *room)
{
    size_t size = strlen(text);
    const char *made = transcode_in(transcoder_find(encoding), text, &size, room);

    assert_non_null(made);
    assert_int_equal(size, strlen(made));
    return made;
}

static void letters_come_and_go(void **state)
{
    struct buffer room;
    const char *made;

    (void)state;
    buffer_init(&room, ROOM);
    for (size_t i = 0; i < COUNT_OF(PAIRS); i++) {
        assert_string_equal(in(PAIRS[i].encoding, PAIRS[i].theirs, &room), PAIRS[i].utf8);
        assert_int_equal(transcode_out(transcoder_find(PAIRS[i].encoding), PAIRS[i].utf8, NULL, &room, &made), 0);
        assert_string_equal(made, PAIRS[i].theirs);
    }
    buffer_done(&room);
}

static void what_is_nothing_in_utf8_is_told_by_one_sign_and_the_rest_stays(void **state)
{
    struct buffer room;

    (void)state;
    buffer_init(&room, ROOM);
    for (size_t i = 0; i < COUNT_OF(BAD); i++)
        assert_string_equal(in(BAD[i].encoding, BAD[i].theirs, &room), BAD[i].utf8);
    buffer_done(&room);
}

static void what_an_encoding_lacks_is_an_error_or_what_stands_for_it(void **state)
{
    static const char *const texts[] = {"a漢€", "\xf0\x9f\x99\x82", UNKNOWN};
    struct transcoder *latin = transcoder_find("LATIN1");
    const char *made = "before";
    struct buffer room;

    (void)state;
    buffer_init(&room, ROOM);
    for (size_t i = 0; i < COUNT_OF(texts); i++)
        assert_int_equal(transcode_out(latin, texts[i], NULL, &room, &made), -EILSEQ);
    assert_string_equal(made, "before");
    assert_int_equal(transcode_out(latin, "ä漢b" UNKNOWN, "\x01", &room, &made), 0);
    assert_string_equal(made, "\xe4\x01"
                              "b\x01");
    buffer_done(&room);
}

/* The C library passes over tags (U+E0041), and has one letter for both of these. */
static void no_two_texts_become_one(void **state)
{
    static const struct {
        const char *encoding, *utf8;
    } others[] = {{"LATIN1", "a\xf3\xa0\x81\x81"}, {"EUC_JP", "〜"}, {"EUC_JP", "−"}};
    struct buffer room;
    const char *made;

    (void)state;
    buffer_init(&room, ROOM);
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_int_equal(transcode_out(transcoder_find(others[i].encoding), others[i].utf8, NULL, &room, &made),
                         -EILSEQ);
    buffer_done(&room);
}

static void where_nothing_is_to_be_done_nothing_is_copied(void **state)
{
    static const char *const plain[] = {"", "a", "12345678", "{\"id\":1234567}"};
    struct buffer room;
    const char *made;

    (void)state;
    buffer_init(&room, 1); /* fails at once */
    assert_null(transcoder_find("MULE_INTERNAL"));
    assert_null(transcoder_find(NULL));
    assert_ptr_equal(in("UTF8", PAIRS[0].utf8, &room), PAIRS[0].utf8);
    assert_ptr_equal(in("SQL_ASCII", PAIRS[0].utf8, &room), PAIRS[0].utf8);
    for (size_t i = 0; i < COUNT_OF(plain); i++) {
        assert_ptr_equal(in("EUC_JP", plain[i], &room), plain[i]);
        assert_int_equal(transcode_out(transcoder_find("EUC_JP"), plain[i], NULL, &room, &made), 0);
        assert_ptr_equal(made, plain[i]);
    }
    buffer_done(&room);
}

static void ascii_is_ascii_everywhere(void **state)
{
    struct buffer room;
    char text[130] = "\xb0\xb0";
    const char *made;

    (void)state;
    buffer_init(&room, ROOM);
    for (int i = 1; i < 128; i++)
        text[i + 1] = (char)i;
    for (size_t i = 0; i < COUNT_OF(ENCODINGS); i++) {
        made = in(ENCODINGS[i], text, &room);
        assert_string_equal(made + strlen(made) - 127, text + 2);
        assert_true(made[strlen(made) - 128] & 0x80);
    }
    buffer_done(&room);
}

static void a_text_that_is_larger_than_its_room_is_not_made(void **state)
{
    static const char *const encodings[] = {"WIN1252", "SQL_ASCII"};
    static char text[40000];
    const char *made;
    struct buffer room;

    (void)state;
    memset(text, '\x80', sizeof(text) - 1);
    for (size_t i = 0; i < COUNT_OF(encodings); i++) {
        size_t size = sizeof(text) - 1;
        buffer_init(&room, 3 * size - 1);
        assert_null(transcode_in(transcoder_find(encodings[i]), text, &size, &room));
        buffer_done(&room);
        buffer_init(&room, 3 * size);
        assert_non_null(transcode_in(transcoder_find(encodings[i]), text, &size, &room));
        assert_int_equal(size, 3 * (sizeof(text) - 1));
        buffer_done(&room);
    }
    buffer_init(&room, 1);
    assert_int_equal(transcode_out(transcoder_find("LATIN1"), "ää", NULL, &room, &made), -ENOMEM);
    buffer_done(&room);
}

static void whatever_bytes_come_what_is_made_is_utf8_and_its_ascii_is_theirs(void **state)
{
    uint64_t dice = 7;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(ENCODINGS); i++) {
        struct transcoder *transcoder = transcoder_find(ENCODINGS[i]);
        struct buffer room;
        assert_non_null(transcoder);
        buffer_init(&room, ROOM);
        for (int round = 0; round < 300; round++) {
            char text[200];
            size_t length = roll(&dice, sizeof(text)), quotes = 0, size = length;
            for (size_t j = 0; j < length; j++) {
                text[j] = roll(&dice, 4) ? (char)(0x80 + roll(&dice, 128)) : '"';
                quotes += text[j] == '"';
            }
            const char *made = transcode_in(transcoder, text, &size, &room);
            assert_non_null(made);
            assert_true(size <= 3 * length);
            assert_true(utf8_is_valid(made, size));
            for (size_t j = 0; j < size; j++)
                quotes -= made[j] == '"';
            assert_int_equal(quotes, 0);
        }
        buffer_done(&room);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(letters_come_and_go),
        cmocka_unit_test(what_is_nothing_in_utf8_is_told_by_one_sign_and_the_rest_stays),
        cmocka_unit_test(what_an_encoding_lacks_is_an_error_or_what_stands_for_it),
        cmocka_unit_test(no_two_texts_become_one),
        cmocka_unit_test(where_nothing_is_to_be_done_nothing_is_copied),
        cmocka_unit_test(ascii_is_ascii_everywhere),
        cmocka_unit_test(a_text_that_is_larger_than_its_room_is_not_made),
        cmocka_unit_test(whatever_bytes_come_what_is_made_is_utf8_and_its_ascii_is_theirs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
