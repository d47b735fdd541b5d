/* A configuration in the making. Values go in one after another, each from some place, a later one replacing
 * an earlier one; a value that is refused becomes a problem line, and the field keeps what it had.
 *
 * draft_set_... return 0, also for a refused value, or -ENOMEM. */
#pragma once

#include "config/report.h"
#include "config/settings.h"

struct draft {
    struct config config;
    struct place places[SETTINGS_MAX]; /* of each value, by position in the table */
    struct report report;
    bool (*connection_is_wrong)(const char *connection, char *ret_wrong, size_t size); /* NULL: none is */
};

void draft_init(struct draft *draft, struct buffer *problems);
void draft_done(struct draft *draft);

/* Of any type, written as in the environment. */
int draft_set_text(struct draft *draft, const struct setting *setting, struct place place, const char *text);

/* Of the one type; the setting must have it. draft_set_string also takes an enumeration's. */
int draft_set_string(struct draft *draft, const struct setting *setting, struct place place, const char *string);
int draft_set_integer(struct draft *draft, const struct setting *setting, struct place place, int64_t value);
int draft_set_boolean(struct draft *draft, const struct setting *setting, struct place place, bool value);
int draft_set_list(struct draft *draft, const struct setting *setting, struct place place, const char *const *items,
                   size_t count);

/* Notes and reports that the value is refused, for a reason found by the caller. Returns 0, for a tail call.
 */
int draft_refuse(struct draft *draft, const struct setting *setting, struct place place, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Where the setting's value came from; PLACE_REFUSED: a value was given, but the field does not hold it. */
struct place *draft_place(struct draft *draft, const struct setting *setting);
