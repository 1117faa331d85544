/* A trained network for C, and for languages that call C: open a checkpoint, pass images, get class numbers.
   session.h is the same for C++, with more details. No function throws; after a failure, sectile_error() has the
   reason. */
#ifndef SECTILE_SESSION_C_H
#define SECTILE_SESSION_C_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define SECTILE_C_EXPORT __attribute__((visibility("default")))

typedef struct sectile_session sectile_session;

/* Why the last call on this thread failed; "" if it did not. Valid until the thread's next call. */
SECTILE_C_EXPORT const char* sectile_error(void);

/* device: "cpu", "cuda" or "cuda:1"; NULL: "cpu". plugin_path: a plugin folder that is searched first, or NULL.
   Returns NULL on failure. */
SECTILE_C_EXPORT sectile_session* sectile_open(const char* checkpoint, const char* device, const char* plugin_path);
SECTILE_C_EXPORT void sectile_close(sectile_session* session); /* NULL: nothing */

SECTILE_C_EXPORT size_t sectile_class_count(const sectile_session* session);
SECTILE_C_EXPORT const char* sectile_class_name(const sectile_session* session,
                                                size_t number); /* NULL: no such class */

/* pixels: height rows of width pixels of `channels` bytes (RGB if there are three), rows `stride` bytes apart; 0:
   without a gap. labels: room for height * width class numbers, -1 where there is no class. scores: room for height *
   width * classes probabilities, the classes of a pixel side by side, or NULL. May be called from several threads at
   once. Returns 0, or -1 on failure. */
SECTILE_C_EXPORT int sectile_predict(const sectile_session* session, const uint8_t* pixels, int height, int width,
                                     int channels, size_t stride, int16_t* labels, float* scores);

#ifdef __cplusplus
}
#endif

#endif
