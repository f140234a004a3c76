# What is installed where, and Debian packages of it: cloud-locker for the board, cloud-locker-tools with the simulator,
# cloud-locker-portal for a server. `scripts/package` makes them.
include(GNUInstallDirs)
set(units ${PROJECT_SOURCE_DIR}/systemd)
set(man ${PROJECT_SOURCE_DIR}/docs/man)

function(install_unit component unit)
  install(FILES ${units}/${component}/${unit} DESTINATION lib/systemd/system COMPONENT ${component})
  install(FILES ${units}/${component}/tmpfiles.conf DESTINATION lib/tmpfiles.d RENAME ${component}.conf COMPONENT ${component})
  if(EXISTS ${units}/${component}/sysusers.conf)
    install(FILES ${units}/${component}/sysusers.conf DESTINATION lib/sysusers.d RENAME ${component}.conf COMPONENT ${component})
  endif()
endfunction()

# The day of the last commit: the same source gives the same package.
find_program(GIT git)
set(commit_day "Thu, 01 Jan 1970 00:00:00 +0000")
if(GIT AND EXISTS ${PROJECT_SOURCE_DIR}/.git)
  execute_process(COMMAND ${GIT} -C ${PROJECT_SOURCE_DIR} log -1 --format=%cD OUTPUT_VARIABLE commit_day OUTPUT_STRIP_TRAILING_WHITESPACE)
endif()
set(maintainer "Cloud Locker maintainers <maintainers@cloud-locker.example>")

# Manuals and what Debian wants beside each package, compressed without a date.
function(install_papers component)
  set(out ${CMAKE_BINARY_DIR}/papers/${component})
  set(made)
  foreach(page ${ARGN})
    get_filename_component(section ${page} LAST_EXT)
    string(SUBSTRING ${section} 1 1 section)
    add_custom_command(OUTPUT ${out}/${page}.gz COMMAND gzip -9nc ${man}/${page} > ${out}/${page}.gz
      DEPENDS ${man}/${page} VERBATIM)
    install(FILES ${out}/${page}.gz DESTINATION ${CMAKE_INSTALL_MANDIR}/man${section} COMPONENT ${component})
    list(APPEND made ${out}/${page}.gz)
  endforeach()
  file(MAKE_DIRECTORY ${out})
  file(CONFIGURE OUTPUT ${out}/changelog CONTENT
    "${component} (${PROJECT_VERSION}) bookworm; urgency=medium\n\n  * CHANGELOG.md.gz says what is new.\n\n -- ${maintainer}  ${commit_day}\n")
  add_custom_command(OUTPUT ${out}/changelog.gz COMMAND gzip -9nc ${out}/changelog > ${out}/changelog.gz
    DEPENDS ${out}/changelog VERBATIM)
  add_custom_command(OUTPUT ${out}/CHANGELOG.md.gz COMMAND gzip -9nc ${PROJECT_SOURCE_DIR}/CHANGELOG.md > ${out}/CHANGELOG.md.gz
    DEPENDS ${PROJECT_SOURCE_DIR}/CHANGELOG.md VERBATIM)
  install(FILES ${out}/CHANGELOG.md.gz ${out}/changelog.gz DESTINATION share/doc/${component} COMPONENT ${component})
  install(FILES ${units}/copyright DESTINATION share/doc/${component} COMPONENT ${component})
  add_custom_target(papers-${component} ALL DEPENDS ${made} ${out}/CHANGELOG.md.gz ${out}/changelog.gz)
endfunction()

install(TARGETS lockerd lockerctl RUNTIME COMPONENT cloud-locker)
install(TARGETS lockerd-clock RUNTIME DESTINATION libexec/cloud-locker COMPONENT cloud-locker)
install_unit(cloud-locker lockerd.service)
install(FILES ${units}/cloud-locker/lockerd-clock.service DESTINATION lib/systemd/system COMPONENT cloud-locker)
install(FILES ${units}/cloud-locker/70-cloud-locker.rules DESTINATION lib/udev/rules.d COMPONENT cloud-locker)
install_papers(cloud-locker lockerd.8 lockerctl.1)

install(TARGETS lockersim RUNTIME COMPONENT cloud-locker-tools)
install_papers(cloud-locker-tools lockersim.1)

set(CPACK_COMPONENTS_ALL cloud-locker cloud-locker-tools)
if(LOCKER_PORTAL)
  install(TARGETS locker-portal RUNTIME COMPONENT cloud-locker-portal)
  install_unit(cloud-locker-portal locker-portal.service)
  install(DIRECTORY ${CMAKE_BINARY_DIR}/pages DESTINATION share/cloud-locker-portal COMPONENT cloud-locker-portal)
  install(FILES portal/catalogue.example.toml portal/openapi.yaml DESTINATION share/doc/cloud-locker-portal COMPONENT cloud-locker-portal)
  install_papers(cloud-locker-portal locker-portal.8)
  list(APPEND CPACK_COMPONENTS_ALL cloud-locker-portal)
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_VENDOR "Cloud Locker")
set(CPACK_PACKAGE_CONTACT "${maintainer}")
set(CPACK_PACKAGE_HOMEPAGE_URL "https://cloud-locker.example/")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_INSTALL_DEFAULT_DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
set(CPACK_DEB_COMPONENT_INSTALL ON)
set(CPACK_DEBIAN_ENABLE_COMPONENT_DEPENDS OFF)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
if(CMAKE_CROSSCOMPILING)
  set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE ${architecture})
  # The sysroot has the libraries and, from dpkg's data, which package each is of.
  set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS_PRIVATE_DIRS ${CMAKE_SYSROOT}/usr/lib/${triple} ${CMAKE_SYSROOT}/lib/${triple})
endif()
foreach(component cloud-locker cloud-locker-portal)
  string(TOUPPER ${component} name)
  set(CPACK_DEBIAN_${name}_PACKAGE_CONTROL_EXTRA
    ${units}/${component}/postinst ${units}/${component}/prerm ${units}/${component}/postrm)
  set(CPACK_DEBIAN_${name}_PACKAGE_CONTROL_STRICT_PERMISSION ON)
  set(CPACK_DEBIAN_${name}_PACKAGE_DEPENDS "systemd")
endforeach()
set(CPACK_DEBIAN_CLOUD-LOCKER_PACKAGE_NAME cloud-locker)
set(CPACK_DEBIAN_CLOUD-LOCKER_PACKAGE_SECTION misc)
set(CPACK_COMPONENT_CLOUD-LOCKER_DESCRIPTION "controller of a cloud-locker cabinet
Drives lock relays and reads door contacts over Modbus, verifies pickup codes
and grants, keeps a hash-chained ledger, and tells the world over MQTT.")
set(CPACK_DEBIAN_CLOUD-LOCKER-TOOLS_PACKAGE_NAME cloud-locker-tools)
set(CPACK_DEBIAN_CLOUD-LOCKER-TOOLS_PACKAGE_SECTION misc)
set(CPACK_COMPONENT_CLOUD-LOCKER-TOOLS_DESCRIPTION "simulated cloud-locker cabinet
Relay boards, locks, doors and people of a cabinet that is not there, behind a
serial line or TCP, faults included.")
set(CPACK_DEBIAN_CLOUD-LOCKER-PORTAL_PACKAGE_NAME cloud-locker-portal)
set(CPACK_DEBIAN_CLOUD-LOCKER-PORTAL_PACKAGE_SECTION misc)
set(CPACK_COMPONENT_CLOUD-LOCKER-PORTAL_DESCRIPTION "scanning flow for cloud-locker cabinets
Pages and API for residents, grid workers and administrators: from the QR code
on the cabinet to papers in hand.")
include(CPack)
