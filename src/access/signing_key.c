#include "access/signing_key.h"

#include "access/base64url.h"
#include "access/members.h"

#include <cjose/cjose.h>
#include <errno.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>

enum { ED25519_KEY_BYTES = 32, KEY_BYTES_MAX = 1 << 14 };

struct algorithm {
    const char *name; /* RFC 7518, section 3.1; RFC 8037 */
    const char *kty;
    const char *crv;        /* NULL: the key has none */
    size_t signature_bytes; /* 0: as long as the key's modulus, which the library checks; it does not check these */
};

static const struct algorithm algorithms[] = {
    /* What a key without `alg` is for stands first among its kind. */
    {"HS256", "oct", NULL, 32},      {"HS384", "oct", NULL, 48},   {"HS512", "oct", NULL, 64},
    {"RS256", "RSA", NULL, 0},       {"RS384", "RSA", NULL, 0},    {"RS512", "RSA", NULL, 0},
    {"PS256", "RSA", NULL, 0},       {"PS384", "RSA", NULL, 0},    {"PS512", "RSA", NULL, 0},
    {"ES256", "EC", "P-256", 64},    {"ES384", "EC", "P-384", 96}, {"ES512", "EC", "P-521", 132},
    {"EdDSA", "OKP", "Ed25519", 64},
};

struct signing_key {
    const struct algorithm *algorithm;
    cjose_jwk_t *jwk;  /* NULL: it is an Ed25519 key */
    EVP_PKEY *ed25519; /* the same the other way round */
    uint8_t fingerprint[SHA256_BYTES];
};

void sha256(const void *bytes, size_t size_bytes, uint8_t ret_digest[SHA256_BYTES])
{
    EVP_Digest(bytes, size_bytes, ret_digest, NULL, EVP_sha256(), NULL);
}

static const struct algorithm *find_algorithm(const char *name, const char *kty, const char *crv)
{
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(*algorithms); i++) {
        const struct algorithm *algorithm = &algorithms[i];
        if ((!name || strcmp(algorithm->name, name) == 0) && strcmp(algorithm->kty, kty) == 0 &&
            (!algorithm->crv || (crv && strcmp(algorithm->crv, crv) == 0)))
            return algorithm;
    }
    return NULL;
}

/* The library keeps a thread's last errors in a queue that libpq's connections read, too. */
static int clear_errors(int result)
{
    ERR_clear_error();
    return result;
}

static int key_new(const struct algorithm *algorithm, cjose_jwk_t *jwk, EVP_PKEY *ed25519, const char *fingerprint,
                   size_t fingerprint_bytes, struct signing_key **ret_key)
{
    struct signing_key *key = calloc(1, sizeof(*key));
    struct buffer text;

    if (!key)
        return -ENOMEM;
    buffer_init(&text, KEY_BYTES_MAX);
    buffer_append(&text, algorithm->name, strlen(algorithm->name) + 1);
    buffer_append(&text, fingerprint, fingerprint_bytes);
    bool failed = text.failed;
    sha256(buffer_bytes(&text), buffer_size(&text), key->fingerprint);
    buffer_done(&text);
    if (failed) {
        free(key);
        return -ENOMEM;
    }
    key->algorithm = algorithm;
    key->jwk = jwk;
    key->ed25519 = ed25519;
    *ret_key = key;
    return 0;
}

/* Takes jwk. what is told apart by the fingerprint: the bytes that make the key. */
static int take_jwk(const struct algorithm *algorithm, cjose_jwk_t *jwk, const char *what, size_t what_bytes,
                    struct signing_key **ret_key, const char **ret_wrong)
{
    if (!jwk) {
        *ret_wrong = "is not a key: its numbers do not fit together";
        return -EINVAL;
    }
    size_t bits = cjose_jwk_get_keysize(jwk, NULL);
    int error = 0;
    if (strcmp(algorithm->kty, "oct") == 0 && bits < SECRET_BYTES_MIN * 8) {
        *ret_wrong = "is a secret of less than 32 bytes, which can be guessed; make one with openssl rand -hex 32";
        error = -EINVAL;
    } else if (strcmp(algorithm->kty, "RSA") == 0 && (bits < RSA_BITS_MIN || bits > RSA_BITS_MAX)) {
        *ret_wrong = "is an RSA key of less than 2048 or more than 8192 bits";
        error = -EINVAL;
    }
    if (error == 0)
        error = key_new(algorithm, jwk, NULL, what, what_bytes, ret_key);
    if (error < 0)
        cjose_jwk_release(jwk);
    return error;
}

int signing_key_from_secret(const char *secret, size_t size_bytes, struct signing_key **ret_key, const char **ret_wrong)
{
    cjose_jwk_t *jwk = cjose_jwk_create_oct_spec((const uint8_t *)secret, size_bytes, NULL);

    return clear_errors(take_jwk(&algorithms[0], jwk, secret, size_bytes, ret_key, ret_wrong));
}

static int from_ed25519(EVP_PKEY *pkey, struct signing_key **ret_key)
{
    uint8_t raw[ED25519_KEY_BYTES];
    size_t size = sizeof(raw);

    if (EVP_PKEY_get_raw_public_key(pkey, raw, &size) != 1)
        return -EINVAL;
    int error = key_new(find_algorithm("EdDSA", "OKP", "Ed25519"), NULL, pkey, (const char *)raw, size, ret_key);
    if (error == 0)
        EVP_PKEY_up_ref(pkey);
    return error;
}

static bool append_number(EVP_PKEY *pkey, const char *name, uint8_t out[KEY_BYTES_MAX], size_t *ret_size)
{
    BIGNUM *number = NULL;
    bool taken = EVP_PKEY_get_bn_param(pkey, name, &number) == 1 && BN_num_bytes(number) <= KEY_BYTES_MAX;

    if (taken)
        *ret_size = (size_t)BN_bn2bin(number, out);
    BN_free(number);
    return taken;
}

static int from_rsa(EVP_PKEY *pkey, struct signing_key **ret_key, const char **ret_wrong)
{
    uint8_t n[KEY_BYTES_MAX], e[KEY_BYTES_MAX];
    cjose_jwk_rsa_keyspec spec = {.n = n, .e = e};

    if (!append_number(pkey, OSSL_PKEY_PARAM_RSA_N, n, &spec.nlen) ||
        !append_number(pkey, OSSL_PKEY_PARAM_RSA_E, e, &spec.elen))
        return -EINVAL;
    return take_jwk(find_algorithm("RS256", "RSA", NULL), cjose_jwk_create_RSA_spec(&spec, NULL), (const char *)n,
                    spec.nlen, ret_key, ret_wrong);
}

static int from_ec(EVP_PKEY *pkey, struct signing_key **ret_key, const char **ret_wrong)
{
    static const struct {
        const char *group, *crv;
        cjose_jwk_ec_curve curve;
    } curves[] = {{"prime256v1", "P-256", CJOSE_JWK_EC_P_256},
                  {"secp384r1", "P-384", CJOSE_JWK_EC_P_384},
                  {"secp521r1", "P-521", CJOSE_JWK_EC_P_521}};
    uint8_t x[KEY_BYTES_MAX], y[KEY_BYTES_MAX];
    cjose_jwk_ec_keyspec spec = {.x = x, .y = y};
    char group[64];

    if (EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) != 1 ||
        !append_number(pkey, OSSL_PKEY_PARAM_EC_PUB_X, x, &spec.xlen) ||
        !append_number(pkey, OSSL_PKEY_PARAM_EC_PUB_Y, y, &spec.ylen))
        return -EINVAL;
    for (size_t i = 0; i < sizeof(curves) / sizeof(*curves); i++) {
        if (strcmp(curves[i].group, group) != 0)
            continue;
        spec.crv = curves[i].curve;
        return take_jwk(find_algorithm(NULL, "EC", curves[i].crv), cjose_jwk_create_EC_spec(&spec, NULL),
                        (const char *)x, spec.xlen, ret_key, ret_wrong);
    }
    *ret_wrong = "is on a curve other than P-256, P-384 and P-521";
    return -EINVAL;
}

int signing_key_from_pem(const char *pem, size_t size_bytes, struct signing_key **ret_key, const char **ret_wrong)
{
    static const char begin[] = "-----BEGIN ", public_key[] = "-----BEGIN PUBLIC KEY-----";
    const char *first = memmem(pem, size_bytes, begin, strlen(begin));
    int error = -EINVAL;

    *ret_wrong = "holds no PEM block and no JWKS; write \"-----BEGIN PUBLIC KEY-----\" or a JSON object";
    if (!first)
        return error;
    if (memmem(pem, size_bytes, "PRIVATE KEY-----", 16)) {
        *ret_wrong = "holds a private key, which must not be here; take the public one (openssl pkey -pubout)";
        return error;
    }
    size_t rest = size_bytes - (size_t)(first - pem);
    *ret_wrong = "holds something other than a public key; convert it (openssl x509 -pubkey -noout, or openssl rsa "
                 "-RSAPublicKey_in -pubout)";
    if (rest < strlen(public_key) || memcmp(first, public_key, strlen(public_key)) != 0)
        return error;
    *ret_wrong = "holds more than one key; give each a file of its own, or use a JWKS";
    if (memmem(first + 1, rest - 1, begin, strlen(begin)))
        return error;
    *ret_wrong = "is not a key that tokens are signed with: RSA, P-256, P-384, P-521 or Ed25519";
    BIO *bio = BIO_new_mem_buf(first, (int)rest);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    if (pkey && EVP_PKEY_get_id(pkey) == EVP_PKEY_ED25519)
        error = from_ed25519(pkey, ret_key);
    else if (pkey && EVP_PKEY_get_id(pkey) == EVP_PKEY_RSA)
        error = from_rsa(pkey, ret_key, ret_wrong);
    else if (pkey && EVP_PKEY_get_id(pkey) == EVP_PKEY_EC)
        error = from_ec(pkey, ret_key, ret_wrong);
    EVP_PKEY_free(pkey);
    BIO_free(bio);
    return clear_errors(error);
}

static int from_okp(struct json_slice object, struct signing_key **ret_key, const char **ret_wrong)
{
    struct buffer raw;
    int error = -EINVAL;
    char x[64];

    *ret_wrong = "is not an Ed25519 key: `x` has 32 bytes in base64url";
    buffer_init(&raw, ED25519_KEY_BYTES);
    if (member_text(object, "x", x, sizeof(x)) == 0 && base64url_decode(x, strlen(x), &raw) == 0 && !raw.failed &&
        buffer_size(&raw) == ED25519_KEY_BYTES) {
        EVP_PKEY *pkey =
            EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, (const uint8_t *)buffer_bytes(&raw), ED25519_KEY_BYTES);
        error = pkey ? from_ed25519(pkey, ret_key) : -EINVAL;
        EVP_PKEY_free(pkey);
    }
    buffer_done(&raw);
    return error;
}

/* A key says what it is for in two ways (RFC 7517, sections 4.2 and 4.3); either may forbid signatures. */
static bool is_for_signatures(struct json_slice object)
{
    struct json_slice operations, item;
    char use[16];
    int error = member_text(object, "use", use, sizeof(use));

    if (error != -ENOENT && (error < 0 || strcmp(use, "sig") != 0))
        return false;
    if (!member_find(object, "key_ops", &operations))
        return true;
    while (json_next_item(&operations, &item))
        if (item.size_bytes == 8 && memcmp(item.text, "\"verify\"", 8) == 0)
            return true;
    return false;
}

int signing_key_from_jwk(const char *json, size_t size_bytes, struct signing_key **ret_key, const char **ret_wrong)
{
    const struct json_slice object = {json, size_bytes};
    const struct algorithm *algorithm;
    struct json_slice private_part;
    char kty[16], alg[16], crv[16];

    *ret_wrong = "has no `kty`";
    if (member_text(object, "kty", kty, sizeof(kty)) < 0)
        return -EINVAL;
    int has_alg = member_text(object, "alg", alg, sizeof(alg));
    int has_crv = member_text(object, "crv", crv, sizeof(crv));
    if (!is_for_signatures(object) || (has_alg < 0 && has_alg != -ENOENT) || (has_crv < 0 && has_crv != -ENOENT))
        return -ENOTSUP;
    algorithm = find_algorithm(has_alg == 0 ? alg : NULL, kty, has_crv == 0 ? crv : NULL);
    if (!algorithm)
        return -ENOTSUP;
    *ret_wrong = "holds a private key, which must not be here; leave `d` and its like out";
    if (member_find(object, "d", &private_part))
        return -EINVAL;
    int error = strcmp(kty, "OKP") == 0 ? from_okp(object, ret_key, ret_wrong)
                                        : take_jwk(algorithm, cjose_jwk_import(json, size_bytes, NULL), json,
                                                   size_bytes, ret_key, ret_wrong);
    return clear_errors(error);
}

void signing_key_free(struct signing_key *key)
{
    if (!key)
        return;
    if (key->jwk)
        cjose_jwk_release(key->jwk);
    EVP_PKEY_free(key->ed25519);
    free(key);
}

const char *signing_key_algorithm(const struct signing_key *key)
{
    return key->algorithm->name;
}

bool signing_key_is_secret(const struct signing_key *key)
{
    return strcmp(key->algorithm->kty, "oct") == 0;
}

const uint8_t *signing_key_fingerprint(const struct signing_key *key)
{
    return key->fingerprint;
}

static bool verifies_ed25519(EVP_PKEY *pkey, const char *token, size_t size_bytes, const struct buffer *signature)
{
    const char *dot = memrchr(token, '.', size_bytes);
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool verified = context && dot && EVP_DigestVerifyInit(context, NULL, NULL, NULL, pkey) == 1 &&
                    EVP_DigestVerify(context, (const uint8_t *)buffer_bytes(signature), buffer_size(signature),
                                     (const uint8_t *)token, (size_t)(dot - token)) == 1;

    EVP_MD_CTX_free(context);
    return verified;
}

static bool verifies_jwk(const struct signing_key *key, const char *token, size_t size_bytes)
{
    cjose_jws_t *jws = cjose_jws_import(token, size_bytes, NULL);
    const char *algorithm = jws ? cjose_header_get(cjose_jws_get_protected(jws), CJOSE_HDR_ALG, NULL) : NULL;
    /* The library goes by the header's algorithm. */
    bool verified = algorithm && strcmp(algorithm, key->algorithm->name) == 0 && cjose_jws_verify(jws, key->jwk, NULL);

    if (jws)
        cjose_jws_release(jws);
    return verified;
}

/* The size of the signature; 0 when a part is not base64url, on which cjose would end the program (it asserts). */
static size_t check_parts(const char *token, size_t size_bytes, struct buffer *ret_signature)
{
    const char *end = token + size_bytes;

    for (int part = 0; part < 3; part++) {
        const char *dot = memchr(token, '.', (size_t)(end - token));
        if (!dot != (part == 2))
            return 0;
        buffer_clear(ret_signature);
        if (base64url_decode(token, (size_t)((dot ? dot : end) - token), ret_signature) < 0 || ret_signature->failed)
            return 0;
        token = dot ? dot + 1 : end;
    }
    return buffer_size(ret_signature);
}

bool signing_key_verifies(const struct signing_key *key, const char *token, size_t size_bytes)
{
    size_t wanted = key->algorithm->signature_bytes;
    struct buffer signature;

    buffer_init(&signature, KEY_BYTES_MAX);
    size_t size = check_parts(token, size_bytes, &signature);
    bool verified = size > 0 && (wanted == 0 || size == wanted);
    if (verified)
        verified = key->jwk ? verifies_jwk(key, token, size_bytes)
                            : verifies_ed25519(key->ed25519, token, size_bytes, &signature);
    buffer_done(&signature);
    ERR_clear_error();
    return verified;
}
