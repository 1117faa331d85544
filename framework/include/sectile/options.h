// The options of a component, declared once. An options struct is plain members with default values and one function
//
//   void declare(sectile::Options& options) {
//     options.add("smooth", &smooth, "Added to both terms.").at_least(0);
//   }
//
// and, where rules span several options, `void check(sectile::Problems& problems) const`. Parsing, defaults, the JSON
// Schema, `sectile describe`, the documentation and every message come from that list. A member may be bool, int,
// std::int64_t, float, double, std::string, std::filesystem::path (relative to the spec file), an enum (named by
// one_of), another options struct (a nested group), Ref<Interface> (another component), or a std::vector, std::array,
// std::optional or std::map<std::string, …> of any of these.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <sectile/error.h>
#include <sectile/kind.h>

namespace sectile {

struct BuildContext;

using Scalar = std::variant<bool, std::int64_t, double, std::string>;

// What check() writes to. Names are those of the struct's own options; the host knows where the struct sits in the
// spec.
class SECTILE_EXPORT Problems {
 public:
  Problems(std::vector<Problem>& all, std::string pointer);
  void add(const std::string& option, const std::string& message);

 private:
  std::vector<Problem>& all_;
  std::string pointer_;
};

// A component that the spec names, validated but not yet built. Made by the host; it outlives every Ref to it.
class SECTILE_EXPORT Recipe {
 public:
  virtual ~Recipe();
  virtual const void* common() const = 0;                                      // Kind<Interface>::Common
  virtual std::shared_ptr<void> build(const BuildContext& context) const = 0;  // an Interface*
};

// The part of Ref that does not depend on the kind.
class SECTILE_EXPORT AnyRef {
 public:
  // What a default says besides the type: options of the component by name.
  using Given = std::vector<std::pair<std::string, std::variant<Scalar, std::vector<Scalar>>>>;

  explicit operator bool() const { return recipe_ != nullptr; }
  const std::string& type() const { return type_; }
  const Given& given() const { return given_; }                      // empty once there is a recipe
  const Recipe& recipe() const;                                      // throws when empty
  void set(std::string type, std::shared_ptr<const Recipe> recipe);  // for the host

 protected:
  AnyRef() = default;
  explicit AnyRef(const char* type) : type_(type) {}
  Given given_;

 private:
  std::string type_;
  std::shared_ptr<const Recipe> recipe_;
};

// An option that names another component: { "type": "resnet34", … }. It is found, and its options are read and checked,
// together with the rest of the spec, before anything is built. A default is given by name, Ref<Backbone>{"resnet34"},
// and may give options to it, which are read and checked like a spec's:
//
//   Ref<Backbone> backbone = Ref<Backbone>("resnet50").with("output_stride", 8).with("strides", {1, 2});
//
// In a spec that names the component itself only what the spec says holds.
template <class Interface>
class Ref final : public AnyRef {
 public:
  Ref() = default;
  explicit Ref(const char* type) : AnyRef(type) {}
  // A path is relative to the spec, and one of a few names is given by that name.
  Ref& with(const char* option, Scalar value) {
    given_.emplace_back(option, std::move(value));
    return *this;
  }
  Ref& with(const char* option, std::initializer_list<Scalar> values) {
    given_.emplace_back(option, std::vector<Scalar>(values));
    return *this;
  }
  const typename Kind<Interface>::Common& common() const {
    return *static_cast<const typename Kind<Interface>::Common*>(recipe().common());
  }
  std::shared_ptr<Interface> build(const BuildContext& context) const {
    return std::static_pointer_cast<Interface>(recipe().build(context));
  }
};

enum class Shape { boolean, integer, number, string, path, choice, array, optional, map, group, component };

// How the host reads and writes a value of one C++ type: one table per type, made by the compiler. It keeps JSON out of
// this header, and templates out of the host. Functions that a shape has no use for are null.
struct ValueType {
  Shape shape;
  Scalar (*load)(const void* value) = nullptr;
  bool (*store)(void* value, const Scalar& scalar) = nullptr;  // false: does not fit the type
  const ValueType* element = nullptr;                          // of an array, optional or map
  std::size_t fixed_size = 0;                                  // of a std::array
  void (*clear)(void* value) = nullptr;
  void* (*insert)(void* value, std::size_t index, const std::string& key) = nullptr;  // returns the new element
  void (*visit)(void* value, void (*use)(const std::string& key, void* element, void* context),
                void* context) = nullptr;
  std::shared_ptr<void> (*make)() = nullptr;  // a group with its defaults
  void (*declare)(void* value, Options& options) = nullptr;
  void (*check)(const void* value, Problems& problems) = nullptr;
  const char* kind = nullptr;  // of a component
  AnyRef& (*reference)(void* value) = nullptr;
};

namespace detail {
template <class T>
constexpr ValueType value_type();
}
template <class T>
inline constexpr ValueType kValueType = detail::value_type<T>();

// One option, bound to the member that holds its value. The member's initial value is the default.
class SECTILE_EXPORT Option {
 public:
  Option(const char* option_name, void* option_value, const ValueType& value_type, const char* option_help);

  Option& at_least(double value);  // limits and choices hold for every number or string inside arrays and maps
  Option& at_most(double value);
  Option& one_of(std::initializer_list<const char*> names);  // of an enum: its enumerators 0, 1, … in order
  Option& not_empty();
  Option& required();
  Option& renamed_from(const char* old_name);  // still read, with a note
  Option& also_single();                       // of an array of scalars: a value alone stands for an array of one

  const char* name;
  const char* help;
  void* value;
  const ValueType* type;
  std::optional<double> minimum;
  std::optional<double> maximum;
  std::vector<std::string> choices;
  std::string old_name;
  bool is_required = false;
  bool must_not_be_empty = false;
  bool takes_single = false;
};

class SECTILE_EXPORT Options {
 public:
  Options();
  ~Options();
  Options(const Options&) = delete;
  Options& operator=(const Options&) = delete;

  template <class T>
  Option& add(const char* name, T* member, const char* help) {
    return add(name, member, kValueType<T>, help);
  }
  Option& add(const char* name, void* member, const ValueType& type, const char* help);
  const std::vector<std::unique_ptr<Option>>& all() const { return options_; }

 private:
  std::vector<std::unique_ptr<Option>> options_;
};

namespace detail {

template <class T>
constexpr bool kIsRef = false;
template <class I>
constexpr bool kIsRef<Ref<I>> = true;

// One overload per container; the primary answers for everything else.
template <class T>
struct Container {
  static constexpr bool known = false;
};

template <class T>
struct Container<std::vector<T>> {
  static_assert(!std::is_same_v<T, bool>, "std::vector<bool> has no elements to point to; use std::vector<int>");
  static constexpr bool known = true;
  static constexpr Shape shape = Shape::array;
  using Element = T;
  static void clear(void* v) { static_cast<std::vector<T>*>(v)->clear(); }
  static void* insert(void* v, std::size_t, const std::string&) {
    return &static_cast<std::vector<T>*>(v)->emplace_back();
  }
  template <class F>
  static void each(void* v, F use) {
    for (T& item : *static_cast<std::vector<T>*>(v)) use("", item);
  }
};
template <class T, std::size_t N>
struct Container<std::array<T, N>> {
  static constexpr bool known = true;
  static constexpr Shape shape = Shape::array;
  using Element = T;
  static void clear(void*) {}
  static void* insert(void* v, std::size_t i, const std::string&) { return &static_cast<std::array<T, N>*>(v)->at(i); }
  template <class F>
  static void each(void* v, F use) {
    for (T& item : *static_cast<std::array<T, N>*>(v)) use("", item);
  }
};
template <class T>
struct Container<std::optional<T>> {
  static constexpr bool known = true;
  static constexpr Shape shape = Shape::optional;
  using Element = T;
  static void clear(void* v) { static_cast<std::optional<T>*>(v)->reset(); }
  static void* insert(void* v, std::size_t, const std::string&) {
    return &static_cast<std::optional<T>*>(v)->emplace();
  }
  template <class F>
  static void each(void* v, F use) {
    if (auto& held = *static_cast<std::optional<T>*>(v)) use("", *held);
  }
};
template <class T>
struct Container<std::map<std::string, T>> {
  static constexpr bool known = true;
  static constexpr Shape shape = Shape::map;
  using Element = T;
  static void clear(void* v) { static_cast<std::map<std::string, T>*>(v)->clear(); }
  static void* insert(void* v, std::size_t, const std::string& key) {
    return &(*static_cast<std::map<std::string, T>*>(v))[key];
  }
  template <class F>
  static void each(void* v, F use) {
    for (auto& [key, item] : *static_cast<std::map<std::string, T>*>(v)) use(key, item);
  }
};
template <class T>
constexpr std::size_t kFixedSize = 0;
template <class T, std::size_t N>
constexpr std::size_t kFixedSize<std::array<T, N>> = N;

template <class T>
Scalar load(const void* value) {
  const T& typed = *static_cast<const T*>(value);
  if constexpr (std::is_same_v<T, bool>)
    return typed;
  else if constexpr (std::is_integral_v<T> || std::is_enum_v<T>)
    return static_cast<std::int64_t>(typed);
  else if constexpr (std::is_floating_point_v<T>)
    return static_cast<double>(typed);
  else if constexpr (std::is_same_v<T, std::filesystem::path>)
    return typed.string();
  else
    return typed;
}

template <class T>
bool store(void* value, const Scalar& scalar) {
  T& typed = *static_cast<T*>(value);
  if constexpr (std::is_same_v<T, bool>)
    typed = std::get<bool>(scalar);
  else if constexpr (std::is_enum_v<T>)
    typed = static_cast<T>(std::get<std::int64_t>(scalar));
  else if constexpr (std::is_integral_v<T>) {
    const auto number = std::get<std::int64_t>(scalar);
    if (number < std::numeric_limits<T>::min() || number > std::numeric_limits<T>::max()) return false;
    typed = static_cast<T>(number);
  } else if constexpr (std::is_floating_point_v<T>)
    typed = static_cast<T>(std::get<double>(scalar));
  else
    typed = std::get<std::string>(scalar);
  return true;
}

template <class T>
constexpr ValueType value_type() {
  ValueType type{};
  if constexpr (Container<T>::known) {
    using Each = Container<T>;
    type.shape = Each::shape;
    type.element = &kValueType<typename Each::Element>;
    type.fixed_size = kFixedSize<T>;
    type.clear = &Each::clear;
    type.insert = &Each::insert;
    type.visit = [](void* value, void (*use)(const std::string&, void*, void*), void* context) {
      Each::each(value, [&](const std::string& key, auto& item) { use(key, &item, context); });
    };
  } else if constexpr (kIsRef<T>) {
    type.shape = Shape::component;
    type.kind = []<class I>(const Ref<I>*) { return Kind<I>::name; }(static_cast<const T*>(nullptr));
    type.reference = [](void* value) -> AnyRef& { return *static_cast<T*>(value); };
  } else if constexpr (requires(T value, Options & options) { value.declare(options); }) {
    type.shape = Shape::group;
    type.make = []() -> std::shared_ptr<void> { return std::make_shared<T>(); };
    type.declare = [](void* value, Options& options) { static_cast<T*>(value)->declare(options); };
    if constexpr (requires(const T value, Problems& problems) { value.check(problems); })
      type.check = [](const void* value, Problems& problems) { static_cast<const T*>(value)->check(problems); };
  } else {
    static_assert(std::is_arithmetic_v<T> || std::is_enum_v<T> || std::is_same_v<T, std::string> ||
                      std::is_same_v<T, std::filesystem::path>,
                  "an option is one of the types listed at the top of sectile/options.h");
    type.shape = std::is_same_v<T, bool>          ? Shape::boolean
                 : std::is_enum_v<T>              ? Shape::choice
                 : std::is_integral_v<T>          ? Shape::integer
                 : std::is_arithmetic_v<T>        ? Shape::number
                 : std::is_same_v<T, std::string> ? Shape::string
                                                  : Shape::path;
    type.load = &load<T>;
    type.store = &store<T>;
  }
  return type;
}

}  // namespace detail
}  // namespace sectile
