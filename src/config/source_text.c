#include "config/source_text.h"

#include "config/read_file.h"

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum lexical { PLAIN, IN_TEXT, IN_COMMENT };

/* One file on its way into the source. */
struct input {
    struct source_text *source;
    struct report *report;
    unsigned file;
    unsigned depth;       /* 1: the file that was asked for; 0: a text without a file, which includes nothing */
    unsigned line;        /* of the line at hand */
    enum lexical state;   /* at its begin */
    unsigned opened_line; /* where that text or comment began */
};

static int include_file(struct input *parent, const char *name, size_t name_length);

void source_text_init(struct source_text *source)
{
    *source = (struct source_text){0};
    buffer_init(&source->text, SOURCE_BYTES_MAX + SOURCE_BYTES_MAX / 8); /* room for suffixes */
}

void source_text_done(struct source_text *source)
{
    for (unsigned i = 0; i < source->file_count; i++)
        free(source->files[i]);
    source->file_count = 0;
    buffer_done(&source->text);
}

struct place source_text_place(const struct source_text *source, unsigned flat_line)
{
    const struct source_span *span = &source->spans[0];

    assert(source->span_count > 0);
    for (unsigned i = 1; i < source->span_count && source->spans[i].flat_line <= flat_line; i++)
        span = &source->spans[i];
    if (flat_line < span->flat_line)
        return (struct place){PLACE_FILE, source->files[span->file], 0};
    return (struct place){PLACE_FILE, source->files[span->file], span->line + (flat_line - span->flat_line)};
}

static struct place input_place(const struct input *input)
{
    return (struct place){PLACE_FILE, input->source->files[input->file], input->line};
}

static void begin_span(struct input *input)
{
    struct source_text *source = input->source;

    assert(source->span_count < sizeof(source->spans) / sizeof(source->spans[0]));
    source->spans[source->span_count++] =
        (struct source_span){.flat_line = source->lines + 1, .file = input->file, .line = input->line};
}

static bool is_word_byte(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '*' || c == '.';
}

/* A name or a number; other than a name, a number may begin with a sign but not go on with one. */
static const char *pass_word(const char *c, const char *end)
{
    bool name = isalpha((unsigned char)*c) || *c == '*';

    for (c++; c < end && (is_word_byte(*c) || (name && *c == '-')); c++)
        ;
    return c;
}

/* Each pass_... returns where the next piece of the line begins. */
static const char *pass_plain(struct input *input, const char *c, const char *end)
{
    char next = c + 1 < end ? c[1] : '\0';

    if (*c == '#' || (*c == '/' && next == '/'))
        return end;
    if (*c == '"' || (*c == '/' && next == '*')) {
        input->state = *c == '"' ? IN_TEXT : IN_COMMENT;
        input->opened_line = input->line;
        return c + (*c == '"' ? 1 : 2);
    }
    return is_word_byte(*c) || *c == '-' || *c == '+' ? pass_word(c, end) : c + 1;
}

static const char *pass_text(struct input *input, const char *c, const char *end)
{
    if (*c == '\\' && c + 1 < end && (c[1] == '"' || c[1] == '\\'))
        return c + 2;
    if (*c == '"')
        input->state = PLAIN;
    return c + 1;
}

static const char *pass_comment(struct input *input, const char *c, const char *end)
{
    if (*c == '*' && c + 1 < end && c[1] == '/') {
        input->state = PLAIN;
        return c + 2;
    }
    return c + 1;
}

/* libconfig 1.5 silently cuts a whole number to 32 bits unless it ends with an L. */
static bool needs_suffix(const char *c, const char *end)
{
    size_t digits = 0;

    if (c < end && (*c == '-' || *c == '+'))
        c++;
    for (; c < end && isdigit((unsigned char)*c); c++)
        digits++;
    return c == end && digits > 9;
}

/* Follows libconfig's scanner far enough to know in what state the next line begins. */
static void copy_line(struct input *input, const char *line, const char *end)
{
    struct buffer *text = &input->source->text;

    for (const char *c = line, *next; c < end; c = next) {
        bool plain = input->state == PLAIN;
        if (plain)
            next = pass_plain(input, c, end);
        else
            next = input->state == IN_TEXT ? pass_text(input, c, end) : pass_comment(input, c, end);
        buffer_append(text, c, (size_t)(next - c));
        if (plain && needs_suffix(c, next))
            buffer_append(text, "L", 1);
        if (plain && (*c == '=' || *c == ':'))
            input->source->settings++;
    }
    buffer_append(text, "\n", 1);
}

/* The place behind `@include` and its blanks, or NULL when the line is not an include. */
static const char *include_argument(const char *line, const char *end)
{
    static const char WORD[] = "@include";
    const char *c = line;

    while (c < end && (*c == ' ' || *c == '\t'))
        c++;
    if ((size_t)(end - c) < sizeof(WORD) - 1 || memcmp(c, WORD, sizeof(WORD) - 1) != 0)
        return NULL;
    c += sizeof(WORD) - 1;
    while (c < end && (*c == ' ' || *c == '\t'))
        c++;
    return c;
}

/* Replaces the include at the begin of the line. *ret_rest is what follows it on the line. */
static int add_include(struct input *input, const char *argument, const char *end, const char **ret_rest)
{
    const char *name = argument + 1;
    const char *quote = argument < end && *argument == '"' ? memchr(name, '"', (size_t)(end - name)) : NULL;
    const char *rest = quote ? quote + 1 : end;
    int r;

    while (rest < end && (*rest == ' ' || *rest == '\t'))
        rest++;
    *ret_rest = rest;
    if (!quote || quote == name || memchr(name, '\\', (size_t)(quote - name)) || (rest < end && *rest == '@')) {
        report_problem(input->report, input_place(input), NULL,
                       "cannot read this include; write @include \"name\" on a line of its own, without backslashes");
        *ret_rest = end;
        return 0;
    }
    r = include_file(input, name, (size_t)(quote - name));
    if (r == 0)
        begin_span(input);
    return r;
}

static int add_line(struct input *input, const char *line, const char *end)
{
    const char *argument = input->state == PLAIN ? include_argument(line, end) : NULL;
    struct source_text *source = input->source;
    int r = argument ? add_include(input, argument, end, &line) : 0;

    if (r < 0)
        return r;
    source->bytes += (size_t)(end - line) + 1;
    if (source->bytes > SOURCE_BYTES_MAX) {
        report_problem(input->report, input_place(input), NULL,
                       "the configuration is too large; the most is %d bytes with all includes", SOURCE_BYTES_MAX);
        return -EINVAL;
    }
    copy_line(input, line, end);
    source->lines++;
    if (source->settings > SOURCE_SETTINGS_MAX) {
        report_problem(input->report, input_place(input), NULL, "too many settings; the most is %d with all includes",
                       SOURCE_SETTINGS_MAX);
        return -EINVAL;
    }
    return source->text.failed ? -ENOMEM : 0;
}

static int add_lines(struct input *input, const char *bytes, size_t size_bytes)
{
    const char *end = bytes + size_bytes;
    int r = 0;

    begin_span(input);
    for (const char *line = bytes; line < end && r == 0; input->line++) {
        const char *line_end = memchr(line, '\n', (size_t)(end - line));
        if (!line_end)
            line_end = end;
        if (memchr(line, '\0', (size_t)(line_end - line)))
            report_problem(input->report, input_place(input), NULL, "holds a NUL byte; this must be a text file");
        r = add_line(input, line, line_end);
        line = line_end + 1;
    }
    if (r == 0 && input->state != PLAIN) {
        input->line = input->opened_line;
        report_problem(input->report, input_place(input), NULL, "the %s that begins here does not end in this file",
                       input->state == IN_TEXT ? "text" : "comment");
    }
    return r;
}

/* Takes over name. There is room for one more file. */
static unsigned add_file(struct source_text *source, char *name)
{
    assert(source->file_count < SOURCE_FILES_MAX);
    source->files[source->file_count] = name;
    return source->file_count++;
}

static int read_input(struct input *input)
{
    struct buffer contents;
    int r;

    buffer_init(&contents, SOURCE_BYTES_MAX);
    r = read_file(input->source->files[input->file], &contents, NULL);
    if (r == 0)
        r = add_lines(input, buffer_bytes(&contents), buffer_size(&contents));
    buffer_done(&contents);
    return r;
}

/* The name as written, or seen from the directory of the file that includes it. NULL when out of memory. */
static char *resolve(const char *parent, const char *name, size_t name_length)
{
    const char *slash = name[0] == '/' ? NULL : strrchr(parent, '/');
    size_t directory_length = slash ? (size_t)(slash + 1 - parent) : 0;
    char *path = malloc(directory_length + name_length + 1);

    if (path) {
        memcpy(path, parent, directory_length);
        memcpy(path + directory_length, name, name_length);
        path[directory_length + name_length] = '\0';
    }
    return path;
}

static int include_file(struct input *parent, const char *name, size_t name_length)
{
    struct source_text *source = parent->source;
    struct input input = {.source = source, .report = parent->report, .depth = parent->depth + 1, .line = 1};
    size_t problems_before = parent->report->count;
    const char *wrong = NULL;
    char *path;
    int r;

    if (parent->depth == 0)
        wrong = "includes are for files only";
    else if (parent->depth == SOURCE_DEPTH_MAX)
        wrong = "includes are nested too deep; does a file include itself?";
    else if (source->file_count == SOURCE_FILES_MAX)
        wrong = "too many includes; put some files together";
    if (wrong) {
        report_problem(parent->report, input_place(parent), NULL, "%s", wrong);
        return -EINVAL;
    }
    path = resolve(source->files[parent->file], name, name_length);
    if (!path)
        return -ENOMEM;
    input.file = add_file(source, path);
    r = read_input(&input);
    if (r < 0 && r != -ENOMEM && parent->report->count == problems_before) {
        report_problem(parent->report, input_place(parent), NULL, "cannot include %.300s: %s", path,
                       read_file_wrong(r));
        r = -EINVAL;
    }
    return r;
}

int source_text_read(struct source_text *source, const char *file, struct report *report)
{
    struct input input = {.source = source, .report = report, .depth = 1, .line = 1};
    size_t problems_before = report->count;
    char *name = strdup(file);
    int r;

    if (!name)
        return -ENOMEM;
    input.file = add_file(source, name);
    r = read_input(&input);
    if (r == -ENOMEM || (r == -ENOENT && report->count == problems_before))
        return r;
    if (r < 0 && report->count == problems_before)
        report_problem(report, (struct place){PLACE_FILE, name, 0}, NULL, "cannot be read: %s", read_file_wrong(r));
    return report->count > problems_before ? -EINVAL : 0;
}

int source_text_set(struct source_text *source, const char *name, const char *text, struct report *report)
{
    struct input input = {.source = source, .report = report, .depth = 0, .line = 1};
    size_t problems_before = report->count;
    char *copy = strdup(name);
    int r;

    if (!copy)
        return -ENOMEM;
    input.file = add_file(source, copy);
    r = add_lines(&input, text, strlen(text));
    if (r == -ENOMEM)
        return r;
    return report->count > problems_before ? -EINVAL : 0;
}
