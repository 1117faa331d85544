# sectile_add_plugin(<kind>_<name> [GROUND] [NO_INSTALL] <source>...) builds libsectile_<kind>_<name>.so with the flags that a
# plugin needs. GROUND: datasets, transforms, samplers and schedules, which link the ground floor only and see no LibTorch.
set(SECTILE_PLUGIN_MAP ${CMAKE_CURRENT_LIST_DIR}/plugin.map)
set(SECTILE_GROUND_KINDS dataset transform sampler schedule)

function(sectile_add_plugin name)
  cmake_parse_arguments(PARSE_ARGV 1 plugin "GROUND;NO_INSTALL" "" "")
  add_library(sectile_${name} MODULE ${plugin_UNPARSED_ARGUMENTS})
  target_link_libraries(sectile_${name} PRIVATE $<IF:$<BOOL:${plugin_GROUND}>,Sectile::sectile,Sectile::torch>)
  target_compile_features(sectile_${name} PRIVATE cxx_std_20)
  set_target_properties(sectile_${name} PROPERTIES
    CXX_EXTENSIONS OFF
    CXX_VISIBILITY_PRESET hidden
    VISIBILITY_INLINES_HIDDEN ON
    LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/lib/sectile/plugins
    INSTALL_RPATH "$ORIGIN/../..$<$<NOT:$<BOOL:${plugin_GROUND}>>:;${LibTorch_LIBRARY_DIR}>")
  target_link_options(sectile_${name} PRIVATE $<$<NOT:$<BOOL:${SECTILE_FUZZ}>>:-Wl,-z,defs> -Wl,--version-script=${SECTILE_PLUGIN_MAP})
  set_property(TARGET sectile_${name} APPEND PROPERTY LINK_DEPENDS ${SECTILE_PLUGIN_MAP})
  if(NOT plugin_NO_INSTALL)
    install(TARGETS sectile_${name} LIBRARY DESTINATION lib/sectile/plugins)
  endif()
endfunction()

# plugins/losses/dice → sectile_add_plugin(loss_dice …) of its sources; its *_test.cpp join the kind's test binary.
function(sectile_add_plugin_folder folder)
  get_filename_component(name ${folder} NAME)
  get_filename_component(kind ${folder} DIRECTORY)
  get_filename_component(kind ${kind} NAME)
  string(REGEX REPLACE "s$" "" kind ${kind})
  string(REGEX REPLACE "sse$" "ss" kind ${kind})
  file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.cpp)
  set(test_sources ${sources})
  list(FILTER sources EXCLUDE REGEX "_test\\.cpp$")
  list(FILTER test_sources INCLUDE REGEX "_test\\.cpp$")
  set(floor)
  set(headers sectile_torch_plugin_pch)
  if(kind IN_LIST SECTILE_GROUND_KINDS)
    set(floor GROUND)
    set(headers sectile_plugin_pch)
  endif()
  sectile_add_plugin(${kind}_${name} ${floor} ${sources})
  target_precompile_headers(sectile_${kind}_${name} REUSE_FROM ${headers})
  set_property(GLOBAL APPEND PROPERTY SECTILE_PLUGINS_sectile_torch sectile_${kind}_${name})  # by the floor that can load it
  if(floor)
    set_property(GLOBAL APPEND PROPERTY SECTILE_PLUGINS_sectile sectile_${kind}_${name})
  endif()
  set_property(GLOBAL APPEND PROPERTY SECTILE_TESTS_${kind} ${test_sources})
endfunction()
