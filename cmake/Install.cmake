# What a package holds beside its Python files and the native module, the same for a wheel and for build/<preset>/python:
# the program of native replicas and, outside wheels only, the FFmpeg plug-in (FFmpeg as Debian builds it is GPL).
if(TARGET _core AND MAINSTEM_ABSOLUTE_RPATH)
  set_property(TARGET _core APPEND PROPERTY INSTALL_RPATH "${PyArrow_DIR}")
endif()
if(TARGET mainstem-host)
  install(TARGETS mainstem-host RUNTIME DESTINATION mainstem/bin)
endif()
if(TARGET mainstem_ffmpeg AND MAINSTEM_ABSOLUTE_RPATH)
  install(TARGETS mainstem_ffmpeg LIBRARY DESTINATION mainstem/plugins)
endif()
