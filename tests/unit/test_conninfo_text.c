#include "postgres/conninfo_text.h"

#include "unit.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#define SECRET "zaunkoenig"

static void expect_right(const char *text)
{
    char wrong[512] = "";

    if (conninfo_is_wrong(text, wrong, sizeof(wrong)))
        fail_msg("%s: %s", text, wrong);
}

static void expect_wrong(const char *text, const char *said)
{
    char wrong[512] = "";

    if (!conninfo_is_wrong(text, wrong, sizeof(wrong)))
        fail_msg("taken: %s", text);
    if (!strstr(wrong, said) || strstr(wrong, SECRET))
        fail_msg("%s: %s", text, wrong);
}

static void what_libpq_takes_as_it_is_meant_is_right(void **state)
{
    static const char *const texts[] = {
        "",
        "app",
        "my-app_2.test",
        "service=mine",
        "postgres://",
        "postgresql://db",
        "postgresql://me@db:5433/app",
        "postgresql://me:a%40b%2Fc@db/app?sslmode=verify-full&connect_timeout=10",
        "postgresql://me:a:b#c@db/app",
        "postgresql://me@%2Frun%2Fpostgresql/app",
        "postgresql:///app?host=/run/postgresql&port=5433",
        "postgresql://one:5432,two:5433,[::1]:5434/app?target_session_attrs=primary",
        "host=db user=me password='a b@c;d=e' dbname=app",
        "  host = db   dbname=app \n",
        "host=/run/postgresql",
        "host=@abstract",
        "host=one,two port=5432,5433",
        "host=one,two port=,5433",
        "host=fe80::1%eth0 hostaddr=fe80::1%eth0",
        "hostaddr=10.0.0.1,::1 dbname=app",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        expect_right(texts[i]);
}

static void a_mistake_is_explained_without_anything_of_the_text(void **state)
{
    static const char *const texts[][2] = {
        {"\"postgresql://u:" SECRET "@db/app\"", "quotes around it"},
        {"'host=db password=" SECRET "'", "quotes around it"},
        {"postgresql://u:" SECRET "@db/app\r\n", "white space"},
        {"\tapp", "white space"},
        {"postgresql+psycopg://u:" SECRET "@db/app", "driver"},
        {"mysql://u:" SECRET "@db/app", "another scheme"},
        {"mysql://u:" SECRET "@db/app?a=b", "another scheme"},
        {"u:" SECRET "@db/app", "neither a URI"},
        {"db:5432", "neither a URI"},
        {"postgresql://u:" SECRET "@db/app?schema=public", "the parameter schema"},
        {"postgresql://u:" SECRET "@db/app?" SECRET "=public", "another name"},
        {"postgresql://u:" SECRET "%zz@db/app", "%25"},
        {"postgresql://u:" SECRET "%4", "%25"},
        {"postgresql://u:" SECRET "@" SECRET "@db/app", "%40"},
        {"postgresql://u:" SECRET "/" SECRET "@db/app", "%40"},
        {"postgresql://u:" SECRET "?" SECRET "@db/app", "%40"},
        {"postgresql://u:" SECRET "#" SECRET " x@db b/app", "%40"},
        {"postgresql://db:" SECRET "/app", "port is no number"},
        {"postgresql://db:0/app", "port is no number"},
        {"host=db port=54321x", "port is no number"},
        {"host=db port=65536", "port is no number"},
        {"host=db;password=" SECRET, "semicolons"},
        {"host=db password=" SECRET " " SECRET, "single quotes"},
        {"host=db password='" SECRET, "single quotes"},
        {"host=db pass=" SECRET, "libpq does not know"},
        {"dbname=postgres://u:" SECRET "@db/app", "stands alone"},
        {"hostaddr=db.example", "no IP address"},
        {"sslmode=on", "verify-full"},
        {"target_session_attrs=master", "prefer-standby"},
        {"connect_timeout=soon", "seconds"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++)
        expect_wrong(texts[i][0], texts[i][1]);
}

static void a_sentence_fits_where_it_is_shown(void **state)
{
    char small[8];

    (void)state;
    assert_true(conninfo_is_wrong("mysql://u:" SECRET "@db", small, sizeof(small)));
    assert_int_equal(strlen(small), sizeof(small) - 1);
}

static void expect_shown(const char *text, const char *expected)
{
    struct buffer redacted;

    buffer_init(&redacted, 4096);
    conninfo_redact(text, &redacted);
    assert_string_equal(buffer_text(&redacted), expected);
    buffer_done(&redacted);
}

static void secrets_are_not_shown_and_the_rest_reads_back(void **state)
{
    (void)state;
    expect_shown("", "");
    expect_shown("app", "app");
    expect_shown("postgresql://me:" SECRET "@db:5433/app", "user=me password=*** dbname=app host=db port=5433");
    expect_shown("postgresql:///app?pass%77ord=" SECRET "&user=a", "user=a password=*** dbname=app");
    expect_shown("host=db password=" SECRET " sslpassword='" SECRET "'", "password=*** host=db sslpassword=***");
    expect_shown("dbname='it\\'s a \\\\' user=''", "dbname='it\\'s a \\\\'");
    expect_shown("mysql://u:" SECRET "@db", "***");
    expect_shown("password=" SECRET " " SECRET, "***");
    expect_shown("host=db nothing=" SECRET, "***");
}

/* Whatever a newer libpq calls secret. */
static void every_option_that_libpq_hides_is_hidden(void **state)
{
    PQconninfoOption *options = PQconndefaults();

    (void)state;
    for (const PQconninfoOption *option = options; option->keyword; option++) {
        char text[256], expected[256];
        if (option->dispchar[0] != '*')
            continue;
        snprintf(text, sizeof(text), "%s=" SECRET, option->keyword);
        snprintf(expected, sizeof(expected), "%s=***", option->keyword);
        expect_shown(text, expected);
    }
    PQconninfoFree(options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_libpq_takes_as_it_is_meant_is_right),
        cmocka_unit_test(a_mistake_is_explained_without_anything_of_the_text),
        cmocka_unit_test(a_sentence_fits_where_it_is_shown),
        cmocka_unit_test(secrets_are_not_shown_and_the_rest_reads_back),
        cmocka_unit_test(every_option_that_libpq_hides_is_hidden),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
