#include "config/token_file.h"

#include "config/checks.h"
#include "config/read_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* Returns the length of the token at the begin of contents: without the newline at its end. */
static size_t token_bytes(const char *contents, size_t size_bytes)
{
    if (size_bytes > 0 && contents[size_bytes - 1] == '\n')
        size_bytes--;
    if (size_bytes > 0 && contents[size_bytes - 1] == '\r')
        size_bytes--;
    return size_bytes;
}

static int take(struct draft *draft, const char *contents, size_t size_bytes)
{
    const struct setting *token = setting_find("triggers.token");
    const struct setting *file = setting_find("triggers.token_file");
    struct place place = *draft_place(draft, file);
    size_t length = token_bytes(contents, size_bytes);
    char *text;
    const char *wrong;
    int r = 0;

    if (length < TOKEN_BYTES_MIN)
        return draft_refuse(draft, file, place, "the token in it has %zu bytes; the least is %d", length,
                            TOKEN_BYTES_MIN);
    if (length > TOKEN_BYTES_MAX)
        return draft_refuse(draft, file, place, "the token in it has more than %d bytes", TOKEN_BYTES_MAX);
    text = malloc(length + 1);
    if (!text)
        return -ENOMEM;
    memcpy(text, contents, length);
    text[length] = '\0';
    wrong = strlen(text) < length ? "may hold no NUL byte" : check_token(text);
    if (wrong)
        draft_refuse(draft, file, place, "the token in it %s", wrong);
    else
        r = draft_set_string(draft, token, place, text);
    explicit_bzero(text, length);
    free(text);
    return r;
}

int token_file_apply(struct draft *draft)
{
    const struct setting *file = setting_find("triggers.token_file");
    struct place place = *draft_place(draft, file);
    const char *name = draft->config.triggers.token_file;
    struct buffer contents;
    mode_t mode = 0;
    int r;

    if (draft->config.triggers.token[0] != '\0' || name[0] == '\0' || place.kind == PLACE_REFUSED)
        return 0;
    buffer_init(&contents, TOKEN_BYTES_MAX + 2);
    r = read_file(name, &contents, &mode);
    if (r < 0 && r != -ENOMEM)
        r = draft_refuse(draft, file, place, "cannot read %.300s: %s", name, read_file_wrong(r));
    else if (r == 0 && (mode & S_IROTH))
        r = draft_refuse(draft, file, place, "%.300s can be read by everybody; take that right away, as with chmod o-r",
                         name);
    else if (r == 0)
        r = take(draft, buffer_bytes(&contents), buffer_size(&contents));
    if (contents.data)
        explicit_bzero(contents.data, contents.capacity);
    buffer_done(&contents);
    return r;
}
