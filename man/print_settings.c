/* Prints tuplecast.conf(5), in the language of mdoc(7), from the table of all settings: the page cannot say anything
 * else than the program does. */
#include "config/settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static void print_escaped(const char *text)
{
    for (; *text; text++) {
        if (*text == '\\')
            fputs("\\e", stdout);
        else if (*text == '-')
            fputs("\\-", stdout);
        else
            putchar(*text);
    }
}

static void print_range(const struct setting *setting)
{
    switch (setting->type) {
    case SETTING_INTEGER:
        printf("A number from %" PRId64 " to %" PRId64 ".\n", setting->least, setting->most);
        return;
    case SETTING_BOOLEAN:
        puts("true or false.");
        return;
    case SETTING_LIST:
        printf("A list of at most %" PRId64 " texts.\n", setting->most);
        return;
    case SETTING_TEXT:
        printf("A text of at most %" PRId64 " bytes.\n", setting->most);
        return;
    case SETTING_ENUMERATION:
        fputs("One of ", stdout);
        for (const char *const *name = setting->names; *name; name++)
            printf("%s%s", *name, name[1] ? ", " : ".\n");
        return;
    }
}

static void print_setting(const struct setting *setting)
{
    char variable[SETTING_VARIABLE_BYTES];

    setting_variable(setting->path, variable);
    printf(".It Ic %s\n", setting->path);
    print_escaped(setting->help);
    putchar('\n');
    print_range(setting);
    if (setting->fallback[0]) {
        fputs("The default is\n.Ql ", stdout);
        print_escaped(setting->fallback);
        puts(" .");
    }
    if (setting->not_in_file)
        printf("Not in the file: %s.\n", setting->not_in_file);
    if (setting->needs_restart)
        puts("A change needs a restart.");
    printf(".Pp\nVariable:\n.Ev %s\n", variable);
}

int main(void)
{
    puts(".Dd $Mdocdate$\n.Dt TUPLECAST.CONF 5\n.Os\n.Sh NAME\n.Nm tuplecast.conf\n"
         ".Nd configuration of tuplecast\n.Sh DESCRIPTION\n"
         "The file\n.Pa " CONFIG_FILE_DEFAULT "\nholds settings in the syntax of libconfig:\n"
         ".Bd -literal -offset indent\n"
         "channels = ( \"posts_changes\", \"orders_*\" );\nstreams = { heartbeat_ms = 15000; };\n.Ed\n.Pp\n"
         "A setting comes from the first of: a flag, its environment variable, the file, DATABASE_URL\n"
         "(for\n.Ic database ) ,\nits default.\nAn empty variable counts as not set; lists are comma separated there.\n"
         ".Ql @include \"file\"\ntakes in other files.\n.Pp\n"
         "On SIGHUP the file is read again; with a mistake in it, nothing changes.\n"
         ".Ic tuplecast check\nprints the settings in force, or what is wrong, line by line.\n"
         ".Sh SETTINGS\n.Bl -tag -width Ds");
    for (const struct setting *setting = settings; setting->path; setting++)
        print_setting(setting);
    puts(".El\n.Sh FILES\n.Bl -tag -width Ds\n.It Pa " CONFIG_FILE_DEFAULT
         "\nRead when no other file is named; it need not exist.\n.El\n.Sh SEE ALSO\n.Xr tuplecast 1");
    return ferror(stdout) || fflush(stdout) != 0;
}
