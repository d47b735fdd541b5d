/* A request's head as it came over the wire, judged before libmicrohttpd sees it. The library decodes first and is
 * generous: it takes a space before a colon, two lengths, folded lines, a NUL in a value. Two programs that read such a
 * head differently are what request smuggling needs, so here only one reading passes (RFC 9112; RFC 9110, section 5.5).
 *
 * Stricter than the RFCs: no list of equal Content-Lengths, no body in chunks (411), and a header that can only have
 * one value stands there once. More generous than RFC 3986, because browsers are: [ \ ] ^ ` { | } may stand in a
 * target.
 *
 * A target in absolute form says which host is meant, whatever Host says (RFC 9112, section 3.2.2; exchange.h); both
 * must be written as hosts are. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum { ORIGIN_TEXT_BYTES = 320 }; /* a scheme, a host name as long as can be, and a port */

struct request_head {
    size_t size_bytes;              /* with the empty line at its end */
    size_t items;                   /* headers, parameters and cookies */
    size_t body_bytes;              /* that follow */
    bool is_head;                   /* HEAD: answers have no body. Known as soon as the method is. */
    const char *problem;            /* of a refusal: what is wrong and what to do, fixed text */
    unsigned problem_status;        /* of a refusal */
    char origin[ORIGIN_TEXT_BYTES]; /* of a refusal: what Origin says, as far as it has come; "": nothing */
};

/* Returns 0 when bytes begins with a whole head that is fit for the library; -EAGAIN when nothing is wrong so far but
 * its end is missing; -EBADMSG when it is refused. Never reads behind the head. */
int request_guard_check(const char *bytes, size_t size_bytes, struct request_head *ret_head);

/* Looks for Origin in a head that is to be refused, or is not whole, and writes it into *head: whoever asked in a
 * browser may only read the answer when it says that they may. Two of them are none. */
void request_guard_find_origin(const char *bytes, size_t size_bytes, struct request_head *head);
