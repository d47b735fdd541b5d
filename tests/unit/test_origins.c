#include "stream/origins.h"

#include "unit.h"

static void streams_are_counted_for_each_address(void **state)
{
    struct origins origins = {0};

    (void)state;
    assert_int_equal(origins_count(&origins, "192.0.2.1"), 0);
    struct origin *one = origins_enter(&origins, "192.0.2.1");
    struct origin *other = origins_enter(&origins, "192.0.2.2");
    assert_ptr_equal(origins_enter(&origins, "192.0.2.1"), one);
    assert_int_equal(origins_count(&origins, "192.0.2.1"), 2);
    assert_int_equal(origins_count(&origins, "192.0.2.2"), 1);
    assert_int_equal(origins_count(&origins, ""), 0);
    origins_leave(&origins, one);
    assert_int_equal(origins_count(&origins, "192.0.2.1"), 1);
    origins_leave(&origins, one);
    origins_leave(&origins, other);
    origins_leave(&origins, NULL);
    assert_int_equal(origins_count(&origins, "192.0.2.1"), 0);
    assert_null(origins.by_address.root);
}

static void random_comings_and_goings_agree_with_plain_counters(void **state)
{
    enum { ADDRESSES = 50 };
    struct origins origins = {0};
    struct origin *entered[ADDRESSES] = {0};
    size_t counts[ADDRESSES] = {0};
    uint64_t dice = 8;

    (void)state;
    for (int step = 0; step < 20000; step++) {
        size_t i = roll(&dice, ADDRESSES);
        char address[ORIGIN_BYTES_MAX];
        snprintf(address, sizeof(address), "2001:db8:0:%zu", i);
        if (roll(&dice, 2) && step < 15000) {
            entered[i] = origins_enter(&origins, address);
            counts[i]++;
        } else if (counts[i] > 0) {
            origins_leave(&origins, entered[i]);
            counts[i]--;
        }
        assert_int_equal(origins_count(&origins, address), counts[i]);
    }
    for (size_t i = 0; i < ADDRESSES; i++)
        for (; counts[i] > 0; counts[i]--)
            origins_leave(&origins, entered[i]);
    assert_null(origins.by_address.root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_are_counted_for_each_address),
        cmocka_unit_test(random_comings_and_goings_agree_with_plain_counters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
