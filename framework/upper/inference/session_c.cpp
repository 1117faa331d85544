#include <sectile/session_c.h>

#include <cstring>
#include <exception>
#include <string>

#include <opencv2/core.hpp>

#include <sectile/error.h>
#include <sectile/session.h>

#include "../../ground/backtrace.h"

struct sectile_session {
  sectile::Session session;
};

namespace {

thread_local std::string last_error;

template <class Result, class Do>
Result attempt(Result failed, const Do& work) noexcept {
  try {
    last_error.clear();
    return work();
  } catch (const std::exception& error) {
    last_error = sectile::without_backtrace(error.what());
  } catch (...) {
    last_error = "an exception of no known type";
  }
  return failed;
}

}  // namespace

const char* sectile_error(void) { return last_error.c_str(); }

sectile_session* sectile_open(const char* checkpoint, const char* device, const char* plugin_path) {
  return attempt<sectile_session*>(nullptr, [&] {
    if (!checkpoint) throw sectile::DataError("sectile_open", "the checkpoint is NULL");
    sectile::SessionOptions options;
    if (device) options.device = device;
    if (plugin_path) options.plugin_path = {plugin_path};
    return new sectile_session{sectile::Session(checkpoint, options)};
  });
}

void sectile_close(sectile_session* session) { delete session; }

size_t sectile_class_count(const sectile_session* session) {
  return attempt<size_t>(0, [&] {
    if (!session) throw sectile::DataError("sectile_class_count", "the session is NULL");
    return session->session.labels().classes.size();
  });
}

const char* sectile_class_name(const sectile_session* session, size_t number) {
  return attempt<const char*>(nullptr, [&] {
    if (!session) throw sectile::DataError("sectile_class_name", "the session is NULL");
    const auto& classes = session->session.labels().classes;
    if (number >= classes.size())
      throw sectile::DataError("sectile_class_name",
                               "there is no class " + std::to_string(number) + " of " + std::to_string(classes.size()));
    return classes[number].name.c_str();
  });
}

int sectile_predict(const sectile_session* session, const uint8_t* pixels, int height, int width, int channels,
                    size_t stride, int16_t* labels, float* scores) {
  return attempt(-1, [&] {
    if (!session || !pixels || !labels) throw sectile::DataError("sectile_predict", "was given NULL");
    if (height < 1 || width < 1 || channels < 1 || channels > CV_CN_MAX)
      throw sectile::DataError("sectile_predict",
                               "height and width must be 1 or more, and channels 1 to " + std::to_string(CV_CN_MAX));
    const auto row = static_cast<size_t>(width) * static_cast<size_t>(channels);
    if (stride != 0 && stride < row) throw sectile::DataError("sectile_predict", "stride is less than a row's pixels");
    if (stride > PTRDIFF_MAX / static_cast<size_t>(height))
      throw sectile::DataError("sectile_predict", "stride is larger than memory: was it negative?");
    // cv::Mat cannot wrap const data; the pixels are not modified.
    const cv::Mat image(height, width, CV_8UC(channels), const_cast<uint8_t*>(pixels), stride ? stride : row);
    const auto answer = session->session.predict(image, scores != nullptr);
    if (answer.labels.size() != image.size())
      throw sectile::DataError("sectile_predict", "this network gives no class number for each pixel");
    std::memcpy(labels, answer.labels.data, answer.labels.total() * sizeof *labels);
    if (scores) std::memcpy(scores, answer.scores.data, answer.scores.total() * answer.scores.elemSize());
    return 0;
  });
}
