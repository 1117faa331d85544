// Builds components the way a spec does, out of the build tree's plugins.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <sectile/context.h>

#include "ground/plugins/plugin_index.h"
#include "ground/spec/json_options.h"

namespace sectile::test {

inline const PluginIndex& plugins() {
  static const PluginIndex index({SECTILE_BUILD_DIR "/lib/sectile/plugins"});
  return index;
}

// A context with so many classes, named "0", "1", …
inline BuildContext context(int classes, int channels = 3, bool overlapping = false) {
  BuildContext context;
  auto labels = std::make_shared<LabelMap>();
  labels->overlapping = overlapping;
  for (int i = 0; i < classes; ++i) {
    LabelClass made;
    made.name = std::to_string(i);
    labels->classes.push_back(made);
  }
  context.labels = labels;
  context.channels = channels;
  return context;
}

// make<Loss>(R"({"type": "dice", "smooth": 0})", context(3)). Throws SpecError as reading a spec does.
template <class Interface>
std::shared_ptr<Interface> make(const std::string& json, const BuildContext& context = {}) {
  struct Holder {
    Ref<Interface> part;
    void declare(Options& options) { options.add("part", &part, "The component.").required(); }
  } holder;
  SpecFile file;
  file.json["part"] = Json::parse(json);
  SpecReader{plugins(), file}.read(&holder, kValueType<Holder>);
  return holder.part.build(context);
}

}  // namespace sectile::test
