#include "access/tickets.h"

#include "unit.h"

#include <errno.h>

static struct grant *make_grant(void)
{
    struct grant *grant = grant_new();

    assert_non_null(grant);
    return grant;
}

static void a_ticket_counts_once(void **state)
{
    struct grant *grant = make_grant();
    char text[TICKET_TEXT_BYTES];
    struct tickets tickets;

    (void)state;
    assert_int_equal(tickets_init(&tickets), 0);
    assert_int_equal(tickets_issue(&tickets, grant, 1000, text), 0);
    assert_ptr_equal(tickets_redeem(&tickets, text, 1001), grant);
    grant_unref(grant);
    assert_null(tickets_redeem(&tickets, text, 1001));
    tickets_done(&tickets);
    assert_int_equal(grant->references, 1);
    grant_unref(grant);
}

static void a_ticket_counts_for_30_seconds(void **state)
{
    struct grant *grant = make_grant();
    char first[TICKET_TEXT_BYTES], second[TICKET_TEXT_BYTES];
    struct tickets tickets;

    (void)state;
    assert_int_equal(tickets_init(&tickets), 0);
    assert_int_equal(tickets_issue(&tickets, grant, 1000, first), 0);
    assert_int_equal(tickets_issue(&tickets, grant, 1000, second), 0);
    assert_string_not_equal(first, second);
    assert_ptr_equal(tickets_redeem(&tickets, first, 30999), grant);
    assert_null(tickets_redeem(&tickets, second, 31000));
    grant_unref(grant);
    tickets_done(&tickets);
    assert_int_equal(grant->references, 1);
    grant_unref(grant);
}

/* One character changed, taken out or put in, at every place. */
static void no_other_text_is_a_ticket(void **state)
{
    struct grant *grant = make_grant();
    char text[TICKET_TEXT_BYTES], changed[TICKET_TEXT_BYTES + 2];
    struct tickets tickets;
    size_t tried = 0;

    (void)state;
    assert_int_equal(tickets_init(&tickets), 0);
    for (int i = 0; i < 12; i++)
        assert_int_equal(tickets_issue(&tickets, grant, 0, text), 0);
    for (size_t at = 0; text[at]; at++) {
        for (const char *c = "0123456789abcdefABCDEFxyz-. %"; *c; c++) {
            snprintf(changed, sizeof(changed), "%.*s%c%s", (int)at, text, *c, text + at + 1);
            if (strcmp(changed, text) != 0)
                assert_null(tickets_redeem(&tickets, changed, 1));
            snprintf(changed, sizeof(changed), "%.*s%c%s", (int)at, text, *c, text + at);
            assert_null(tickets_redeem(&tickets, changed, 1));
            tried += 2;
        }
        snprintf(changed, sizeof(changed), "%.*s%s", (int)at, text, text + at + 1);
        assert_null(tickets_redeem(&tickets, changed, 1));
    }
    print_message("%zu changed tickets\n", tried);
    static const char *const odd[] = {"",
                                      "-",
                                      "0-",
                                      "4096-00000000000000000000000000000000",
                                      "99999999999999999999-00000000000000000000000000000000",
                                      "1-00000000000000000000000000000000",
                                      "100-00000000000000000000000000000000"};
    for (size_t i = 0; i < COUNT_OF(odd); i++)
        assert_null(tickets_redeem(&tickets, odd[i], 1));
    struct grant *redeemed = tickets_redeem(&tickets, text, 1);
    assert_ptr_equal(redeemed, grant);
    grant_unref(redeemed);
    tickets_done(&tickets);
    grant_unref(grant);
}

static void so_many_are_open_at_once_and_old_ones_make_room(void **state)
{
    struct grant *grant = make_grant();
    char text[TICKET_TEXT_BYTES], last[TICKET_TEXT_BYTES];
    struct tickets tickets;

    (void)state;
    assert_int_equal(tickets_init(&tickets), 0);
    for (int i = 0; i < TICKETS_MAX; i++)
        assert_int_equal(tickets_issue(&tickets, grant, 0, last), 0);
    assert_int_equal(tickets_issue(&tickets, grant, 1, text), -ENOSPC);
    struct grant *redeemed = tickets_redeem(&tickets, last, 1);
    assert_non_null(redeemed);
    grant_unref(redeemed);
    assert_int_equal(tickets_issue(&tickets, grant, 1, text), 0);
    assert_int_equal(tickets_issue(&tickets, grant, 1, text), -ENOSPC);
    assert_int_equal(tickets_issue(&tickets, grant, 30000, text), 0);
    tickets_done(&tickets);
    assert_int_equal(grant->references, 1);
    grant_unref(grant);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ticket_counts_once),
        cmocka_unit_test(a_ticket_counts_for_30_seconds),
        cmocka_unit_test(no_other_text_is_a_ticket),
        cmocka_unit_test(so_many_are_open_at_once_and_old_ones_make_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
