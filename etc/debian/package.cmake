# `cpack -G DEB`: see scripts/package, which makes it reproducible.
set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME tuplecast)
set(CPACK_PACKAGE_VERSION ${PROJECT_VERSION})
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "PostgreSQL row changes as Server-Sent Events")
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"tuplecast turns the notifications of a PostgreSQL database into streams that
browsers read with EventSource and anybody with curl. One connection to the
database serves any number of clients; who reconnects gets what was missed, or
is told that something is missing. Durable channels lose nothing, through
restarts of the client, the gateway and the database.")
# Whoever hands packages out writes themselves here (scripts/package tells how); this address can never be anybody's (RFC 2606).
set(TUPLECAST_MAINTAINER "the tuplecast authors <tuplecast@packages.invalid>" CACHE STRING "Maintainer of the package")
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "${TUPLECAST_MAINTAINER}")
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS adduser)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS ca-certificates)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS postgresql)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${CMAKE_CURRENT_LIST_DIR}/conffiles ${CMAKE_CURRENT_LIST_DIR}/postinst
    ${CMAKE_CURRENT_LIST_DIR}/prerm ${CMAKE_CURRENT_LIST_DIR}/postrm)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)

# What Debian wants beside the program, compressed without the time of day.
string(TIMESTAMP TUPLECAST_DATE "%a, %d %b %Y %H:%M:%S +0000" UTC)
file(WRITE ${CMAKE_BINARY_DIR}/debian/changelog
"tuplecast (${PROJECT_VERSION}) stable; urgency=medium

  * Built from its source; what changed is in NEWS.md.gz.

 -- ${TUPLECAST_MAINTAINER}  ${TUPLECAST_DATE}
")
file(READ ${CMAKE_SOURCE_DIR}/LICENSE license)
string(REGEX MATCH "Copyright [^\n]*" copyright "${license}")
string(REPLACE "Copyright (c)" "Copyright:" copyright "${copyright}")
string(REGEX REPLACE "^.*\n(Permission is hereby)" "\\1" license "${license}")
string(REGEX REPLACE "\n\n" "\n.\n" license "${license}")
string(REGEX REPLACE "\n$" "" license "${license}")
string(REPLACE "\n" "\n " license "${license}")
file(WRITE ${CMAKE_BINARY_DIR}/debian/copyright
"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: tuplecast

Files: *
${copyright}
License: Expat
 ${license}

Files: www/vendor/uplot.*
Copyright: 2022 Leon Sorokin
License: Expat
")
file(COPY_FILE ${CMAKE_SOURCE_DIR}/CHANGELOG.md ${CMAKE_BINARY_DIR}/debian/NEWS.md)
set(documents)
foreach(name changelog NEWS.md)
    add_custom_command(OUTPUT ${CMAKE_BINARY_DIR}/debian/${name}.gz
        COMMAND gzip -9nkf ${CMAKE_BINARY_DIR}/debian/${name} DEPENDS ${CMAKE_BINARY_DIR}/debian/${name} VERBATIM)
    list(APPEND documents ${CMAKE_BINARY_DIR}/debian/${name}.gz)
endforeach()
add_custom_target(debian_documents ALL DEPENDS ${documents})
install(FILES ${documents} ${CMAKE_BINARY_DIR}/debian/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
include(CPack)
