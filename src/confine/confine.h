/* After start, the program gives up what it does not need any more, so that whoever takes it over by a flaw in it gains
 * little: capabilities (capabilities(7)), gaining privileges by execve (PR_SET_NO_NEW_PRIVS), writing to the file
 * system (landlock(7)), and every system call that it has no use for (seccomp(2)), such as running programs. It still
 * reads any file that its user may read, since a reload, a name look-up and TLS need some, and it still connects to
 * anywhere. */
#pragma once

/* Confines this thread and those that it starts later; there is no way back. socket_paths: files that must still be
 * removable at the end; NULL ends. Returns NULL, or in fixed text why not all of it is in force; the rest is, then. */
const char *confine_process(const char *const *socket_paths);
