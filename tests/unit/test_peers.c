#include "http/peers.h"

#include "base/limits.h"
#include "unit.h"

#include <errno.h>

/* Connects of one address at now_ms until it is refused. */
static size_t connect_all(struct peers *peers, int64_t now_ms, size_t per_s_max)
{
    size_t count = 0;

    while (peers_enter(peers, "192.0.2.1", now_ms, 0, per_s_max) == 0) {
        peers_leave(peers, "192.0.2.1", now_ms);
        count++;
    }
    return count;
}

static void a_rate_holds_whatever_it_is(void **state)
{
    static const size_t rates[] = {1, 3, 7, 100, 499, 501, 900, 1001, 3000, 50000};
    struct peers peers;

    (void)state;
    for (size_t i = 0; i < COUNT_OF(rates); i++) {
        int64_t now_ms = 1000000;
        peers_init(&peers);
        size_t burst = connect_all(&peers, now_ms, rates[i]);
        assert_in_range(burst, rates[i] * PEER_BURST_S, rates[i] * PEER_BURST_S * 51 / 50 + 1);
        assert_int_equal(peers_enter(&peers, "192.0.2.1", now_ms, 0, rates[i]), -EBUSY);
        assert_int_equal(peers_enter(&peers, "192.0.2.2", now_ms, 0, rates[i]), 0);
        peers_leave(&peers, "192.0.2.2", now_ms);
        size_t later = 0;
        for (int step = 0; step < 300; step++)
            later += connect_all(&peers, now_ms += 10, rates[i]);
        assert_in_range(later, rates[i] * 3 - 1, rates[i] * 3 * 51 / 50 + 1);
        peers_done(&peers);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rate_holds_whatever_it_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
