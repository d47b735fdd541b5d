/* Keys from their numbers, and signatures whose length is not the key's. */
#include "access/base64url.h"
#include "access/signing_key.h"
#include "unit.h"

#include <errno.h>

#define RSA_N                                                                                                          \
    "qGt5oc-TnPvajgJRKJ0VLGdTqveiAjbdQm8W0V3lI43wuSVMaAE96PA2GvAZEWmJ9ZYR_1_Pexejf6mravnRaHM4s6mDRl-erDSo"             \
    "RtfdM-NZ8w-Ggbaw1iOSm6lJGQ_pACRn_k4wdHgXOWQ7-9vReh3B1c1djlaZcH5Sp8XX_fcX2XooQvsTrtm_x_Oc-OPPRIwr3RBJ"             \
    "66ieyf3um-cmvYIC6jeAUEGUOGU3LP8jr8M81QA_85T9IlNhXWWFRG3x-7Qh-Uod3mCKpBDj540rNiUGE8geU61X7s5NOrDgWU8U"             \
    "zRufW5X96vrZYe755bxAN7NKo_GzB0VNd6vq7W1wTQ"
#define RSA_N_1024                                                                                                     \
    "xW2O_sVqJfcDCcB8t9gMTicROLRJRA_iDZ9cQd_j5R-Snkfq2KTiNa9yLecjTwFs09ymIqebYZVAneiIYIVFScXw4v3WXHOwnSQq"             \
    "LAlc1fVLjzMV2-9oSUAeGcS80vqXkCndQ3Ga_kFN3ZLNyjX12BMY0QKpmanq9WwLzzBfoik"
/* By RSA-PSS, of "text 94": its first byte is 0. */
#define SIGNATURE                                                                                                      \
    "AMdCj2hCVmmq38fw31Pj2MHos4hNj76DJyEKZEervHTY9l9gpe4XIei8w43SmmIaegeu5cLGW8FJpZOualmppsOmwS-5IZIv-DEc"             \
    "ScEEftvmwbSKxNApxChLmgW-qekMCPaT_4QtzSBb6ZT-d74CRb7kNfo8IZUq3UruSjueG6qdpC-5szPwp2aa4_Xu8gS85ruVH7ML"             \
    "q-QqrxGuoT7fPLaHGhfu9yud2MeVGNI1f362YIuCiHo_JvU12IWES011r6OUk2vRBZCFlHmtgCzbguMdJqvWG2yOLcC-szQbtnuB"             \
    "2-cKfMbm2ukcUcmZ7T6K8y8Ym3yTfmXj_ywOTNbUKg"
#define EC_X   "rqgRn_vH0e4lTjc5wwHv2MsmYE9GFRPaKj05hn5bbZ4"
#define EC_Y   "ie6ARSiEmQljCtQ2RrwuoSIDoxC_86WvBE1emAyp5VE"
#define P521_X "ATd12DmFINSZ3RZ9AkI93_Dwdw50skggw1Z9WF9Ewj0KxKKrrUP5XQFLwePLEWXTjV5AKMYpwNC_3wCS9PPoPNVl"
#define P521_Y "AMxl75ij7SMd0Fr_hYgdYyDCQ42kMPSPkLaLoLhnaI1pVvOM8nT9_A83oK851RnrM0MNThofnxAMriFeJuAJSFul"
#define ED_X   "Opzs-BBmwpybqt-9eNgkS1exkOG-0CDi3oF0AYsfGQI"

#define RSA(n, e)     "{\"kty\":\"RSA\",\"alg\":\"PS256\",\"n\":\"" n "\",\"e\":\"" e "\"}"
#define EC(crv, x, y) "{\"kty\":\"EC\",\"crv\":\"" crv "\",\"x\":\"" x "\",\"y\":\"" y "\"}"
#define ED(x)         "{\"kty\":\"OKP\",\"crv\":\"Ed25519\",\"x\":\"" x "\"}"
#define OCT(k)        "{\"kty\":\"oct\",\"k\":\"" k "\"}"

static int read_key(const char *json, struct signing_key **ret_key)
{
    const char *wrong = NULL;
    int error = signing_key_from_jwk(json, strlen(json), ret_key, &wrong);

    assert_true(error == 0 || (error == -EINVAL && wrong));
    return error;
}

static void keys_are_read_from_their_numbers(void **state)
{
    static const char *const good[][2] = {
        {RSA(RSA_N, "AQAB"), "PS256"},          {RSA(RSA_N, "Aw"), "PS256"}, {EC("P-256", EC_X, EC_Y), "ES256"},
        {EC("P-521", P521_X, P521_Y), "ES512"}, {ED(ED_X), "EdDSA"},         {OCT(ED_X), "HS256"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(good); i++) {
        struct signing_key *key = NULL;
        assert_int_equal(read_key(good[i][0], &key), 0);
        assert_string_equal(signing_key_algorithm(key), good[i][1]);
        assert_int_equal(signing_key_is_secret(key), i == COUNT_OF(good) - 1);
        signing_key_free(key);
    }
}

static void numbers_that_make_no_key_are_refused(void **state)
{
    static const char *const bad[] = {
        RSA(RSA_N_1024, "AQAB"),
        RSA(RSA_N, "AQ"),
        RSA(RSA_N, "AA"),
        RSA(RSA_N, "Ag"),
        RSA(RSA_N, ""),
        RSA("", "AQAB"),
        RSA(RSA_N, "A"),
        RSA(RSA_N "=", "AQAB"),
        RSA(RSA_N "AA", "AQAB"),
        EC("P-256", EC_X, EC_X),
        EC("P-256", EC_X, ""),
        EC("P-256", "AA" EC_X, EC_Y),
        EC("P-256", P521_X, P521_Y),
        EC("P-521", EC_X, EC_Y),
        EC("P-256", "", ""),
        ED(""),
        ED(ED_X "AA"),
        ED("AAAA"),
        OCT(""),
        OCT("c2hvcnQ"),
        OCT(ED_X "!"),
        "{\"kty\":\"RSA\",\"n\":1,\"e\":3}",
        "{\"kty\":\"oct\"}",
        "{\"kty\":\"EC\",\"crv\":\"P-256\"}",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct signing_key *key = NULL;
        if (read_key(bad[i], &key) == 0)
            fail_msg("taken: %s", bad[i]);
    }
}

static void a_signature_is_as_long_as_the_key(void **state)
{
    static const char text[] = "text 94";
    struct signing_key *key = NULL;
    struct buffer bytes;

    (void)state;
    buffer_init(&bytes, 1000);
    assert_int_equal(read_key(RSA(RSA_N, "AQAB"), &key), 0);
    assert_int_equal(base64url_decode(SIGNATURE, strlen(SIGNATURE), &bytes), 0);
    const uint8_t *signature = (const uint8_t *)buffer_bytes(&bytes);
    struct signed_text whole = {(const uint8_t *)text, strlen(text), signature, buffer_size(&bytes)};
    assert_int_equal(signing_key_verify(key, &whole), 0);
    /* The same number without its leading zero. */
    assert_int_equal(signature[0], 0);
    struct signed_text shorter = {(const uint8_t *)text, strlen(text), signature + 1, buffer_size(&bytes) - 1};
    assert_int_equal(signing_key_verify(key, &shorter), -EBADMSG);
    struct signed_text none = {(const uint8_t *)text, strlen(text), signature, 0};
    assert_int_equal(signing_key_verify(key, &none), -EBADMSG);
    signing_key_free(key);
    buffer_done(&bytes);
}

static void the_same_key_has_the_same_fingerprint(void **state)
{
    struct signing_key *one = NULL, *other = NULL, *spaced = NULL;

    (void)state;
    assert_int_equal(read_key(EC("P-256", EC_X, EC_Y), &one), 0);
    assert_int_equal(read_key("{ \"y\":\"" EC_Y "\", \"x\":\"" EC_X "\", \"crv\":\"P-256\", \"kty\":\"EC\"}", &spaced),
                     0);
    assert_int_equal(read_key(ED(ED_X), &other), 0);
    assert_memory_equal(signing_key_fingerprint(one), signing_key_fingerprint(spaced), SHA256_BYTES);
    assert_memory_not_equal(signing_key_fingerprint(one), signing_key_fingerprint(other), SHA256_BYTES);
    signing_key_free(one);
    signing_key_free(other);
    signing_key_free(spaced);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_read_from_their_numbers),
        cmocka_unit_test(numbers_that_make_no_key_are_refused),
        cmocka_unit_test(a_signature_is_as_long_as_the_key),
        cmocka_unit_test(the_same_key_has_the_same_fingerprint),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
