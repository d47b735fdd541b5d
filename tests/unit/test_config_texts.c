#include "config/listen_address.h"
#include "config/settings.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static void listen_addresses_are_parsed(void **state)
{
    struct listen_address address;

    (void)state;
    assert_int_equal(listen_address_parse("127.0.0.1:8080", &address, NULL), 0);
    assert_string_equal(address.host, "127.0.0.1");
    assert_int_equal(address.port, 8080);
    assert_string_equal(address.path, "");
    assert_int_equal(listen_address_parse("[fe80::1%eth0]:65535", &address, NULL), 0);
    assert_string_equal(address.host, "fe80::1%eth0");
    assert_int_equal(address.port, 65535);
    assert_int_equal(listen_address_parse(":0", &address, NULL), 0);
    assert_string_equal(address.host, "");
    assert_int_equal(address.port, 0);
    assert_int_equal(listen_address_parse("unix:/run/t.sock", &address, NULL), 0);
    assert_string_equal(address.path, "/run/t.sock");
}

static void what_is_no_listen_address_is_refused(void **state)
{
    static const char *const WRONG[] = {"",       "8080",   "a:",     ":65536",    "a:-1",        "a:80x", "::1:80",
                                        "[a]:80", "[]:80",  "[::1]",  "[::1:80",   "a b:80",      "*:80",  "1.2.3:80",
                                        "unix:",  "unix:a", "unix:/", "a:0000080", "300.1.1.1:1", NULL};
    char path[200] = "unix:/";

    (void)state;
    for (const char *const *text = WRONG; *text; text++) {
        struct listen_address address;
        const char *wrong = NULL;
        assert_int_equal(listen_address_parse(*text, &address, &wrong), -EINVAL);
        assert_non_null(wrong);
    }
    memset(path + 6, 'a', 106);
    assert_int_equal(listen_address_parse(path, &(struct listen_address){0}, NULL), 0);
    strcat(path, "a");
    assert_int_equal(listen_address_parse(path, &(struct listen_address){0}, NULL), -EINVAL);
}

static void origins_are_taken_as_browsers_send_them(void **state)
{
    static const char *const RIGHT[] = {
        "*", "http://a", "https://a.example:8443", "http://[::1]:3000", "moz-extension://0-a", NULL};
    static const char *const WRONG[] = {"",           "a.example",     "null",        "https://",      "https://:80",
                                        "https://A",  "http://a/",     "http://a:b",  "http://a:",     "http://[",
                                        "http://[]",  "http://[::1",   "http://a:80", "https://a:443", "https://*.a",
                                        "http://u@a", "http://[::1]x", NULL};
    const struct setting *setting = setting_find("cors.origins");

    (void)state;
    for (const char *const *text = RIGHT; *text; text++)
        assert_null(setting->check(*text));
    for (const char *const *text = WRONG; *text; text++)
        assert_non_null(setting->check(*text));
}

static bool allowed(const char *pattern, const char *channel)
{
    char *items[] = {(char[]){"other"}, strdup(pattern)};
    struct config config = {.channels = {items, 2}};
    bool yes = config_channel_allowed(&config, channel);

    free(items[1]);
    return yes;
}

static void channels_are_matched_by_name_and_pattern(void **state)
{
    (void)state;
    assert_true(allowed("posts", "posts"));
    assert_false(allowed("posts", "posts2"));
    assert_false(allowed("posts", "Posts"));
    assert_true(allowed("posts", "other"));
    assert_true(allowed("orders_*", "orders_"));
    assert_true(allowed("orders_*", "orders_eu_1"));
    assert_false(allowed("orders_*", "orders"));
    assert_true(allowed("*", "x"));
    assert_true(allowed("a?c", "abc"));
    assert_false(allowed("a?c", "ac"));
    assert_true(allowed("*a*b?", "xxaab_b1"));
    assert_false(allowed("*a*b", "ab_"));
    assert_true(allowed("[a]\\", "[a]\\"));
    assert_false(allowed("[a]", "a"));
    assert_true(allowed("a*b", "a*b"));
}

static void what_no_channel_can_be_called_is_never_allowed(void **state)
{
    char name[65];

    (void)state;
    memset(name, 'a', 64);
    name[64] = '\0';
    assert_false(allowed("*", name));
    name[63] = '\0';
    assert_true(allowed("*", name));
    assert_false(allowed("*", ""));
    assert_false(allowed("*", "a\nb"));
}

static void a_hostile_pattern_costs_no_more_than_a_plain_one(void **state)
{
    char pattern[64], name[64];
    struct timespec before, after;

    (void)state;
    for (size_t i = 0; i < 62; i++)
        pattern[i] = i % 2 ? 'a' : '*';
    strcpy(pattern + 62, "b");
    memset(name, 'a', 63);
    name[63] = '\0';
    clock_gettime(CLOCK_MONOTONIC, &before);
    assert_false(allowed(pattern, name));
    clock_gettime(CLOCK_MONOTONIC, &after);
    assert_true(after.tv_sec - before.tv_sec < 2);
}

static void the_table_keeps_its_own_rules(void **state)
{
    (void)state;
    for (const struct setting *setting = settings; setting->path; setting++) {
        char name[SETTING_VARIABLE_BYTES];
        assert_true(strlen(setting->path) <= SETTING_PATH_BYTES_MAX);
        assert_non_null(setting->help);
        assert_ptr_equal(setting_find(setting->path), setting);
        setting_variable(setting->path, name);
        assert_int_equal(strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ_"), strlen(name));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(listen_addresses_are_parsed),
        cmocka_unit_test(what_is_no_listen_address_is_refused),
        cmocka_unit_test(origins_are_taken_as_browsers_send_them),
        cmocka_unit_test(channels_are_matched_by_name_and_pattern),
        cmocka_unit_test(what_no_channel_can_be_called_is_never_allowed),
        cmocka_unit_test(a_hostile_pattern_costs_no_more_than_a_plain_one),
        cmocka_unit_test(the_table_keeps_its_own_rules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
