// Segments one image: predict CHECKPOINT IMAGE MASK.png. Writes the same mask as `sectile predict`.
#include <iostream>

#include <sectile/data/image_io.h>
#include <sectile/session.h>

int main(int count, char** words) try {
  if (count != 4) throw std::runtime_error("usage: predict CHECKPOINT IMAGE MASK.png");
  const sectile::Session session(words[1]);
  const auto answer = session.predict(sectile::read_image(words[2]));
  sectile::write_labels(words[3], answer.labels, session.labels());
} catch (const std::exception& error) {
  std::cerr << "error: " << error.what() << "\n";
  return 1;
}
