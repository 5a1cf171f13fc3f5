# How everything is compiled: one language level, warnings as errors, hardening, and sanitizers on
# request.
option(ESDB_BENCH "Build the benchmarks" ON)
set(ESDB_SANITIZE "" CACHE STRING
    "Sanitizers, as -fsanitize takes them: address,undefined | thread")
option(ESDB_FUZZ "Build the fuzzers of tests/fuzz: needs clang" OFF)

option(ESDB_SABOTAGE "Build in the bugs of storage/sabotage.h, planted on demand" OFF)
set(ESDB_COVERAGE "" CACHE STRING
    "Sources of storage/ that count what they do: needs clang, see scripts/coverage")

set(CMAKE_CXX_STANDARD 23)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
include(CheckPIESupported)
check_pie_supported(LANGUAGES CXX)
include(GNUInstallDirs)
if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "" FORCE)
endif()
find_program(ESDB_CCACHE ccache)
if(ESDB_CCACHE)
  set(CMAKE_CXX_COMPILER_LAUNCHER ${ESDB_CCACHE})
endif()

if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang" OR CMAKE_CXX_COMPILER_VERSION VERSION_GREATER_EQUAL 13)
  add_compile_options(
    "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-include ${PROJECT_SOURCE_DIR}/protocol/kj_comparison.h>")
endif()

# Linked by every target of ours, and by nothing that is installed. GCC 12, optimising, calls every
# std::expected in a KJ promise uninitialized; clang, in a use of std::stable_sort, what libstdc++
# 12 uses itself deprecated.
add_library(esdb_warnings INTERFACE)
target_compile_options(esdb_warnings INTERFACE -Wall -Wextra -Wconversion -Wshadow
                       -Wnon-virtual-dtor -Werror
                       $<$<CXX_COMPILER_ID:Clang>:-Wno-deprecated-declarations>)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(esdb_warnings INTERFACE
                         $<$<NOT:$<CONFIG:Debug>>:-Wno-maybe-uninitialized>)
endif()
if(ESDB_SABOTAGE)
  add_compile_definitions(ESDB_SABOTAGE)
endif()
add_library(esdb_hardening INTERFACE)
target_compile_definitions(esdb_hardening INTERFACE _GLIBCXX_ASSERTIONS)
target_compile_options(esdb_hardening INTERFACE -fstack-protector-strong -fstack-clash-protection
                       -fcf-protection)
target_link_options(esdb_hardening INTERFACE -Wl,-z,relro,-z,now)
if(ESDB_FUZZ)
  # What is reached is told to the fuzzers; other programs of the same tree take no harm.
  add_compile_options(-fsanitize=fuzzer-no-link)
  add_link_options(-fsanitize=fuzzer-no-link)
endif()
if(ESDB_SANITIZE)
  add_compile_definitions(ESDB_SANITIZED)  # every compiler says it in another way
  if(ESDB_SANITIZE MATCHES thread)
    add_compile_definitions(ESDB_SANITIZED_THREADS)
  endif()
  add_compile_options(-fsanitize=${ESDB_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  add_link_options(-fsanitize=${ESDB_SANITIZE})
else()
  # It needs an optimising build, and takes from the sanitizers what they would find themselves.
  target_compile_options(esdb_hardening INTERFACE
                         $<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE$<SEMICOLON>-D_FORTIFY_SOURCE=3>)
endif()

# esdb_library(NAME SOURCES...): the static library of a folder, esdb_<folder>.
function(esdb_library name)
  add_library(esdb_${name} STATIC ${ARGN})
  add_library(esdb::${name} ALIAS esdb_${name})
  set_target_properties(esdb_${name} PROPERTIES EXPORT_NAME ${name})
  target_include_directories(esdb_${name} PUBLIC
    $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:include>)
  target_include_directories(esdb_${name} PRIVATE ${PROJECT_SOURCE_DIR})
  target_compile_features(esdb_${name} PUBLIC cxx_std_23)
  target_link_libraries(esdb_${name} PRIVATE $<BUILD_INTERFACE:esdb_warnings>
                        $<BUILD_INTERFACE:esdb_hardening>)
endfunction()

# esdb_program(NAME SOURCES...): a program.
function(esdb_program name)
  add_executable(${name} ${ARGN})
  target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR} ${PROJECT_SOURCE_DIR}/include)
  target_link_libraries(${name} PRIVATE esdb_warnings esdb_hardening)
endfunction()
