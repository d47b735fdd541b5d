#include "access/jwk.h"

#include "access/base64url.h"
#include "access/members.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/param_build.h>
#include <string.h>

enum { TEXT_MAX = JWK_BYTES_MAX / 3 * 4, COORDINATE_BYTES_MAX = 66 };

size_t jwk_bytes(struct json_slice object, const char *name, uint8_t out[JWK_BYTES_MAX])
{
    struct buffer bytes = buffer_in((char *)out, JWK_BYTES_MAX);
    char text[TEXT_MAX + 1];
    bool taken = member_text(object, name, text, sizeof(text)) == 0 &&
                 base64url_decode(text, strlen(text), &bytes) == 0 && !bytes.failed;

    explicit_bzero(text, sizeof(text));
    return taken ? buffer_size(&bytes) : 0;
}

static EVP_PKEY *pkey_from(const char *type, OSSL_PARAM *params)
{
    EVP_PKEY_CTX *context = params ? EVP_PKEY_CTX_new_from_name(NULL, type, NULL) : NULL;
    EVP_PKEY *pkey = NULL;

    if (context && EVP_PKEY_fromdata_init(context) == 1)
        EVP_PKEY_fromdata(context, &pkey, EVP_PKEY_PUBLIC_KEY, params);
    EVP_PKEY_CTX_free(context);
    return pkey;
}

EVP_PKEY *jwk_rsa(struct json_slice object)
{
    uint8_t n[JWK_BYTES_MAX], e[JWK_BYTES_MAX];
    size_t n_bytes = jwk_bytes(object, "n", n), e_bytes = jwk_bytes(object, "e", e);
    BIGNUM *modulus = BN_bin2bn(n, (int)n_bytes, NULL), *exponent = BN_bin2bn(e, (int)e_bytes, NULL);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    OSSL_PARAM *params = NULL;
    EVP_PKEY *pkey = NULL;

    if (modulus && exponent && build && n_bytes > 0 && e_bytes > 0 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, modulus) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, exponent) == 1 &&
        (params = OSSL_PARAM_BLD_to_param(build)))
        pkey = pkey_from("RSA", params);
    OSSL_PARAM_free(params);
    OSSL_PARAM_BLD_free(build);
    BN_free(modulus);
    BN_free(exponent);
    return pkey;
}

EVP_PKEY *jwk_ec(struct json_slice object, const char *group, size_t coordinate_bytes)
{
    uint8_t x[JWK_BYTES_MAX], y[JWK_BYTES_MAX], point[1 + 2 * COORDINATE_BYTES_MAX] = {POINT_CONVERSION_UNCOMPRESSED};
    char name[16];

    if (jwk_bytes(object, "x", x) != coordinate_bytes || jwk_bytes(object, "y", y) != coordinate_bytes)
        return NULL;
    memcpy(point + 1, x, coordinate_bytes);
    memcpy(point + 1 + coordinate_bytes, y, coordinate_bytes);
    strcpy(name, group);
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, name, 0),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point, 1 + 2 * coordinate_bytes),
        OSSL_PARAM_construct_end(),
    };
    return pkey_from("EC", params);
}

EVP_PKEY *jwk_ed25519(struct json_slice object)
{
    uint8_t x[JWK_BYTES_MAX];
    size_t size = jwk_bytes(object, "x", x);

    return size > 0 ? EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, x, size) : NULL;
}
