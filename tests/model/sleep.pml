/* The sleep protocol of durable channels: however writers and the lead meet, what is committed is in a tick in the end,
 * without the slow poll that stays on as a second line, and with a lead that is replaced in between.
 *
 *   writer   a transaction with a durable trigger: its INSERT into the log gives it a number, then tuplecast.wake_lead() in
 *            sql/log.sql, then COMMIT or ROLLBACK
 *   lead     lead(), make_tick(), on_tick(), on_asleep() of src/postgres/durable_reader.c, without its poll while it is
 *            MODE_ASLEEP; fall_asleep() and wake_up() of sql/ticks.sql
 *
 * From PostgreSQL it takes: a transaction gets its number before its first row; in one step it leaves those in flight and
 * its changes are visible; its notifications come after that, and a ROLLBACK sends none; a sequence has one value for
 * everybody. Of the numbers only one thing matters: whether they are lower than that of the transaction in which the lead
 * fell asleep. tests/model/check runs it, and once more with each MISTAKE, which must then be found. */

#define WRITERS 2
#define TRANSACTIONS 2
#define QUIET_TICKS 2

mtype = { awake, drowsy, resting };

bool asleep_is_told;    /* the sequence lead_asleep is 2 */
byte visible;           /* changes that are committed */
byte ticked;            /* those that are in a tick */
bool woken;             /* reader->woken: a NOTIFY has come */
byte writers = WRITERS; /* that are not done */
bool in_flight[WRITERS], is_lower[WRITERS];

#define NONE_IS_LOWER (!(in_flight[0] && is_lower[0]) && !(in_flight[1] && is_lower[1]))

active [WRITERS] proctype writer()
{
    byte left = TRANSACTIONS;
    bool notify;

    do
    :: left > 0 ->
        left--;
#ifdef MISTAKE_LOOK_BEFORE_INSERT
        notify = asleep_is_told;
#endif
        atomic { in_flight[_pid] = true; is_lower[_pid] = false; } /* the row is written, and nobody sees it yet */
#ifndef MISTAKE_LOOK_BEFORE_INSERT
        notify = asleep_is_told;
#endif
        if
        :: atomic { visible++; in_flight[_pid] = false; } /* COMMIT */
        :: atomic { notify = false; in_flight[_pid] = false; } /* ROLLBACK */
        fi;
        woken = woken || notify;
    :: else -> break
    od;
    writers--
}

active proctype lead()
{
    byte quiet, snapshot;
    byte replacements = 1; /* another gateway takes the lead: it begins awake, and knows of no notification */
    bool none_is_lower;
    mtype mode = awake;

    do
    :: mode == resting ->
end:    if
        :: woken /* nothing else to do: the poll is not there */
        :: atomic { replacements > 0 -> replacements--; woken = false; }
        fi;
        asleep_is_told = false;
        mode = awake;
        quiet = 0;
    :: mode == drowsy && woken ->
        woken = false;
        asleep_is_told = false;
        mode = awake;
        quiet = 0;
    :: mode == drowsy || quiet < QUIET_TICKS ->
        atomic { snapshot = visible; none_is_lower = NONE_IS_LOWER; }
        if
        :: snapshot > ticked -> ticked = snapshot; quiet = 0; woken = woken || mode == drowsy
        :: else ->
            quiet = quiet + (mode == awake);
            if
#ifdef MISTAKE_REST_AT_ONCE
            :: mode == drowsy -> mode = resting
#else
            :: mode == drowsy && none_is_lower -> mode = resting
#endif
            :: else
            fi
        fi
    :: mode == awake && quiet >= QUIET_TICKS ->
        woken = false;
        quiet = 0;
        /* tuplecast.fall_asleep(): setval() takes its number while nobody can read the sequence. */
#ifdef MISTAKE_NUMBER_FIRST
        atomic { is_lower[0] = in_flight[0]; is_lower[1] = in_flight[1]; }
        asleep_is_told = true;
#else
        atomic { is_lower[0] = in_flight[0]; is_lower[1] = in_flight[1]; asleep_is_told = true; }
#endif
        mode = drowsy;
#ifdef MISTAKE_NO_LAST_TICK
        if
        :: NONE_IS_LOWER -> mode = resting
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
