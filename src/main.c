/* The program: arguments, signals, exit codes. */
#include "base/descriptors.h"
#include "base/log.h"
#include "confine/confine.h"
#include "gateway.h"
#include "http/ready_probe.h"
#include "loop/service_manager.h"
#include "postgres/conninfo_text.h"
#include "postgres/setup.h"

#include <errno.h>
#include <getopt.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2, EXIT_CONFIG = 78 /* EX_CONFIG of sysexits.h */, PROBLEMS_BYTES_MAX = 1 << 20 };

struct arguments {
    const char *command;
    struct config_source source;
    bool dry_run, quiet;
    bool remove;           /* with setup */
    const char *confirmed; /* the database to remove it from */
};

struct program {
    struct loop_signals signals;
    struct service_manager manager;
    struct arguments arguments;
    struct listen_address addresses[2];
    const char *socket_paths[3]; /* of those that are files; NULL ends */
    bool confined;
    struct gateway *gateway;
};

static const char usage_text[] =
    "Usage: tuplecast [serve] [options]   run the gateway\n"
    "       tuplecast setup [options]     install or mend the database side (--dry-run prints the SQL)\n"
    "       tuplecast check [options]     read the configuration, say what is wrong\n"
    "       tuplecast ready [options]     ask a running gateway whether it can serve; exit 0 or 1\n"
    "\n"
    "  -c, --config FILE        configuration (default: " CONFIG_FILE_DEFAULT ", if it is there)\n"
    "  -d, --database STRING    libpq connection string; default: DATABASE_URL, or libpq's PG* variables\n"
    "  -l, --listen ADDRESS     address to serve, such as 127.0.0.1:8080\n"
    "      --channels LIST      channels that may be subscribed to, comma separated; * and ? are patterns\n"
    "      --log-level LEVEL    debug, info, warn or error\n"
    "      --quiet              with check: print only what is wrong\n"
    "      --dry-run            with setup: print what would be run\n"
    "      --remove[=DATABASE]  with setup: remove everything; without the database's name, only tell what that is\n"
    "      --version, --help\n"
    "\n"
    "Each setting can also come from the environment: TUPLECAST_LISTEN, TUPLECAST_STREAMS_HEARTBEAT_MS and "
    "so on.\n";

static bool is_command(const char *text)
{
    static const char *const commands[] = {"serve", "setup", "check", "ready"};

    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
        if (strcmp(text, commands[i]) == 0)
            return true;
    return false;
}

static bool parse_arguments(int count, char **values, struct arguments *ret_arguments, int *ret_exit)
{
    enum {
        OPTION_CHANNELS = 256,
        OPTION_LOG_LEVEL,
        OPTION_DRY_RUN,
        OPTION_QUIET,
        OPTION_REMOVE,
        OPTION_VERSION,
        OPTION_HELP
    };
    static const struct option options[] = {
        {"config", required_argument, NULL, 'c'},
        {"database", required_argument, NULL, 'd'},
        {"listen", required_argument, NULL, 'l'},
        {"channels", required_argument, NULL, OPTION_CHANNELS},
        {"log-level", required_argument, NULL, OPTION_LOG_LEVEL},
        {"dry-run", no_argument, NULL, OPTION_DRY_RUN},
        {"quiet", no_argument, NULL, OPTION_QUIET},
        {"remove", optional_argument, NULL, OPTION_REMOVE},
        {"version", no_argument, NULL, OPTION_VERSION},
        {"help", no_argument, NULL, OPTION_HELP},
        {0},
    };
    struct arguments arguments = {.command = "serve",
                                  .source = {.getenv = getenv, .connection_is_wrong = conninfo_is_wrong}};
    int option;

    *ret_exit = EXIT_SUCCESS;
    while ((option = getopt_long(count, values, "c:d:l:", options, NULL)) != -1) {
        switch (option) {
        case 'c':
            arguments.source.file = optarg;
            break;
        case 'd':
            arguments.source.database = optarg;
            break;
        case 'l':
            arguments.source.listen = optarg;
            break;
        case OPTION_CHANNELS:
            arguments.source.channels = optarg;
            break;
        case OPTION_LOG_LEVEL:
            arguments.source.log_level = optarg;
            break;
        case OPTION_DRY_RUN:
            arguments.dry_run = true;
            break;
        case OPTION_QUIET:
            arguments.quiet = true;
            break;
        case OPTION_REMOVE:
            arguments.remove = true;
            arguments.confirmed = optarg;
            break;
        case OPTION_VERSION:
            puts("tuplecast " TUPLECAST_VERSION);
            return false;
        case OPTION_HELP:
            fputs(usage_text, stdout);
            return false;
        default:
            fputs("Try: tuplecast --help\n", stderr);
            *ret_exit = EXIT_USAGE;
            return false;
        }
    }
    if (optind < count)
        arguments.command = values[optind++];
    if (!is_command(arguments.command)) {
        fprintf(stderr, "tuplecast: there is no command `%s`. Try: tuplecast --help\n", arguments.command);
        *ret_exit = EXIT_USAGE;
        return false;
    }
    if (optind < count) {
        fprintf(stderr, "tuplecast: `%s` is one argument too many. Try: tuplecast --help\n", values[optind]);
        *ret_exit = EXIT_USAGE;
        return false;
    }
    *ret_arguments = arguments;
    return true;
}

/* To stderr as they are, for a person who types commands. */
static void print_problems(char *text)
{
    fputs(text[0] ? text : "the configuration cannot be read\n", stderr);
}

/* As lines of the log. */
static void log_problems(char *text)
{
    char *rest = NULL;

    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        log_error("mistake in the configuration", log_text("problem", line));
}

static void log_odd(char *text)
{
    char *rest = NULL;

    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest))
        log_warn("a variable that is no setting's", log_text("problem", line));
}

static void tell_odd_variables(void (*tell)(char *text))
{
    struct buffer lines;

    buffer_init(&lines, PROBLEMS_BYTES_MAX);
    config_odd_variables(environ, &lines);
    if (buffer_size(&lines) > 0 && buffer_text(&lines))
        tell(lines.data + lines.start);
    buffer_done(&lines);
}

/* Loads the configuration, or tells what is wrong with it. */
static int load(const struct config_source *source, struct config *ret_config, void (*tell)(char *text))
{
    struct buffer problems;

    buffer_init(&problems, PROBLEMS_BYTES_MAX);
    int error = config_load(source, ret_config, &problems);
    if (error < 0)
        tell(buffer_text(&problems) ? problems.data + problems.start : (char[]){""});
    buffer_done(&problems);
    return error;
}

/* The files with keys and tokens that it names. */
static int load_access(const struct config *config, struct access **ret_access, void (*tell)(char *text))
{
    struct buffer problems;

    buffer_init(&problems, PROBLEMS_BYTES_MAX);
    int error = access_new(config, ret_access, &problems);
    if (error < 0)
        tell(buffer_text(&problems) ? problems.data + problems.start : (char[]){""});
    buffer_done(&problems);
    return error;
}

static void reload(struct program *program)
{
    struct config config = {0};
    struct access *access;

    service_manager_reloading(&program->manager);
    if (load(&program->arguments.source, &config, log_problems) < 0 || load_access(&config, &access, log_problems) < 0)
        gateway_reload_failed(program->gateway);
    else
        gateway_reload(program->gateway, &config, access);
    config_done(&config);
    service_manager_ready(&program->manager);
}

static void on_signal(struct loop_signals *signals, int signal_number)
{
    struct program *program = (struct program *)((char *)signals - offsetof(struct program, signals));

    if (signal_number == SIGHUP)
        reload(program);
    else
        service_manager_stopping(&program->manager, gateway_close(program->gateway));
}

static void append_status(struct service_manager *manager, struct buffer *out)
{
    struct program *program = (struct program *)((char *)manager - offsetof(struct program, manager));

    gateway_append_status(program->gateway, out);
}

/* Ready means that clients are served, the database there or not: streams then say so, and go on by themselves. */
static int run(struct program *program, struct loop *loop)
{
    const char *missing = program->confined ? confine_process(program->socket_paths) : NULL;

    if (missing)
        log_warn("not confined", log_text("reason", missing));
    service_manager_ready(&program->manager);
    int error = loop_run(loop);

    gateway_free(program->gateway);
    if (error == 0)
        log_info("closed");
    else
        log_error("loop failed", log_text("reason", strerror(-error)));
    return error;
}

static void note_sockets(struct program *program, const struct config *config)
{
    const char *const texts[] = {config->listen, config->management.listen};
    size_t count = 0;

    for (size_t i = 0; i < 2; i++)
        if (listen_address_parse(texts[i], &program->addresses[i], NULL) == 0 && program->addresses[i].path[0])
            program->socket_paths[count++] = program->addresses[i].path;
}

static int serve(const struct arguments *arguments, struct config *config, struct access *access)
{
    struct program program = {.arguments = *arguments};
    struct loop *loop = loop_new();
    const char *problem;
    sigset_t signals;
    int listen_fd;

    if (!loop) {
        log_error("cannot start", log_text("reason", strerror(errno)));
        access_free(access);
        return EXIT_FAILURE;
    }
    if (service_manager_take_socket(&listen_fd, &problem) < 0) {
        log_error("cannot start", log_text("reason", problem));
        access_free(access);
        loop_free(loop);
        return EXIT_CONFIG;
    }
    signal(SIGPIPE, SIG_IGN);
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGHUP);
    program.confined = config->confine;
    note_sockets(&program, config);
    int error = loop_signals_init(&program.signals, loop, &signals, on_signal);
    if (error == 0)
        error = service_manager_init(&program.manager, loop, append_status);
    if (error == 0)
        error = gateway_new(loop, config, access, listen_fd, &program.gateway);
    else
        access_free(access);
    if (error < 0)
        log_error("cannot start", log_text("reason", strerror(-error)));
    else
        error = run(&program, loop);
    service_manager_done(&program.manager);
    loop_signals_done(&program.signals);
    loop_free(loop);
    return error == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int check(const struct config *config)
{
    struct buffer text;

    buffer_init(&text, PROBLEMS_BYTES_MAX);
    config_print(config, conninfo_redact, &text);
    const char *printed = buffer_text(&text);
    if (printed)
        fputs(printed, stdout);
    buffer_done(&text);
    return printed ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int ready(const struct config *config)
{
    struct listen_address address;

    if (listen_address_parse(config->listen, &address, NULL) < 0)
        return EXIT_CONFIG;
    return ready_probe(&address, stderr) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argument_count, char **argument_values)
{
    struct arguments arguments;
    struct access *access = NULL;
    struct config config;
    char wrong[512];
    int status;

    descriptors_fill_standard();
    setlocale(LC_CTYPE, "C.UTF-8");
    if (!parse_arguments(argument_count, argument_values, &arguments, &status))
        return status;
    if (load(&arguments.source, &config, print_problems) < 0)
        return EXIT_CONFIG;
    if (conninfo_environment_is_wrong(wrong, sizeof(wrong))) {
        fprintf(stderr, "%s\n", wrong);
        config_done(&config);
        return EXIT_CONFIG;
    }
    log_init(config.log.level, config.log.format);
    bool serves = strcmp(arguments.command, "serve") == 0, checks = strcmp(arguments.command, "check") == 0;
    if (serves || checks)
        tell_odd_variables(serves ? log_odd : print_problems);
    if ((serves || checks) && load_access(&config, &access, print_problems) < 0) {
        status = EXIT_CONFIG;
    } else if (serves) {
        status = serve(&arguments, &config, access);
    } else if (strcmp(arguments.command, "setup") == 0) {
        int error = arguments.remove
                        ? setup_remove(config.database, arguments.confirmed, arguments.dry_run, stdout, stderr)
                        : setup_run(config.database, arguments.dry_run, stdout, stderr);
        status = error < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    } else if (checks) {
        status = arguments.quiet ? EXIT_SUCCESS : check(&config);
        if (!arguments.quiet)
            setup_look(config.database, stderr);
        access_free(access);
    } else {
        status = ready(&config);
    }
    config_done(&config);
    return status;
}
