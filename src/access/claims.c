#include "access/claims.h"

#include "access/members.h"
#include "base/limits.h"
#include "config/checks.h"

#include <errno.h>
#include <string.h>

enum { MEMBERS = 2 };

static enum refusal take_channels(struct json_slice list, struct text_list *channels)
{
    char name[CHANNEL_NAME_BYTES_MAX + 1];
    struct json_slice item;

    if (list.text[0] != '[')
        return REFUSAL_BAD_CHANNELS;
    while (json_next_item(&list, &item)) {
        int error = value_text(item, name, sizeof(name));
        if (error == 0 && (check_name(name) || channels->count == GRANT_CHANNELS_MAX))
            error = -EINVAL;
        if (error == 0)
            error = text_list_add(channels, name);
        if (error < 0)
            return error == -ENOMEM ? REFUSAL_NO_MEMORY : REFUSAL_BAD_CHANNELS;
    }
    return channels->count > 0 ? REFUSAL_NONE : REFUSAL_BAD_CHANNELS;
}

static enum refusal take_where(struct json_slice object, struct row_filter *where)
{
    const char *wrong;
    int error = object.text[0] == '{' ? row_filter_parse(object, where, &wrong) : -EINVAL;

    return error == 0 ? REFUSAL_NONE : error == -ENOMEM ? REFUSAL_NO_MEMORY : REFUSAL_BAD_WHERE;
}

static size_t count_members(struct json_slice object)
{
    struct json_slice key, value;
    size_t count = 0;

    while (json_next_member(&object, &key, &value))
        count++;
    return count;
}

enum refusal claims_take(struct json_slice claims, struct grant *grant)
{
    struct json_slice ours, channels, where;

    if (!member_find(claims, "tuplecast", &ours))
        return REFUSAL_NO_GRANT;
    if (ours.text[0] != '{' || !members_are_single(ours, MEMBERS))
        return REFUSAL_BAD_GRANT;
    bool has_channels = member_find(ours, "channels", &channels), has_where = member_find(ours, "where", &where);
    if (count_members(ours) != (size_t)has_channels + has_where)
        return REFUSAL_BAD_GRANT;
    if (!has_channels)
        return REFUSAL_NO_GRANT;
    enum refusal refusal = take_channels(channels, &grant->channels);
    return refusal == REFUSAL_NONE && has_where ? take_where(where, &grant->where) : refusal;
}
