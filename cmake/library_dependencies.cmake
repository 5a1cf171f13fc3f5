# What the libraries are built on. A program that links an installed esdb needs it too, so
# esdb-config.cmake includes this file. All of it comes from Debian packages (scripts/packages).
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
# Its package looks for libatomic, which comes with GCC, by a check that succeeds in C only.
if(NOT CMAKE_C_COMPILER_LOADED)
  set(FOUND_LIBATOMIC TRUE)
endif()
find_package(CapnProto REQUIRED)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(OPENSSL_CRYPTO REQUIRED IMPORTED_TARGET libcrypto)
# A program links LMDB's static library, in which the linker puts a function of ours in the place of
# another (storage/paced_flush.h). That library cannot be part of a shared one.
find_library(LMDB_STATIC liblmdb.a REQUIRED)
find_library(LMDB_SHARED liblmdb.so REQUIRED)
set(is_program $<STREQUAL:$<TARGET_PROPERTY:TYPE>,EXECUTABLE>)  # of what links esdb
set(LMDB_OF_KIND $<IF:${is_program},${LMDB_STATIC},${LMDB_SHARED}>)
set(PACED_FLUSH_OPTION $<${is_program}:LINKER:--wrap=fdatasync>)
unset(is_program)
# liburing 2.3's shared library lacks the ring restriction calls that its header has: link the
# static one.
find_library(URING_STATIC liburing.a REQUIRED)
