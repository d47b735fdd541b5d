#include "access/secret.h"

#include <string.h>

bool secret_equal(const char *given, const char *secret)
{
    size_t given_size = strlen(given), secret_size = strlen(secret);
    unsigned char difference = given_size != secret_size;

    for (size_t i = 0; i < given_size; i++)
        difference |= (unsigned char)(given[i] ^ secret[secret_size ? i % secret_size : 0]);
    return difference == 0;
}

bool secret_equal_bytes(const void *one, const void *other, size_t size_bytes)
{
    const unsigned char *a = one, *b = other;
    unsigned char difference = 0;

    for (size_t i = 0; i < size_bytes; i++)
        difference |= (unsigned char)(a[i] ^ b[i]);
    return difference == 0;
}
