# cmake --install: a relocatable tree of the same shape as the build tree. LibTorch stays where it is.
include(CMakePackageConfigHelpers)
set(SECTILE_CMAKE_FOLDER lib/cmake/Sectile)

configure_package_config_file(${PROJECT_SOURCE_DIR}/cmake/SectileConfig.cmake.in ${PROJECT_BINARY_DIR}/SectileConfig.cmake
  INSTALL_DESTINATION ${SECTILE_CMAKE_FOLDER})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/SectileConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(EXPORT SectileTargets NAMESPACE Sectile:: DESTINATION ${SECTILE_CMAKE_FOLDER})
install(FILES ${PROJECT_BINARY_DIR}/SectileConfig.cmake ${PROJECT_BINARY_DIR}/SectileConfigVersion.cmake
  cmake/SectilePlugin.cmake cmake/FindLibTorch.cmake cmake/FindOpenCVModules.cmake cmake/plugin.map
  DESTINATION ${SECTILE_CMAKE_FOLDER})
foreach(folder specs templates examples)
  if(IS_DIRECTORY ${PROJECT_SOURCE_DIR}/${folder})
    install(DIRECTORY ${folder} DESTINATION share/sectile)
  endif()
endforeach()
