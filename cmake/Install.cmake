# What a package holds beside its Python files, the same for a wheel and for build/<preset>/python: the native module, the
# program of native replicas, and, outside wheels only, the FFmpeg plug-in (FFmpeg as Debian builds it is GPL).
if(TARGET _core)
  set_property(TARGET _core APPEND PROPERTY INSTALL_RPATH "$ORIGIN/../pyarrow")
  install(TARGETS _core LIBRARY DESTINATION mainstem)
endif()
if(TARGET mainstem-host)
  install(TARGETS mainstem-host RUNTIME DESTINATION mainstem/bin)
endif()
if(TARGET mainstem_ffmpeg AND MAINSTEM_ABSOLUTE_RPATH)
  install(TARGETS mainstem_ffmpeg LIBRARY DESTINATION mainstem/plugins)
endif()
