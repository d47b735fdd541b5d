/* Publishing an event to one of the servers under test. Each call returns when the server, or the database, has taken
 * the event. */
#pragma once

#include <stddef.h>

struct publisher;

/* target: "pg:<connection string>" (NOTIFY), "http:<port>:<path with %d>" (POST, as nchan takes it), "line:<port>" (our
 * bare server). Exits with a message when it cannot be reached. */
struct publisher *publisher_open(const char *target);

/* data is one line of JSON. */
void publisher_send(struct publisher *publisher, int channel, const char *data);
