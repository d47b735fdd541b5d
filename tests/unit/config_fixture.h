/* For the tests that load a configuration: an environment of their own, and what the last load said. */
#pragma once

#include "config/config.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TOKEN "0123456789abcdef0123456789abcdef"

/* NAME=value, in no order; NULL ends it, and NULL is an empty one. */
static const char *const *environment;

static struct buffer said;

static inline char *fake_getenv(const char *name)
{
    static char value[16384];
    size_t length = strlen(name);

    for (const char *const *pair = environment; pair && *pair; pair++) {
        if (strncmp(*pair, name, length) == 0 && (*pair)[length] == '=') {
            snprintf(value, sizeof(value), "%s", *pair + length + 1);
            return value;
        }
    }
    return NULL;
}

static inline const char *problems(void)
{
    return buffer_text(&said);
}

static inline int load_source(struct config_source source, struct config *ret_config)
{
    source.getenv = fake_getenv;
    buffer_clear(&said);
    return config_load(&source, ret_config, &said);
}

static inline struct config load_text(const char *text)
{
    struct config config = {0};
    int r = load_source((struct config_source){.text = text, .file = "test.conf"}, &config);

    if (r < 0)
        fail_msg("%s", problems());
    assert_string_equal(problems(), "");
    return config;
}

static inline void expect_problems(const char *text, const char *expected)
{
    struct config config = {.database = NULL, .limits.streams = -7};

    assert_int_equal(load_source((struct config_source){.text = text, .file = "test.conf"}, &config), -EINVAL);
    assert_string_equal(problems(), expected);
    assert_null(config.database);
    assert_int_equal(config.limits.streams, -7);
}

static inline void assert_same(const struct config *one, const struct config *other)
{
    struct buffer a, b;

    buffer_init(&a, 1 << 20);
    buffer_init(&b, 1 << 20);
    config_print(one, NULL, &a);
    config_print(other, NULL, &b);
    assert_string_equal(buffer_text(&a), buffer_text(&b));
    buffer_done(&a);
    buffer_done(&b);
}

static inline int fixture_begin(void **state)
{
    (void)state;
    environment = NULL;
    buffer_init(&said, 1 << 20);
    return 0;
}

static inline int fixture_end(void **state)
{
    (void)state;
    buffer_done(&said);
    return 0;
}
