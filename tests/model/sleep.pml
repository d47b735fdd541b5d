/* The sleep protocol of durable channels: however writers and the lead meet, what is committed is in a tick in the end,
 * without the slow poll that stays on as a second line.
 *
 *   writer   a transaction with a durable trigger: tuplecast.wake_lead() in sql/003-log.sql, then COMMIT or ROLLBACK
 *   lead     lead(), make_tick(), on_tick(), on_asleep() of src/postgres/durable_reader.c, without its poll
 *
 * From PostgreSQL it takes: a transaction's locks go after its changes are visible, its notifications come after both, and
 * a ROLLBACK sends none. tests/model/check runs it, and once more with each MISTAKE, which must then be found. */

#define WRITERS 2
#define TRANSACTIONS 3
#define QUIET_TICKS 2

byte shares;    /* of the advisory lock (1953853548, 1): transactions that hold one */
bool locked;    /* the lead holds it whole */
byte visible;   /* changes that are committed */
byte ticked;    /* those that are in a tick */
bool woken;     /* reader->woken: a NOTIFY has come */
byte writers = WRITERS; /* that are not done */

active [WRITERS] proctype writer()
{
    byte left = TRANSACTIONS;
    bool notify, has_share;

    do
    :: left > 0 ->
        left--;
        /* The row is written, and nobody sees it yet. */
        atomic {
            notify = locked;
            has_share = !locked;
            shares = shares + has_share;
        }
#ifdef MISTAKE_SHARE_UNTIL_STATEMENT /* instead of the end of the transaction */
        atomic { shares = shares - has_share; has_share = false; }
#endif
        if
        :: visible++         /* COMMIT */
        :: notify = false    /* ROLLBACK */
        fi;
        shares = shares - has_share;
        woken = woken || notify;
    :: else -> break
    od;
    writers--
}

active proctype lead()
{
    byte quiet, snapshot;
    bool asleep;

    do
    :: asleep ->
end:    woken; /* nothing else to do: the poll is not there */
        asleep = false;
        quiet = 0;
        locked = false; /* tuplecast.wake() */
    :: !asleep && quiet < QUIET_TICKS ->
        woken = false;
tick:   snapshot = visible;
        if
        :: snapshot > ticked -> ticked = snapshot; quiet = 0; woken = woken || asleep
        :: else -> quiet++
        fi
    :: !asleep && quiet >= QUIET_TICKS ->
        quiet = 0;
        atomic { /* tuplecast.try_sleep() */
            asleep = (shares == 0);
            locked = asleep;
        }
#ifndef MISTAKE_NO_LAST_TICK
        if
        :: asleep -> goto tick
        :: else
        fi
#endif
    od
}

/* When nobody can do anything any more. */
active proctype verdict()
{
end: timeout -> assert(writers == 0 && ticked == visible)
}
