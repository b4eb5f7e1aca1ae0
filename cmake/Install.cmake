# What a package holds beside its Python files and the native module, the same for a wheel and for build/<preset>/python:
# the program of native replicas and, with MAINSTEM_VIDEO_PLUGIN, the FFmpeg plug-in.
if(TARGET _core AND MAINSTEM_ABSOLUTE_RPATH)
  set_property(TARGET _core APPEND PROPERTY INSTALL_RPATH "${PyArrow_DIR}")
endif()
if(TARGET mainstem-host)
  install(TARGETS mainstem-host RUNTIME DESTINATION mainstem/bin)
endif()
if(TARGET mainstem_ffmpeg)
  install(TARGETS mainstem_ffmpeg LIBRARY DESTINATION mainstem/plugins)
endif()
