#include "postgres/conninfo.h"

#include "unit.h"

#include <errno.h>
#include <stdlib.h>

static struct conninfo info;

static int begin(void **state)
{
    (void)state;
    for (const char *const *name =
             (const char *const[]){"PGHOST", "PGHOSTADDR", "PGPORT", "PGSERVICE", "PGCONNECT_TIMEOUT", NULL};
         *name; name++)
        unsetenv(*name);
    return 0;
}

static int end(void **state)
{
    (void)state;
    conninfo_done(&info);
    return 0;
}

static void read_text(const char *text)
{
    char *problem = NULL;

    assert_int_equal(conninfo_init(&info, text, &problem), 0);
    assert_null(problem);
}

/* Of what libpq gets for that host. */
static const char *value_of(const char *keyword, size_t index)
{
    const char *value = NULL;

    conninfo_params(&info, index);
    for (size_t i = 0; info.keywords[i]; i++)
        if (strcmp(info.keywords[i], keyword) == 0)
            value = info.values[i];
    return value;
}

static void expect_host(size_t index, const char *host, const char *address, const char *port)
{
    assert_string_equal(value_of("host", index), host);
    assert_string_equal(value_of("hostaddr", index), address);
    assert_string_equal(value_of("port", index), port);
}

static void a_host_name_is_looked_up_and_an_address_is_not(void **state)
{
    (void)state;
    read_text("postgresql://db.example:5433/app");
    assert_int_equal(info.host_count, 1);
    assert_true(conninfo_needs_lookup(&info, 0));
    assert_string_equal(info.hosts[0].port, "5433");
    conninfo_done(&info);
    read_text("host=127.0.0.1");
    assert_false(conninfo_needs_lookup(&info, 0));
    conninfo_done(&info);
    read_text("host=::1");
    assert_false(conninfo_needs_lookup(&info, 0));
    conninfo_done(&info);
    read_text("host=/var/run/postgresql");
    assert_false(conninfo_needs_lookup(&info, 0));
}

static void each_address_of_a_name_is_a_host_of_its_own(void **state)
{
    (void)state;
    read_text("host=a,b port=1,2");
    assert_int_equal(info.host_count, 2);
    assert_int_equal(conninfo_add_address(&info, 0, "10.0.0.1"), 0);
    assert_int_equal(conninfo_add_address(&info, 0, "10.0.0.2"), 0);
    assert_int_equal(conninfo_add_address(&info, 1, "10.0.0.3"), 0);
    assert_false(conninfo_needs_lookup(&info, 0));
    assert_int_equal(info.host_count, 3);
    expect_host(0, "a", "10.0.0.1", "1");
    expect_host(1, "b", "10.0.0.3", "2");
    expect_host(2, "a", "10.0.0.2", "1");
}

static void one_port_is_for_all_hosts_and_one_that_is_left_out_is_the_default(void **state)
{
    (void)state;
    read_text("host=/a,/b,/c port=6000");
    expect_host(2, "/c", "", "6000");
    conninfo_done(&info);
    read_text("host=/a,/b port=,6001");
    expect_host(0, "/a", "", "5432");
    expect_host(1, "/b", "", "6001");
}

static void an_address_needs_no_lookup_and_stands_beside_its_host(void **state)
{
    (void)state;
    read_text("host=a,b hostaddr=10.0.0.1,10.0.0.2 port=6000");
    assert_int_equal(info.host_count, 2);
    assert_false(conninfo_needs_lookup(&info, 1));
    expect_host(1, "b", "10.0.0.2", "6000");
    conninfo_done(&info);
    read_text("hostaddr=10.0.0.1,10.0.0.2");
    expect_host(1, "", "10.0.0.2", "5432");
}

static void what_libpq_knows_better_is_left_to_it(void **state)
{
    static const char *const texts[] = {"service=mine",          "",          "host=a,b,c port=1,2",
                                        "host=a,b hostaddr=::1", "host=a,,b", "host=a,b hostaddr=::1,"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        read_text(texts[i]);
        assert_int_equal(info.host_count, 0);
        assert_null(value_of("host", 0));
        assert_string_equal(value_of("dbname", 0), texts[i]);
        conninfo_done(&info);
    }
}

static void the_time_for_each_host_is_connect_timeout_as_libpq_reads_it(void **state)
{
    static const struct {
        const char *text;
        int64_t timeout_ms;
    } cases[] = {{"host=a", 0},
                 {"host=a connect_timeout=0", 0},
                 {"host=a connect_timeout=-3", 0},
                 {"host=a connect_timeout=1", 2000},
                 {"host=a connect_timeout=7", 7000},
                 {"host=a connect_timeout=999999999", CONNINFO_TIMEOUT_S_MAX * 1000}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        read_text(cases[i].text);
        assert_int_equal(info.timeout_ms, cases[i].timeout_ms);
        conninfo_done(&info);
    }
}

static void the_environments_host_is_looked_up_as_well(void **state)
{
    (void)state;
    setenv("PGHOST", "db.example", 1);
    read_text("dbname=app");
    assert_int_equal(info.host_count, 1);
    assert_string_equal(info.hosts[0].host, "db.example");
    conninfo_done(&info);
    read_text("app"); /* a database's name alone */
    assert_int_equal(info.host_count, 1);
}

static void defaults_stand_before_the_connection_string_so_that_it_can_override_them(void **state)
{
    size_t keepalives = 99, dbname = 99, encoding = 99;

    (void)state;
    read_text("keepalives_idle=60");
    conninfo_params(&info, 0);
    for (size_t i = 0; info.keywords[i]; i++) {
        if (strcmp(info.keywords[i], "keepalives_idle") == 0)
            keepalives = i;
        if (strcmp(info.keywords[i], "dbname") == 0)
            dbname = i;
        if (strcmp(info.keywords[i], "client_encoding") == 0)
            encoding = i;
    }
    assert_true(keepalives < dbname && dbname < encoding && encoding < CONNINFO_WORDS_MAX);
}

static void a_bad_connection_string_says_why(void **state)
{
    char *problem = NULL;

    (void)state;
    assert_int_equal(conninfo_init(&info, "postgresql://h/db?nonsense=1", &problem), -EINVAL);
    assert_non_null(problem);
    assert_true(strlen(problem) > 0);
    free(problem);
    problem = NULL;
    assert_int_equal(conninfo_init(&info, "hots=a", &problem), -EINVAL);
    assert_non_null(problem);
    assert_null(strstr(problem, "hots")); /* what stands in the wrong place may be a password */
    free(problem);
}

static void more_hosts_than_fit_are_refused(void **state)
{
    char text[CONNINFO_HOSTS_MAX * 2 + 16] = "host=a";
    char *problem = NULL;

    (void)state;
    for (int i = 0; i < CONNINFO_HOSTS_MAX; i++)
        strcat(text, ",b");
    assert_int_equal(conninfo_init(&info, text, &problem), -E2BIG);
    free(problem);
    read_text("host=a");
    for (int i = 0; i < CONNINFO_HOSTS_MAX; i++)
        assert_int_equal(conninfo_add_address(&info, 0, "10.0.0.1"), 0);
    assert_int_equal(conninfo_add_address(&info, 0, "10.0.0.1"), -E2BIG);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_host_name_is_looked_up_and_an_address_is_not),
        TEST(each_address_of_a_name_is_a_host_of_its_own),
        TEST(one_port_is_for_all_hosts_and_one_that_is_left_out_is_the_default),
        TEST(an_address_needs_no_lookup_and_stands_beside_its_host),
        TEST(what_libpq_knows_better_is_left_to_it),
        TEST(the_time_for_each_host_is_connect_timeout_as_libpq_reads_it),
        TEST(the_environments_host_is_looked_up_as_well),
        TEST(defaults_stand_before_the_connection_string_so_that_it_can_override_them),
        TEST(a_bad_connection_string_says_why),
        TEST(more_hosts_than_fit_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
