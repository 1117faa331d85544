# Installs Sectile, moves the tree, builds the template outside of it, and finds the plugin through SECTILE_PLUGIN_PATH.
# cmake -DBUILD=<build folder> -DLIBTORCH=<root> -DGENERATOR=<generator> -DFLAGS=<of the compiler> -P run.cmake
set(temporary /tmp)
if(DEFINED ENV{TMPDIR})
  set(temporary $ENV{TMPDIR})
endif()
string(SHA1 hash ${BUILD})  # two build trees do not meet
string(SUBSTRING ${hash} 0 12 hash)
set(SCRATCH ${temporary}/sectile-out-of-tree-${hash})

function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE code OUTPUT_VARIABLE output ERROR_VARIABLE output)
  if(code)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\nended with ${code}:\n${output}")
  endif()
  set(output "${output}" PARENT_SCOPE)
endfunction()

function(expect text part)
  string(FIND "${text}" "${part}" at)
  if(at EQUAL -1)
    message(FATAL_ERROR "expected \"${part}\" in:\n${text}")
  endif()
endfunction()

file(REMOVE_RECURSE ${SCRATCH})
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${SCRATCH}/installed)
file(RENAME ${SCRATCH}/installed "${SCRATCH}/moved away")  # the tree is relocatable, also to a path with a space
set(prefix "${SCRATCH}/moved away")
foreach(file bin/sectile lib/libsectile.so lib/libsectile_torch.so lib/sectile/sectile-compute include/sectile/loss.h
    lib/cmake/Sectile/SectilePlugin.cmake lib/cmake/Sectile/plugin.map share/sectile/templates/plugin/brier.cpp)
  if(NOT EXISTS "${prefix}/${file}")
    message(FATAL_ERROR "${file} is not installed")
  endif()
endforeach()
if(EXISTS ${BUILD}/lib/sectile/libsectile_cuda.so AND NOT EXISTS "${prefix}/lib/sectile/libsectile_cuda.so")
  message(FATAL_ERROR "libsectile_cuda.so is not installed")
endif()
set(sectile ${CMAKE_COMMAND} -E env --unset=SECTILE_PLUGIN_PATH "${prefix}/bin/sectile")
run(${sectile} list --json)
expect("${output}" "${prefix}/lib/sectile/plugins")
string(FIND "${output}" "${BUILD}" at)
if(NOT at EQUAL -1)
  message(FATAL_ERROR "the installed program looks into the build tree:\n${output}")
endif()

# A plugin that needs LibTorch finds it and both floors where the tree lies now.
run(${sectile} describe loss dice)
expect("${output}" "${prefix}/lib/sectile/plugins/libsectile_loss_dice.so")
foreach(file lib/sectile/sectile-compute lib/libsectile_torch.so lib/sectile/plugins/libsectile_loss_dice.so)
  run(ldd "${prefix}/${file}")
  if(output MATCHES "not found" OR output MATCHES "${BUILD}")
    message(FATAL_ERROR "${file} does not find its libraries, or finds them in the build tree:\n${output}")
  endif()
endforeach()

file(COPY "${prefix}/share/sectile/templates/plugin" DESTINATION ${SCRATCH})
run(${CMAKE_COMMAND} -G ${GENERATOR} -S ${SCRATCH}/plugin -B ${SCRATCH}/plugin/build "-DCMAKE_PREFIX_PATH=${prefix}"
  -DLibTorch_ROOT=${LIBTORCH} "-DCMAKE_CXX_FLAGS=${FLAGS}")
run(${CMAKE_COMMAND} --build ${SCRATCH}/plugin/build)

set(sectile ${CMAKE_COMMAND} -E env SECTILE_PLUGIN_PATH=${SCRATCH}/plugin/build/lib/sectile/plugins "${prefix}/bin/sectile")
run(${sectile} list loss)
expect("${output}" "brier")
run(${sectile} describe brier)
expect("${output}" "loss brier 1.0.0")
expect("${output}" "label_smoothing: number, 0 to 1; default 0.0")
expect("${output}" "${SCRATCH}/plugin/build/lib/sectile/plugins/libsectile_loss_brier.so")

# Programs of one's own give the masks of `sectile predict`.
set(sectile ${CMAKE_COMMAND} -E env --unset=SECTILE_PLUGIN_PATH "${prefix}/bin/sectile")
run(${sectile} train "${prefix}/share/sectile/specs/shapes_quick.json" -o ${SCRATCH}/run --quiet --set /train/epochs=1)
string(REPEAT "sectile tests! " 512 bytes) # 7680 of them: 64 x 40 pixels of 3 channels
file(WRITE ${SCRATCH}/image.ppm "P6 64 40 255\n${bytes}")
run(${sectile} predict ${SCRATCH}/run/last.pth ${SCRATCH}/image.ppm -o ${SCRATCH}/masks --quiet)
if(SANITIZE) # the program must bring the sanitizers of the libraries
  string(APPEND FLAGS " -fsanitize=${SANITIZE}")
endif()
foreach(example predict predict_c)
  file(COPY "${prefix}/share/sectile/examples/${example}" DESTINATION ${SCRATCH})
  run(${CMAKE_COMMAND} -G ${GENERATOR} -S ${SCRATCH}/${example} -B ${SCRATCH}/${example}/build "-DCMAKE_PREFIX_PATH=${prefix}"
    -DLibTorch_ROOT=${LIBTORCH} "-DCMAKE_CXX_FLAGS=${FLAGS}" "-DCMAKE_C_FLAGS=${FLAGS}")
  run(${CMAKE_COMMAND} --build ${SCRATCH}/${example}/build)
endforeach()
run(${SCRATCH}/predict/build/predict ${SCRATCH}/run/last.pth ${SCRATCH}/image.ppm ${SCRATCH}/mask.png)
run(${CMAKE_COMMAND} -E compare_files ${SCRATCH}/mask.png ${SCRATCH}/masks/image.png)
run(${SCRATCH}/predict_c/build/predict_c ${SCRATCH}/run/last.pth ${SCRATCH}/image.ppm ${SCRATCH}/mask.pgm)
expect("${output}" "background")
file(SIZE ${SCRATCH}/mask.pgm size)
if(NOT size EQUAL 2573) # its header, and a byte for each pixel
  message(FATAL_ERROR "mask.pgm has ${size} bytes")
endif()
file(REMOVE_RECURSE ${SCRATCH})
