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

enum { TOKENS = 64 };

/* Issues tickets of the grant at now_ms until it gets no more. Returns how many, and why. */
static size_t take_all(struct tickets *tickets, struct grant *grant, int64_t now_ms, int *ret_error)
{
    char text[TICKET_TEXT_BYTES];
    size_t count = 0;

    while ((*ret_error = tickets_issue(tickets, grant, now_ms, text)) == 0)
        count++;
    return count;
}

static void no_token_can_take_all_and_old_tickets_make_room(void **state)
{
    struct grant *grants[TOKENS];
    struct tickets tickets;
    size_t all = 0, count = 0;
    int error = -EDQUOT;

    (void)state;
    assert_int_equal(tickets_init(&tickets), 0);
    for (; error == -EDQUOT && count < TOKENS; count++) {
        grants[count] = make_grant();
        size_t its = take_all(&tickets, grants[count], 0, &error);
        assert_true(its > 0 && its <= (TICKETS_MAX - all + 1) / 2);
        all += its;
        if (all == TICKETS_MAX)
            break;
    }
    assert_int_equal(all, TICKETS_MAX);
    assert_true(count > 8);
    struct grant *late = make_grant();
    assert_int_equal(take_all(&tickets, late, 29999, &error), 0);
    assert_int_equal(error, -ENOSPC);
    assert_int_equal(take_all(&tickets, late, 30000, &error), TICKETS_MAX / 2);
    assert_int_equal(error, -EDQUOT);
    tickets_done(&tickets);
    for (size_t i = 0; i <= count; i++)
        grant_unref(grants[i]);
    assert_int_equal(late->references, 1);
    grant_unref(late);
}

static void what_a_token_has_is_counted_for_all_its_grants(void **state)
{
    struct grant *first = make_grant(), *second = make_grant();
    struct tickets tickets;
    int error;

    (void)state;
    first->token = second->token = 7;
    assert_int_equal(tickets_init(&tickets), 0);
    assert_int_equal(take_all(&tickets, first, 0, &error), TICKETS_MAX / 2);
    assert_int_equal(take_all(&tickets, second, 0, &error), 0);
    assert_int_equal(error, -EDQUOT);
    tickets_done(&tickets);
    grant_unref(first);
    grant_unref(second);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_ticket_counts_once),
        cmocka_unit_test(a_ticket_counts_for_30_seconds),
        cmocka_unit_test(no_other_text_is_a_ticket),
        cmocka_unit_test(no_token_can_take_all_and_old_tickets_make_room),
        cmocka_unit_test(what_a_token_has_is_counted_for_all_its_grants),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
