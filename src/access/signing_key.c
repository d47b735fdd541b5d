#include "access/signing_key.h"

#include "access/jwk.h"
#include "access/members.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

struct algorithm {
    const char *name; /* RFC 7518, section 3.1; RFC 8037 */
    const char *kty;
    const char *crv;             /* NULL: the key has none */
    const char *group;           /* what libcrypto calls the curve */
    size_t signature_bytes;      /* 0: as long as the key's modulus */
    const EVP_MD *(*hash)(void); /* NULL: it comes with the curve */
};

static const struct algorithm algorithms[] = {
    /* What a key without `alg` is for stands first among its kind. */
    {"HS256", "oct", NULL, NULL, 32, EVP_sha256},          {"HS384", "oct", NULL, NULL, 48, EVP_sha384},
    {"HS512", "oct", NULL, NULL, 64, EVP_sha512},          {"RS256", "RSA", NULL, NULL, 0, EVP_sha256},
    {"RS384", "RSA", NULL, NULL, 0, EVP_sha384},           {"RS512", "RSA", NULL, NULL, 0, EVP_sha512},
    {"PS256", "RSA", NULL, NULL, 0, EVP_sha256},           {"PS384", "RSA", NULL, NULL, 0, EVP_sha384},
    {"PS512", "RSA", NULL, NULL, 0, EVP_sha512},           {"ES256", "EC", "P-256", "prime256v1", 64, EVP_sha256},
    {"ES384", "EC", "P-384", "secp384r1", 96, EVP_sha384}, {"ES512", "EC", "P-521", "secp521r1", 132, EVP_sha512},
    {"EdDSA", "OKP", "Ed25519", NULL, 64, NULL},
};

struct signing_key {
    const struct algorithm *algorithm;
    EVP_PKEY *pkey;
    uint8_t fingerprint[SHA256_BYTES];
};

int crypto_start(void)
{
    bool started = OPENSSL_init_crypto(0, NULL) == 1 && OSSL_LIB_CTX_get0_global_default() != NULL;

    ERR_clear_error();
    return started ? 0 : -ENOMEM;
}

int sha256(const void *bytes, size_t size_bytes, uint8_t ret_digest[SHA256_BYTES])
{
    bool done = EVP_Digest(bytes, size_bytes, ret_digest, NULL, EVP_sha256(), NULL) == 1;

    ERR_clear_error();
    return done ? 0 : -ENOMEM;
}

/* Why libcrypto failed: -ENOMEM, or -EINVAL. Empties the queue of the thread's last errors, which libpq reads, too. */
static int take_error(void)
{
    int error = -EINVAL;

    for (unsigned long code; (code = ERR_get_error()) != 0;)
        if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
            error = -ENOMEM;
    return error;
}

static bool is_kind(const struct algorithm *algorithm, const char *kty)
{
    return strcmp(algorithm->kty, kty) == 0;
}

static const struct algorithm *find_algorithm(const char *name, const char *kty, const char *crv)
{
    for (size_t i = 0; i < sizeof(algorithms) / sizeof(*algorithms); i++) {
        const struct algorithm *algorithm = &algorithms[i];
        if ((!name || strcmp(algorithm->name, name) == 0) && is_kind(algorithm, kty) &&
            (!algorithm->crv || (crv && strcmp(algorithm->crv, crv) == 0)))
            return algorithm;
    }
    return NULL;
}

/* Takes pkey, also when it fails. bytes: what makes the key. */
static int key_new(const struct algorithm *algorithm, EVP_PKEY *pkey, const void *bytes, size_t size_bytes,
                   struct signing_key **ret_key)
{
    struct signing_key *key = calloc(1, sizeof(*key));
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    bool done = key && context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) == 1 &&
                EVP_DigestUpdate(context, algorithm->name, strlen(algorithm->name) + 1) == 1 &&
                EVP_DigestUpdate(context, bytes, size_bytes) == 1 &&
                EVP_DigestFinal_ex(context, key->fingerprint, NULL) == 1;

    EVP_MD_CTX_free(context);
    if (!done) {
        free(key);
        EVP_PKEY_free(pkey);
        return -ENOMEM;
    }
    key->algorithm = algorithm;
    key->pkey = pkey;
    *ret_key = key;
    return 0;
}

static int take_secret(const struct algorithm *algorithm, const uint8_t *secret, size_t size_bytes,
                       struct signing_key **ret_key, const char **ret_wrong)
{
    *ret_wrong = "is a secret of less than 32 bytes, which can be guessed; make one with openssl rand -hex 32";
    if (size_bytes < SECRET_BYTES_MIN)
        return -EINVAL;
    EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_HMAC, NULL, secret, size_bytes);
    return pkey ? key_new(algorithm, pkey, secret, size_bytes, ret_key) : -ENOMEM;
}

/* Takes pkey. NULL, or numbers that do not fit together, give what libcrypto says. */
static int take_public(const struct algorithm *algorithm, EVP_PKEY *pkey, struct signing_key **ret_key,
                       const char **ret_wrong)
{
    int bits = pkey ? EVP_PKEY_get_bits(pkey) : 0, size = 0, error = -EINVAL;
    EVP_PKEY_CTX *context = NULL;
    unsigned char *der = NULL;

    *ret_wrong = "is an RSA key of less than 2048 or more than 8192 bits";
    if (!pkey || !is_kind(algorithm, "RSA") || (bits >= RSA_BITS_MIN && bits <= RSA_BITS_MAX)) {
        *ret_wrong = "is not a key: its numbers do not fit together";
        context = pkey ? EVP_PKEY_CTX_new(pkey, NULL) : NULL;
        if (context && EVP_PKEY_public_check(context) == 1)
            size = i2d_PUBKEY(pkey, &der);
        error = size > 0 ? 0 : take_error();
    }
    EVP_PKEY_CTX_free(context);
    if (error == 0)
        error = key_new(algorithm, pkey, der, (size_t)size, ret_key);
    else
        EVP_PKEY_free(pkey);
    OPENSSL_free(der);
    return error;
}

int signing_key_from_secret(const char *secret, size_t size_bytes, struct signing_key **ret_key, const char **ret_wrong)
{
    int error = take_secret(&algorithms[0], (const uint8_t *)secret, size_bytes, ret_key, ret_wrong);

    ERR_clear_error();
    return error;
}

/* What a key of a PEM file is for; NULL when for nothing here. */
static const struct algorithm *algorithm_of(EVP_PKEY *pkey)
{
    char group[64];

    switch (EVP_PKEY_get_id(pkey)) {
    case EVP_PKEY_ED25519:
        return find_algorithm(NULL, "OKP", "Ed25519");
    case EVP_PKEY_RSA:
        return find_algorithm(NULL, "RSA", NULL);
    case EVP_PKEY_EC:
        if (EVP_PKEY_get_group_name(pkey, group, sizeof(group), NULL) != 1)
            return NULL;
        for (size_t i = 0; i < sizeof(algorithms) / sizeof(*algorithms); i++)
            if (algorithms[i].group && strcmp(algorithms[i].group, group) == 0)
                return &algorithms[i];
        return NULL;
    default:
        return NULL;
    }
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
    ERR_clear_error();
    BIO *bio = BIO_new_mem_buf(first, (int)rest);
    EVP_PKEY *pkey = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;
    const struct algorithm *algorithm = pkey ? algorithm_of(pkey) : NULL;
    BIO_free(bio);
    if (algorithm) {
        error = take_public(algorithm, pkey, ret_key, ret_wrong);
        ERR_clear_error();
        return error;
    }
    EVP_PKEY_free(pkey);
    return take_error();
}

static int from_oct(const struct algorithm *algorithm, struct json_slice object, struct signing_key **ret_key,
                    const char **ret_wrong)
{
    uint8_t secret[JWK_BYTES_MAX];
    int error = take_secret(algorithm, secret, jwk_bytes(object, "k", secret), ret_key, ret_wrong);

    explicit_bzero(secret, sizeof(secret));
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
    ERR_clear_error();
    int error;
    if (is_kind(algorithm, "oct"))
        error = from_oct(algorithm, object, ret_key, ret_wrong);
    else if (is_kind(algorithm, "RSA"))
        error = take_public(algorithm, jwk_rsa(object), ret_key, ret_wrong);
    else if (is_kind(algorithm, "EC"))
        error = take_public(algorithm, jwk_ec(object, algorithm->group, algorithm->signature_bytes / 2), ret_key,
                            ret_wrong);
    else
        error = take_public(algorithm, jwk_ed25519(object), ret_key, ret_wrong);
    ERR_clear_error();
    return error;
}

void signing_key_free(struct signing_key *key)
{
    if (!key)
        return;
    EVP_PKEY_free(key->pkey);
    free(key);
}

const char *signing_key_algorithm(const struct signing_key *key)
{
    return key->algorithm->name;
}

bool signing_key_is_secret(const struct signing_key *key)
{
    return is_kind(key->algorithm, "oct");
}

const uint8_t *signing_key_fingerprint(const struct signing_key *key)
{
    return key->fingerprint;
}

/* The keys were tried when they were read, so what fails before a signature is compared fails for lack of memory. */
static int verify_hmac(EVP_MD_CTX *context, const struct signing_key *key, const struct signed_text *signed_text)
{
    uint8_t mac[EVP_MAX_MD_SIZE];
    size_t size = sizeof(mac);

    if (EVP_DigestSignInit(context, NULL, key->algorithm->hash(), NULL, key->pkey) != 1 ||
        EVP_DigestSign(context, mac, &size, signed_text->text, signed_text->text_bytes) != 1)
        return -ENOMEM;
    return size == signed_text->signature_bytes && CRYPTO_memcmp(mac, signed_text->signature, size) == 0 ? 0 : -EBADMSG;
}

/* Two numbers side by side (RFC 7518, section 3.4), as libcrypto takes them; its size, 0 or less without memory. */
static int ecdsa_to_der(const uint8_t *signature, size_t size_bytes, unsigned char **ret_der)
{
    const int half = (int)size_bytes / 2;
    BIGNUM *r = BN_bin2bn(signature, half, NULL), *s = BN_bin2bn(signature + half, half, NULL);
    ECDSA_SIG *pair = ECDSA_SIG_new();
    int size = 0;

    if (r && s && pair && ECDSA_SIG_set0(pair, r, s) == 1) {
        r = s = NULL;
        size = i2d_ECDSA_SIG(pair, ret_der);
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return size;
}

/* A wrong signature leaves nothing in the queue, or first of all an error of the algorithm's own; without memory there
 * is something else first, or, rarely, nothing either: then the token is called wrong. */
static int take_verdict(void)
{
    unsigned long first = ERR_get_error();
    int lib = ERR_GET_LIB(first);
    bool is_wrong = first == 0 || lib == ERR_LIB_RSA || lib == ERR_LIB_EC;

    return is_wrong && ERR_GET_REASON(first) != ERR_R_MALLOC_FAILURE ? -EBADMSG : -ENOMEM;
}

static int verify_public(EVP_MD_CTX *context, const struct signing_key *key, const struct signed_text *signed_text)
{
    const struct algorithm *algorithm = key->algorithm;
    const uint8_t *signature = signed_text->signature;
    size_t size = signed_text->signature_bytes;
    unsigned char *der = NULL;
    EVP_PKEY_CTX *options;

    if (EVP_DigestVerifyInit(context, &options, algorithm->hash ? algorithm->hash() : NULL, NULL, key->pkey) != 1)
        return -ENOMEM;
    if (algorithm->name[0] == 'P' && (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) != 1 ||
                                      EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) != 1))
        return -ENOMEM;
    if (is_kind(algorithm, "EC")) {
        int der_size = ecdsa_to_der(signature, size, &der);
        if (der_size <= 0)
            return -ENOMEM;
        signature = der;
        size = (size_t)der_size;
    }
    bool verified = EVP_DigestVerify(context, signature, size, signed_text->text, signed_text->text_bytes) == 1;
    OPENSSL_free(der);
    return verified ? 0 : take_verdict();
}

int signing_key_verify(const struct signing_key *key, const struct signed_text *signed_text)
{
    size_t wanted = key->algorithm->signature_bytes;
    int error = -ENOMEM;

    /* libcrypto takes shorter ones by RSA-PSS, which would give one token two texts. */
    if (signed_text->signature_bytes != (wanted > 0 ? wanted : (size_t)EVP_PKEY_get_size(key->pkey)))
        return -EBADMSG;
    ERR_clear_error();
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (context)
        error = signing_key_is_secret(key) ? verify_hmac(context, key, signed_text)
                                           : verify_public(context, key, signed_text);
    EVP_MD_CTX_free(context);
    ERR_clear_error();
    return error;
}
