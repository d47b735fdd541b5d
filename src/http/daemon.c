#include "http/daemon.h"

#include "base/limits.h"

struct MHD_Daemon *daemon_start(const struct daemon_hooks *hooks, size_t pool_bytes, unsigned connections_max)
{
    /* TURBO: it must not shut down the socket whose duplicate we keep. Suspending is for trigger requests only. */
    const unsigned flags = MHD_USE_EPOLL | MHD_USE_NO_LISTEN_SOCKET | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME;

    return MHD_start_daemon(flags, 0, NULL, NULL, hooks->access, hooks->context, MHD_OPTION_NOTIFY_COMPLETED,
                            hooks->completed, hooks->context, MHD_OPTION_NOTIFY_CONNECTION, hooks->connection,
                            hooks->context, MHD_OPTION_URI_LOG_CALLBACK, hooks->target, hooks->context,
                            MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_TIMEOUT_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
                            pool_bytes, MHD_OPTION_CONNECTION_LIMIT, connections_max, MHD_OPTION_END);
}
