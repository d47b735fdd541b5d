#include "config/config.h"

#include "config/draft.h"
#include "config/file_settings.h"
#include "config/settings.h"
#include "config/source_text.h"
#include "config/token_file.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static int set_defaults(struct draft *draft)
{
    const struct place place = {.kind = PLACE_DEFAULT};
    int r = 0;

    for (const struct setting *setting = settings; setting->path && r == 0; setting++)
        r = draft_set_text(draft, setting, place, setting->fallback);
    return r;
}

/* Returns 0, -ENOENT (reported) or -ENOMEM. */
static int set_from_file(struct draft *draft, struct source_text *text, const struct config_source *source)
{
    const char *file = source->file ? source->file : CONFIG_FILE_DEFAULT;
    int r;

    if (source->text)
        r = source_text_set(text, source->file ? source->file : "text", source->text, &draft->report);
    else
        r = source_text_read(text, file, &draft->report);
    if (r == 0)
        return file_settings_apply(text, draft);
    if (r == -ENOENT && !source->file && !source->file_required)
        return 0;
    if (r == -ENOENT)
        report_problem(&draft->report, (struct place){PLACE_FILE, file, 0}, NULL, "there is no such file");
    return r == -EINVAL ? 0 : r;
}

static const char *from_environment(const struct config_source *source, const char *name)
{
    const char *value = source->getenv ? source->getenv(name) : NULL;

    return value && value[0] ? value : NULL;
}

static int set_from_environment(struct draft *draft, const struct config_source *source)
{
    const struct place place = {.kind = PLACE_VARIABLE};
    int r = 0;

    for (const struct setting *setting = settings; setting->path && r == 0; setting++) {
        char name[SETTING_VARIABLE_BYTES];
        const char *value;
        setting_variable(setting->path, name);
        value = from_environment(source, name);
        if (value)
            r = draft_set_text(draft, setting, place, value);
    }
    return r;
}

static int set_from_flags(struct draft *draft, const struct config_source *source)
{
    const struct place place = {.kind = PLACE_FLAG};
    const struct {
        const char *path, *value;
    } flags[] = {
        {"database", source->database},
        {"listen", source->listen},
        {"channels", source->channels},
        {"log.level", source->log_level},
    };
    int r = 0;

    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]) && r == 0; i++)
        if (flags[i].value)
            r = draft_set_text(draft, setting_find(flags[i].path), place, flags[i].value);
    return r;
}

static int set_from_database_url(struct draft *draft, const struct config_source *source)
{
    const char *url = from_environment(source, "DATABASE_URL");

    if (!url || draft->config.database[0])
        return 0;
    return draft_set_text(draft, setting_find("database"), (struct place){.kind = PLACE_DATABASE_URL}, url);
}

/* Reports where the value that the operator gave stands, rather than the default that it collides with. */
static void check_memory(struct draft *draft)
{
    const struct setting *channel = setting_find("limits.channel_memory_bytes");
    const struct setting *all = setting_find("limits.memory_bytes");
    const struct place *channel_place = draft_place(draft, channel), *all_place = draft_place(draft, all);
    int64_t channel_bytes = draft->config.limits.channel_memory_bytes;
    int64_t all_bytes = draft->config.limits.memory_bytes;

    if (channel_bytes <= all_bytes || channel_place->kind == PLACE_REFUSED || all_place->kind == PLACE_REFUSED)
        return;
    if (all_place->kind != PLACE_DEFAULT)
        report_problem(&draft->report, *all_place, all->path,
                       "%" PRId64 " is less than %s, which is %" PRId64 "; raise this one or lower that one", all_bytes,
                       channel->path, channel_bytes);
    else
        report_problem(&draft->report, *channel_place, channel->path,
                       "%" PRId64 " is more than %s, which is %" PRId64 "; lower this one or raise that one",
                       channel_bytes, all->path, all_bytes);
}

/* From the last source to the first, so that each replaces what came before it, and all are checked. */
static int fill(struct draft *draft, struct source_text *text, const struct config_source *source)
{
    bool missing = false;
    int r = set_defaults(draft);

    if (r < 0)
        return r;
    assert(draft->report.count == 0);
    r = set_from_file(draft, text, source);
    if (r == -ENOENT) {
        missing = true;
        r = 0;
    }
    if (r == 0)
        r = set_from_environment(draft, source);
    if (r == 0)
        r = set_from_flags(draft, source);
    if (r == 0)
        r = set_from_database_url(draft, source);
    if (r == 0)
        r = token_file_apply(draft);
    if (r < 0)
        return r;
    check_memory(draft);
    if (missing && draft->report.count == 1)
        return -ENOENT;
    return draft->report.count > 0 ? -EINVAL : 0;
}

int config_load(const struct config_source *source, struct config *ret_config, struct buffer *problems)
{
    struct source_text text;
    struct draft draft;
    int r;

    source_text_init(&text);
    draft_init(&draft, problems);
    draft.connection_is_wrong = source->connection_is_wrong;
    r = fill(&draft, &text, source);
    report_end(&draft.report);
    source_text_done(&text);
    if (r < 0)
        draft_done(&draft);
    else
        *ret_config = draft.config;
    return r;
}

static void field_done(const struct setting *setting, struct config *config)
{
    if (setting->type == SETTING_TEXT) {
        char **field = setting_field(setting, config);
        if (*field && setting->secrecy != SETTING_OPEN)
            explicit_bzero(*field, strlen(*field));
        free(*field);
        *field = NULL;
    } else if (setting->type == SETTING_LIST) {
        text_list_done(setting_field(setting, config));
    }
}

void config_done(struct config *config)
{
    for (const struct setting *setting = settings; setting->path; setting++)
        field_done(setting, config);
}

static bool same_value(const struct setting *setting, const struct config *one, const struct config *other)
{
    const void *a = setting_field_const(setting, one), *b = setting_field_const(setting, other);

    switch (setting->type) {
    case SETTING_TEXT:
        return strcmp(*(char *const *)a, *(char *const *)b) == 0;
    case SETTING_INTEGER:
        return *(const int64_t *)a == *(const int64_t *)b;
    case SETTING_BOOLEAN:
        return *(const bool *)a == *(const bool *)b;
    case SETTING_LIST:
        return text_list_equal(a, b);
    case SETTING_ENUMERATION:
        return setting_enumeration(setting, one) == setting_enumeration(setting, other);
    }
    abort();
}

static size_t field_bytes(const struct setting *setting)
{
    switch (setting->type) {
    case SETTING_TEXT:
        return sizeof(char *);
    case SETTING_INTEGER:
        return sizeof(int64_t);
    case SETTING_BOOLEAN:
        return sizeof(bool);
    case SETTING_LIST:
        return sizeof(struct text_list);
    case SETTING_ENUMERATION:
        return sizeof(unsigned);
    }
    abort();
}

static void swap_field(const struct setting *setting, struct config *one, struct config *other)
{
    size_t size = field_bytes(setting);
    char kept[sizeof(struct text_list) > sizeof(int64_t) ? sizeof(struct text_list) : sizeof(int64_t)];

    memcpy(kept, setting_field(setting, one), size);
    memcpy(setting_field(setting, one), setting_field(setting, other), size);
    memcpy(setting_field(setting, other), kept, size);
}

bool config_keep_fixed(struct config *running, struct config *loaded, struct buffer *names)
{
    bool differed = false;

    for (const struct setting *setting = settings; setting->path; setting++) {
        if (!setting->needs_restart || same_value(setting, running, loaded))
            continue;
        buffer_printf(names, "%s%s", differed ? ", " : "", setting->path);
        swap_field(setting, running, loaded);
        differed = true;
    }
    return differed;
}
