// How a shared library provides components: it ends with
//
//   SECTILE_PLUGIN("1.0.0", sectile::loss<Dice, DiceOptions>("dice", "Soft Dice over softmax probabilities."))
//
// Each kind's header (loss.h, model.h, …) includes this one, so plugins need to include only that.
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <type_traits>

#include <sectile/context.h>
#include <sectile/options.h>

namespace sectile {

// One component: constant data, so that no code of a plugin runs before its stamp is compared.
struct Component {
  const char* kind;
  const char* name;
  const char* summary;
  const ValueType* options;  // a group: the component's own options
  const ValueType* common;   // a group: the options common to its kind; read from the same JSON object
  std::shared_ptr<void> (*create)(const void* options, const BuildContext& context);  // an Interface*
};

// The one symbol that a plugin exports.
struct Plugin {
  std::size_t size;
  const char* abi;
  const char* version;
  const Component* components;
  const Stamp* stamps;  // the file's section; referenced here so that the linker keeps it
  std::size_t component_count;
};

namespace detail {

// Calls T(options, context), T(options), T(context) or T(), whichever exists.
template <class Interface, class T, class OwnOptions>
std::shared_ptr<void> create(const void* options, [[maybe_unused]] const BuildContext& context) {
  [[maybe_unused]] const auto& own = *static_cast<const OwnOptions*>(options);
  std::shared_ptr<Interface> made;
  if constexpr (std::is_constructible_v<T, const OwnOptions&, const BuildContext&>)
    made = std::make_shared<T>(own, context);
  else if constexpr (std::is_constructible_v<T, const OwnOptions&>)
    made = std::make_shared<T>(own);
  else if constexpr (std::is_constructible_v<T, const BuildContext&>)
    made = std::make_shared<T>(context);
  else
    made = std::make_shared<T>();
  return made;
}

template <std::size_t N>
constexpr void copy(char (&to)[N], const char* from) {
  std::size_t i = 0;
  for (; from[i] != '\0'; ++i) to[i] = from[i];  // past the end: a compile error in a constant expression
  if (i >= N) throw "too long";
}

template <std::size_t N>
constexpr std::array<Stamp, N> stamps(const char* abi, const char* version, const Component (&components)[N]) {
  std::array<Stamp, N> result{};
  for (std::size_t i = 0; i < N; ++i) {
    copy(result[i].magic, kStampMagic);
    copy(result[i].abi, abi);
    copy(result[i].kind, components[i].kind);
    copy(result[i].name, components[i].name);
    copy(result[i].version, version);
    copy(result[i].summary, components[i].summary);
  }
  return result;
}

}  // namespace detail

template <class Interface, class T, class OwnOptions>
constexpr Component component(const char* name, const char* summary) {
  return {Kind<Interface>::name,
          name,
          summary,
          &kValueType<OwnOptions>,
          &kValueType<typename Kind<Interface>::Common>,
          &detail::create<Interface, T, OwnOptions>};
}

}  // namespace sectile

#define SECTILE_PLUGIN(version, ...)                                             \
  namespace {                                                                    \
  constexpr ::sectile::Component sectile_components[] = {__VA_ARGS__};           \
  [[gnu::section(".sectile_plugin"), gnu::used]] constexpr auto sectile_stamps = \
      ::sectile::detail::stamps(SECTILE_ABI, version, sectile_components);       \
  }                                                                              \
  extern "C" SECTILE_EXPORT const ::sectile::Plugin sectile_plugin;              \
  const ::sectile::Plugin sectile_plugin = {                                     \
      sizeof(::sectile::Plugin), SECTILE_ABI,           version,                 \
      sectile_components,        sectile_stamps.data(), sizeof(sectile_components) / sizeof(sectile_components[0])};
