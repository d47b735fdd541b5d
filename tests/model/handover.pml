/* A stream of a durable channel, from catching up to live: whatever the order of what comes, it gets every number once.
 *
 *   ticks       the lead, maybe on another gateway, writes the log: sql/ticks.sql, make_tick()
 *   gateway     publishes them and remembers the newest: src/stream/durable.c and memory.c; begins a tick again when the connection
 *               broke within it
 *   history     answers a page from the log, which may be ahead of the gateway: read_events()
 *   subscriber  step(), read_history() and go_live() of src/stream/catch_up.c; falls back when it reads too slowly. The page that it
 *               waits for may begin at the place of another one, below its own, and end before it gets there (src/stream/history.h)
 *
 * One thread runs all but the database, so a step of it is one atomic block. tests/model/check runs it, and once more with each MISTAKE,
 * which must then be found. */

#define LAST 4  /* numbers that there will be */
#define PAGE 2  /* that a page has at most */
#define NONE 255

byte head;      /* the newest number in the log */
byte base;      /* where the gateway's tick begins */
byte next = 1;  /* the event that the log's reader has next */
byte now;       /* hub_state.now.durable: published here */
byte since;     /* channel.durable_since: the ring holds what is above, up to now */

byte place;     /* subscriber.durable */
byte given;     /* the last number that the client was given */
bool live;      /* SUBSCRIBER_LIVE: given what is published, when it is published */
bool slow_once; /* it was too slow already; once is enough to look at */

byte page_from = NONE, page_end; /* the page that was asked for */
bool page_ready;

inline give(number)
{
    assert(number == given + 1);
    given = number;
    place = number
}

active proctype ticks()
{
    do
    :: head < LAST -> head++
    :: head < LAST - 1 -> head = head + 2
    :: head == LAST -> break
    od
}

active proctype gateway()
{
    byte end_number;

    do
    :: now < LAST ->
        atomic { head > now -> base = now; end_number = head; next = base + 1 }
        do
        :: atomic { next <= end_number ->
                if
#ifndef MISTAKE_TICK_TWICE
                :: next <= now -> skip /* hub_durable_event: published before the connection broke */
#endif
                :: else ->
                    now = next;
                    if
                    :: live -> give(now)
                    :: else
                    fi
                fi;
                next++
            }
        :: atomic { next <= end_number && next > base + 1 -> next = base + 1 } /* the connection breaks */
        :: since < now -> since++                                              /* memory_bound() */
        :: next > end_number -> break
        od
    :: else -> break
    od
}

active proctype history()
{
end:
    do
    :: atomic { page_from != NONE && !page_ready ->
            page_end = (page_from + PAGE < head -> page_from + PAGE : head);
            page_ready = true
        }
    od
}

active proctype subscriber()
{
    byte number;

    select(number : 0 .. 1);
    atomic { head >= number -> place = number; given = number } /* from a gateway that was ahead of this one, maybe */
end:
    do
    :: atomic { !live && page_ready -> /* history_page_for() has it: all that is behind place */
            do
#ifndef MISTAKE_PAGE_FROM_ITS_START
            :: page_from <= place && place < page_end -> give(place + 1)
            :: else -> break
#else
            :: page_from <= place && place < page_end -> give(page_from + 1); page_from++
            :: else -> break
#endif
            od;
            page_from = NONE;
            page_ready = false
        }
    :: atomic { !live && since > place && page_from == NONE ->
            page_from = place;
            do
            :: page_from > 0 -> page_from-- /* another one's place */
            :: break
            od
        }
    :: atomic { !live && since <= place && place < now -> give(place + 1) } /* from the ring */
    /* All that there is. A page that is still asked for is of no use any more. */
#ifdef MISTAKE_LIVE_AHEAD
    :: atomic { !live && since <= place && place >= now -> live = true }
#else
    :: atomic { !live && since <= place && place == now -> live = true }
#endif
#ifdef MISTAKE_LIVE_IN_TWO_STEPS
    :: !live && since <= place && place == now -> skip; atomic { live = true; place = now }
#endif
    :: atomic { live && !slow_once -> slow_once = true; live = false } /* its place in the feed's log is gone */
    od
}

/* When nobody can do anything any more. */
active proctype verdict()
{
end: timeout -> assert(given == LAST && now == LAST && live)
}
