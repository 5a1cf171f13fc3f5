# `cmake --install`: the programs, the libraries, the public headers, and the package that
# find_package(esdb) finds:
#
#   esdb::esdb      everything a program needs to open any store
#   esdb::testing   esdb/testing.h, for the tests of such a program
include(CMakePackageConfigHelpers)

# All that stands behind the first two: what an installed program links, it needs in archives.
set(esdb_libraries esdb_protocol esdb_wire esdb_storage esdb_remote esdb_client esdb_application
    esdb_testing)
add_library(esdb INTERFACE)
add_library(esdb::esdb ALIAS esdb)
target_link_libraries(esdb INTERFACE esdb_application esdb_client)
# What esdb_storage asks for, for users with policies from before CMake 3.17 (CMP0099), too.
target_link_options(esdb INTERFACE ${PACED_FLUSH_OPTION})

install(TARGETS esdb ${esdb_libraries} EXPORT esdb ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(DIRECTORY ${PROJECT_SOURCE_DIR}/include/esdb DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(TARGETS esdb-server esctl RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})

set(esdb_package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/esdb)
configure_package_config_file(cmake/esdb-config.cmake.in ${PROJECT_BINARY_DIR}/esdb-config.cmake
                              INSTALL_DESTINATION ${esdb_package_dir})
write_basic_package_version_file(${PROJECT_BINARY_DIR}/esdb-config-version.cmake
                                 COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/esdb-config.cmake
              ${PROJECT_BINARY_DIR}/esdb-config-version.cmake cmake/library_dependencies.cmake
        DESTINATION ${esdb_package_dir})
install(EXPORT esdb NAMESPACE esdb:: DESTINATION ${esdb_package_dir} FILE esdb-targets.cmake)

install(FILES README.md DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs DESTINATION ${CMAKE_INSTALL_DOCDIR})

# The unit names files where they were installed, which `cmake --install --prefix` decides.
install(CODE "
  set(bin_dir \"${CMAKE_INSTALL_BINDIR}\")
  set(doc_dir \"${CMAKE_INSTALL_DOCDIR}\")
  set(data_dir \"${CMAKE_INSTALL_DATADIR}\")
  foreach(directory bin_dir doc_dir data_dir)
    cmake_path(ABSOLUTE_PATH \${directory} BASE_DIRECTORY \"\${CMAKE_INSTALL_PREFIX}\")
  endforeach()
  configure_file(\"${PROJECT_SOURCE_DIR}/scripts/esdb.service.in\"
                 \"${PROJECT_BINARY_DIR}/esdb.service\" @ONLY)")
install(FILES ${PROJECT_BINARY_DIR}/esdb.service DESTINATION ${CMAKE_INSTALL_DATADIR}/esdb)
