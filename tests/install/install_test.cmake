# Installs BUILD below SCRATCH, then configures, builds and tests the examples in SOURCE, and the
# program that the README shows, with nothing but the installed package.
function(run)
  execute_process(COMMAND ${ARGN} RESULT_VARIABLE result OUTPUT_VARIABLE said ERROR_VARIABLE said)
  if(NOT result EQUAL 0)
    list(JOIN ARGN " " command)
    message(FATAL_ERROR "${command}\nfailed with ${result}:\n${said}")
  endif()
endfunction()

file(REMOVE_RECURSE ${SCRATCH})
set(prefix ${SCRATCH}/prefix)
run(${CMAKE_COMMAND} --install ${BUILD} --prefix ${prefix})
foreach(file bin/esdb-server bin/esctl share/esdb/esdb.service include/esdb/event_store.h)
  if(NOT EXISTS ${prefix}/${file})
    message(FATAL_ERROR "`cmake --install` did not install ${file}")
  endif()
endforeach()
run(${prefix}/bin/esctl --version)

# A copy, so that no header is found by its place in the source tree.
file(COPY ${SOURCE}/examples DESTINATION ${SCRATCH})
run(${CMAKE_COMMAND} -S ${SCRATCH}/examples -B ${SCRATCH}/build -G Ninja -D CMAKE_BUILD_TYPE=Debug
    -D CMAKE_CXX_COMPILER=${CXX} -D CMAKE_PREFIX_PATH=${prefix})
run(${CMAKE_COMMAND} --build ${SCRATCH}/build)
run(${CMAKE_CTEST_COMMAND} --test-dir ${SCRATCH}/build --output-on-failure --no-tests=error)

# The README's first program, as it stands there.
file(READ ${SOURCE}/README.md readme)
string(REGEX MATCH "```cpp\n([^`]*)```" found "${readme}")
if(NOT found)
  message(FATAL_ERROR "README.md shows no program")
endif()
string(REGEX REPLACE "^```cpp\n|```$" "" program "${found}")
file(WRITE ${SCRATCH}/readme/program.cc "${program}")
file(WRITE ${SCRATCH}/readme/CMakeLists.txt "cmake_minimum_required(VERSION 3.25)
project(readme CXX)
find_package(esdb REQUIRED)
add_executable(program program.cc)
target_link_libraries(program PRIVATE esdb::esdb)
add_custom_target(run COMMAND program)
")
run(${CMAKE_COMMAND} -S ${SCRATCH}/readme -B ${SCRATCH}/readme/build -G Ninja
    -D CMAKE_CXX_COMPILER=${CXX} -D CMAKE_PREFIX_PATH=${prefix})
run(${CMAKE_COMMAND} --build ${SCRATCH}/readme/build)
run(${CMAKE_COMMAND} --build ${SCRATCH}/readme/build --target run)
