/* Segments one image from C: predict_c CHECKPOINT IMAGE.ppm MASK.pgm. The image is an 8-bit PPM (P6); the mask contains
   class numbers, and 255 where there is no class. */
#include <stdio.h>
#include <stdlib.h>

#include <sectile/session_c.h>

static int fail(const char* what, const char* reason) {
  fprintf(stderr, "error: %s: %s\n", what, reason);
  return 1;
}

int main(int count, char** words) {
  if (count != 4) return fail("usage", "predict_c CHECKPOINT IMAGE.ppm MASK.pgm");
  sectile_session* session = sectile_open(words[1], "cpu", NULL);
  if (!session) return fail(words[1], sectile_error());

  int width, height, most;
  FILE* in = fopen(words[2], "rb");
  if (!in || fscanf(in, "P6 %d %d %d", &width, &height, &most) != 3 || most != 255 || width < 1 || height < 1)
    return fail(words[2], "is no PPM of 8 bits");
  fgetc(in); /* the line break after the header */
  const size_t size = (size_t)width * (size_t)height;
  uint8_t* pixels = malloc(3 * size);
  int16_t* labels = malloc(size * sizeof *labels);
  if (!pixels || !labels || fread(pixels, 3, size, in) != size) return fail(words[2], "cannot be read whole");
  fclose(in);

  if (sectile_predict(session, pixels, height, width, 3, 0, labels, NULL) != 0) return fail(words[2], sectile_error());
  FILE* out = fopen(words[3], "wb");
  if (!out) return fail(words[3], "cannot be written");
  fprintf(out, "P5\n%d %d\n255\n", width, height);
  for (size_t i = 0; i < size; ++i) fputc(labels[i] < 0 ? 255 : labels[i], out);
  if (fclose(out) != 0) return fail(words[3], "cannot be written");
  for (size_t i = 0; i < sectile_class_count(session); ++i) printf("%s\n", sectile_class_name(session, i));
  sectile_close(session);
  free(pixels);
  free(labels);
  return 0;
}
